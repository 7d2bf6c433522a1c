/*
 * Writes the file: every key with its comment above it, values in the form that Go's programs read.
 */
import { Document, isMap, isNode, isScalar, parseDocument, Scalar } from 'yaml'
import { CONFIG_KEYS, type ConfigKey, keyAt } from './keys.ts'
import { type Config, configSchema } from './schema.ts'

/** Words that some reader takes for something else than a text. */
const RESERVED = /^(?:true|false|null|yes|no|on|off|y|n)$/i

/** Whether a text means the same to every reader without quotes. */
function plain(text: string): boolean {
  return (
    /^(?:[A-Za-z/]|:\d|\d+\.\d+\.\d+\.)[\w./:-]*$/.test(text) && !text.endsWith(':') && !RESERVED.test(text)
  )
}

function scalarText(key: ConfigKey, text: string): string {
  const free = key.kind === 'text' || key.kind === 'list' || key.kind === 'choice'
  return free && !plain(text) ? JSON.stringify(text) : text
}

function valueLines(key: ConfigKey, text: string, indent: string): string {
  const name = key.path.slice(key.path.lastIndexOf('.') + 1)
  // Some readers refuse it empty, and choose for themselves when it is missing.
  if (key.noDefault === true && text === '') return `${indent}# ${name}: ""\n`
  if (key.sequence !== true) return `${indent}${name}: ${scalarText(key, text)}\n`
  if (text === '') return `${indent}${name}: []\n`
  const items = text.split(',').map((item) => `${indent}  - ${scalarText(key, item)}\n`)
  return `${indent}${name}:\n${items.join('')}`
}

/** The text of every key of `config`, by path, as it would be given. */
export function configTexts(config: Config): ReadonlyMap<string, string> {
  const tree: unknown = configSchema.encode(config)
  return new Map(
    CONFIG_KEYS.map((key) => {
      let value: unknown = tree
      for (const name of key.property) {
        value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
      }
      return [key.path, String(value)]
    }),
  )
}

/** The whole file for a configuration. */
export function formatConfig(config: Config): string {
  const texts = configTexts(config)
  let out = ''
  let open: readonly string[] = []
  for (const key of CONFIG_KEYS) {
    const text = texts.get(key.path) ?? key.defaultText
    if (key.noFile === true || (key.rare === true && text === key.defaultText)) continue
    const sections = key.path.split('.').slice(0, -1)
    for (const [depth, name] of sections.entries()) {
      if (open[depth] !== name) out += `${'  '.repeat(depth)}${name}:\n`
    }
    open = sections
    const indent = '  '.repeat(sections.length)
    out += `${indent}# ${key.doc}\n${valueLines(key, text, indent)}`
  }
  return out
}

/**
 * A file's text with some keys changed: the rest of it, comments and order included, stays. `changes` holds texts
 * by path; the file must have been read without problems.
 */
export function changeConfig(text: string, changes: ReadonlyMap<string, string>): string {
  if (changes.size === 0) return text
  const parsed = parseDocument(text)
  const empty = !isMap(parsed.contents)
  const document: Document = empty ? new Document({}) : parsed
  for (const [path, given] of changes) {
    const key = keyAt(path)
    if (key === undefined) throw new TypeError(`there is no key ${path}`)
    const value = key.canonical(given)
    const names = path.split('.')
    const existing: unknown = document.getIn(names, true)
    if (isScalar(existing) && key.sequence !== true) {
      const node = scalarNode(key, value)
      existing.value = node.value
      existing.type = node.type ?? 'PLAIN'
      delete existing.source
      continue
    }
    for (const depth of names.slice(1).keys()) {
      const above = names.slice(0, depth + 1)
      // A section without keys is null in the file, and nothing can be put into that.
      if (!isMap(document.getIn(above))) document.setIn(above, document.createNode({}))
    }
    document.setIn(
      names,
      key.sequence === true
        ? document.createNode(value === '' ? [] : value.split(','))
        : scalarNode(key, value),
    )
    comment(document, names, key)
  }
  const comments = empty ? text.split('\n').filter((line) => line.startsWith('#')) : []
  return [...comments, document.toString({ lineWidth: 0 })].join('\n')
}

function scalarNode(key: ConfigKey, text: string): Scalar {
  const free = key.kind === 'text' || key.kind === 'list' || key.kind === 'choice'
  // A number keeps a plain 100 plain; as a string it would get quotes.
  const value = free || key.kind === 'duration' ? text : JSON.parse(text)
  const node = new Scalar<unknown>(value)
  node.type = free && !plain(text) ? 'QUOTE_DOUBLE' : 'PLAIN'
  return node
}

function comment(document: Document, names: readonly string[], key: ConfigKey): void {
  const parent = names.length === 1 ? document.contents : document.getIn(names.slice(0, -1))
  if (!isMap(parent)) return
  const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === names.at(-1))
  if (pair !== undefined && !isNode(pair.key)) pair.key = new Scalar(pair.key)
  if (pair !== undefined && isScalar(pair.key)) pair.key.commentBefore ??= ` ${key.doc}`
}
