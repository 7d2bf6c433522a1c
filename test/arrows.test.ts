import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../src', import.meta.url))

/** Which folders of `src` a folder may import, besides itself. ARCHITECTURE.md draws the same. */
const base = ['util', 'types', 'core']
const features = [
  'p2p',
  'header',
  'store',
  'block',
  'da',
  'execution',
  'sequencer',
  'signer',
  'submission',
  'rpc',
  'telemetry',
  'config',
]
const allowed: Readonly<Record<string, readonly string[]>> = {
  util: [],
  types: ['util'],
  core: ['util', 'types'],
  ...Object.fromEntries(features.map((feature) => [feature, base])),
  sync: [...base, 'header', 'store', 'p2p'],
  light: [...base, 'header', 'store', 'p2p', 'sync'],
  node: [...base, ...features, 'sync', 'light'],
  cli: [...base, 'node', 'config', 'signer', 'rpc', 'p2p', 'execution', 'store'],
  // The door of the package.
  '.': [...base, ...features, 'sync', 'light', 'node'],
}

/** Folders that must run in browsers: Node's own modules only in files named `*.node.ts`. */
const portable = [
  'util',
  'types',
  'core',
  'header',
  'store',
  'p2p',
  'sync',
  'light',
  'submission',
  'rpc',
  'telemetry',
]

interface Import {
  readonly file: string
  readonly specifier: string
  /** Path of the imported file for imports of our own. */
  readonly target: string | undefined
}

function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sourceFiles(path)
    return entry.name.endsWith('.ts') && !/\.(test|d)\.ts$/.test(entry.name) ? [path] : []
  })
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const pattern = /(?:\bfrom|\bimport)\s*\(?\s*'([^']+)'/g
  return [...text.matchAll(pattern)].map(([, specifier = '']) => ({
    file: relative(root, file),
    specifier,
    target: specifier.startsWith('.') ? relative(root, resolve(dirname(file), specifier)) : undefined,
  }))
}

function folderOf(path: string): string {
  const [first = '', ...rest] = path.split(sep)
  return rest.length === 0 ? '.' : first
}

const files = sourceFiles(root)
const imports = files.flatMap(importsOf)
const own = imports.filter((one): one is Import & { target: string } => one.target !== undefined)

/** A cycle among files, as a readable chain, if there is one. */
function findCycle(edges: readonly (Import & { target: string })[]): string | undefined {
  const next = Map.groupBy(edges, ({ file }) => file)
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): string | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file].join(' -> ')
    if (done.has(file)) return undefined
    for (const { target } of next.get(file) ?? []) {
      const found = visit(target, [...path, file])
      if (found !== undefined) return found
    }
    done.add(file)
    return undefined
  }
  for (const file of next.keys()) {
    const found = visit(file, [])
    if (found !== undefined) return found
  }
  return undefined
}

function forbidden(edges: readonly (Import & { target: string })[]): string[] {
  return edges
    .filter(({ file, target }) => {
      const from = folderOf(file)
      const to = folderOf(target)
      return from !== to && allowed[from]?.includes(to) !== true
    })
    .map(({ file, target }) => `${file} -> ${target}`)
}

describe('arrows between folders', () => {
  test('every file was seen', () => {
    expect(files.length).toBeGreaterThan(50)
    expect(own.length).toBeGreaterThan(150)
  })

  test('every folder of src stands in the table', () => {
    expect(
      new Set(files.map((file) => folderOf(relative(root, file)))).difference(new Set(Object.keys(allowed))),
    ).toEqual(new Set())
  })

  test('imports go only where the table allows', () => {
    expect(forbidden(own)).toEqual([])
  })

  test('no file imports itself in a circle', () => {
    expect(findCycle(own)).toBeUndefined()
  })

  test('what must run in browsers reaches for Node only in *.node.ts', () => {
    const reaching = imports.filter(
      ({ file, specifier }) =>
        portable.includes(folderOf(file)) && specifier.startsWith('node:') && !file.endsWith('.node.ts'),
    )
    expect(reaching).toEqual([])
  })

  test('the checks find what they look for', () => {
    const wrong = [{ file: 'types/a.ts', specifier: '../store/b.ts', target: 'store/b.ts' }]
    expect(forbidden(wrong)).toEqual(['types/a.ts -> store/b.ts'])
    const circle = [
      { file: 'util/a.ts', specifier: './b.ts', target: 'util/b.ts' },
      { file: 'util/b.ts', specifier: './a.ts', target: 'util/a.ts' },
    ]
    expect(findCycle(circle)).toBe('util/a.ts -> util/b.ts -> util/a.ts')
  })
})
