/*
 * Reads the file into texts by key, with nothing in it that could surprise: no tags, no anchors, no aliases, no key
 * twice, no unknown key. Texts are read as they stand, so no number or date is guessed from them.
 */
import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import { CONFIG_KEYS, type ConfigKey, keyAt, SECTIONS } from './keys.ts'
import { nearest } from './nearest.ts'
import type { Problem } from './problems.ts'

/** A text that somebody gave for a key. */
export interface Given {
  readonly text: string
  /** Where: as in {@link Problem.origin}. */
  readonly origin: string
}

/** What a source gave, by path. */
export interface Source {
  readonly values: ReadonlyMap<string, Given>
  readonly problems: readonly Problem[]
}

/** Most characters a file may have. */
const MAX_LENGTH = 262_144

/** Reads the text of a file called `name`. Never throws: what is wrong comes back as problems. */
export function readYaml(text: string, name: string): Source {
  const values = new Map<string, Given>()
  const problems: Problem[] = []
  const refuse = (message: string, at?: string): Source => {
    const origin = at === undefined ? name : `${name}, ${at}`
    return { values: new Map(), problems: [{ key: undefined, origin, message }] }
  }
  if (text.length > MAX_LENGTH)
    return refuse(`it has ${text.length} characters, more than ${MAX_LENGTH} are not read`)

  const lines = new LineCounter()
  let document
  try {
    document = parseDocument(text, { uniqueKeys: true, lineCounter: lines, prettyErrors: false })
  } catch (error) {
    return refuse(`it cannot be parsed: ${error instanceof Error ? error.message : String(error)}`)
  }
  const line = (offset: number): string => `line ${lines.linePos(offset).line}`
  const exactly = (offset: number): string => {
    const position = lines.linePos(offset)
    return `line ${position.line}, column ${position.col}`
  }
  const [broken] = document.errors
  if (broken !== undefined) {
    const what =
      broken.code === 'DUPLICATE_KEY'
        ? `${nameAt(text, broken.pos[0])} is there twice`
        : `not valid YAML: ${broken.message}`
    return refuse(what, exactly(broken.pos[0]))
  }

  visit(document, (_key, node) => {
    if (!isNode(node)) return undefined
    const odd = isAlias(node)
      ? 'an alias'
      : node.tag !== undefined
        ? `the tag ${node.tag}`
        : node.anchor !== undefined
          ? `the anchor &${node.anchor}`
          : undefined
    if (odd === undefined) return undefined
    const origin = `${name}, ${exactly(node.range?.[0] ?? 0)}`
    problems.push({ key: undefined, origin, message: `${odd} is not allowed here; write plain values` })
    return visit.SKIP
  })
  if (problems.length > 0) return { values, problems }

  const readValue = (key: ConfigKey, node: unknown, at: string): void => {
    const origin = `${name}, ${at}`
    const problem = (message: string): void => {
      problems.push({ key: key.path, origin, message })
    }
    if (key.noFile === true) {
      problem(`it is not for the file; give --${key.flag} or ${key.env}`)
    } else if (node === null || (isScalar(node) && node.value === null && node.type === 'PLAIN')) {
      // `key:` with nothing behind it leaves the default.
    } else if (isScalar(node)) {
      const source = typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
      if (typeof node.value !== 'string' && (key.kind === 'text' || key.kind === 'list')) {
        // Readers differ in what 0123, 1_000 or 1e3 mean, so only quotes make them a text.
        if (typeof node.value !== 'number' || String(node.value) !== source) {
          problem(`expected a text, got ${source}; put it in quotes`)
          return
        }
      }
      values.set(key.path, { text: source, origin })
    } else if (isSeq(node) && key.kind === 'list') {
      const items = node.items.map((item) =>
        isScalar(item) && typeof item.value === 'string' && !item.value.includes(',')
          ? item.value
          : undefined,
      )
      if (items.includes(undefined)) problem('expected texts without commas')
      else values.set(key.path, { text: items.join(','), origin })
    } else {
      problem(
        `expected ${key.kind === 'list' ? 'a list of texts' : 'one value'}, got a ${isMap(node) ? 'section' : 'list'}`,
      )
    }
  }

  const readMap = (node: unknown, above: string): void => {
    if (!isMap(node)) return
    for (const { key: nameNode, value } of node.items) {
      const start = isNode(nameNode) ? (nameNode.range?.[0] ?? 0) : 0
      const at = line(start)
      const own = isScalar(nameNode) ? String(nameNode.value) : '?'
      const path = above === '' ? own : `${above}.${own}`
      const key = keyAt(path)
      if (key !== undefined) {
        readValue(key, value, at)
      } else if (!SECTIONS.has(path)) {
        problems.push({ key: path, origin: `${name}, ${at}`, message: unknownKey(path) })
      } else if (isMap(value)) {
        readMap(value, path)
      } else if (!(value === null || (isScalar(value) && value.value === null))) {
        problems.push({
          key: path,
          origin: `${name}, ${at}`,
          message: 'expected a section with keys below it',
        })
      }
    }
  }
  const root = document.contents
  if (root === null || (isScalar(root) && root.value === null)) return { values, problems }
  if (!isMap(root)) return refuse('expected keys and values, such as db_path: data', exactly(0))
  readMap(root, '')
  return { values, problems }
}

function nameAt(text: string, offset: number): string {
  return /^[^\s:]+/.exec(text.slice(offset))?.[0] ?? 'a key'
}

function unknownKey(path: string): string {
  const known = CONFIG_KEYS.filter((key) => key.noFile !== true).map((key) => key.path)
  const lastName = (of: string): string => of.slice(of.lastIndexOf('.') + 1)
  const lastNames = new Map(known.toReversed().map((name) => [lastName(name), name]))
  const meant =
    nearest(path, [...known, ...SECTIONS]) ?? lastNames.get(nearest(lastName(path), lastNames.keys()) ?? '')
  return meant === undefined ? 'there is no such key' : `there is no such key; did you mean ${meant}?`
}
