import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { decodeP2PData, decodeState } from '../src/types/codec.ts'
import { parseGenesis } from '../src/types/genesis.ts'
import { fromHex } from '../src/util/bytes.ts'
import { checkSection, checkVectors, SECTION_NAMES } from './vectors/check.ts'
import { type Leaf, leavesOf, mutationsOf, replaceAt } from './vectors/mutations.ts'
import { textOf } from './vectors/read.ts'

const path = fileURLToPath(new URL('vectors/vectors.json', import.meta.url))
/** Some time after the vectors were made. */
const now = 1_800_000_000_000_000_000n

function readVectors(): Record<string, unknown> {
  const file: unknown = JSON.parse(readFileSync(path, 'utf8'))
  if (typeof file !== 'object' || file === null) throw new Error('no vectors')
  return { ...file }
}

function stateWith(hex: unknown, open: object): string {
  return textOf({ ...decodeState(fromHex(String(hex)) ?? new Uint8Array(0)), ...open })
}

function kindOfCase(leaf: Leaf, file: Record<string, unknown>): unknown {
  const cases = file[leaf.section]
  const found: unknown = Array.isArray(cases) ? cases[leaf.only ?? -1] : undefined
  return typeof found === 'object' && found !== null ? Reflect.get(found, 'error') : undefined
}

/** Changes that no check can see, and why. */
const INVISIBLE: readonly {
  readonly pattern: RegExp
  readonly reason: string
  readonly applies?: (leaf: Leaf, changed: string, file: Record<string, unknown>) => boolean
}[] = [
  { pattern: /^about$/, reason: 'free text' },
  { pattern: /^seed$/, reason: 'where the random values come from, which are in the file themselves' },
  { pattern: /^\w+\[\]\.name$/, reason: 'names of cases are free' },
  {
    pattern: /^genesis_json$/,
    reason: 'nothing else in the file says when the chain starts, or how it uses DA',
    applies: (leaf, changed) => {
      const free = { startTime: 0, daStartHeight: 0, daEpochForcedInclusion: 0 }
      return (
        textOf({ ...parseGenesis(String(leaf.value)), ...free }) ===
        textOf({ ...parseGenesis(changed), ...free })
      )
    },
  },
  {
    pattern: /^state_checks\[\]\.state$/,
    reason: 'nothing else in the file says at which DA height a state is',
    applies: (leaf, changed) =>
      stateWith(leaf.value, { daHeight: 0 }) === stateWith(changed, { daHeight: 0 }),
  },
  {
    pattern: /^state_checks\[\]\.state$/,
    reason: 'a proposer that nobody expects is wrong in any case',
    applies: (leaf, changed, file) => {
      const open = { nextProposerAddress: new Uint8Array(0) }
      return (
        kindOfCase(leaf, file) === 'unexpected-proposer' &&
        stateWith(leaf.value, open) === stateWith(changed, open)
      )
    },
  },
  {
    pattern: /^state_checks\[\]\.p2p_data$/,
    reason: 'the transactions that were tampered with are wrong in any case',
    applies: (leaf, changed, file) => {
      const metadata = (hex: unknown): string =>
        textOf(decodeP2PData(fromHex(String(hex)) ?? new Uint8Array(0)).metadata)
      return kindOfCase(leaf, file) === 'data-hash-mismatch' && metadata(leaf.value) === metadata(changed)
    },
  },
]

describe('golden vectors', () => {
  test('everything in the file is as it says, and every section checks something', async () => {
    const file = readVectors()
    for (const section of SECTION_NAMES) {
      const { passed, mismatches } = await checkSection(file, section, { now })
      expect(mismatches).toEqual([])
      expect({ section, checked: passed > 0 }).toEqual({ section, checked: true })
    }
  })

  test('a section that is missing, empty, of another type or unknown fails', async () => {
    const whole = readVectors()
    for (const section of SECTION_NAMES) {
      const { [section]: _, ...without } = whole
      for (const file of [
        without,
        { ...whole, [section]: [] },
        { ...whole, [section]: {} },
        { ...whole, [section]: null },
        { ...whole, [section]: '' },
      ]) {
        const { mismatches } = await checkSection(file, section, { now })
        expect({ section, failed: mismatches.length > 0 }).toEqual({ section, failed: true })
      }
    }
    const { mismatches } = await checkVectors({ surprise: [1] }, { now })
    expect(mismatches.map(({ section }) => section)).toEqual([...SECTION_NAMES, 'surprise'])
  })

  test('a field that is missing, renamed or unknown fails', async () => {
    const file = readVectors()
    const patterns = new Set<string>()
    for (const { section, path: at, pattern, only } of leavesOf(file)) {
      const key = at.at(-1)
      if (at.length < 2 || typeof key !== 'string' || patterns.has(pattern)) continue
      patterns.add(pattern)
      const parentPath = at.slice(0, -1)
      const parent: unknown = at.slice(0, -1).reduce<unknown>((place, step) => {
        return typeof place === 'object' && place !== null ? Reflect.get(place, step) : undefined
      }, file)
      if (typeof parent !== 'object' || parent === null) throw new Error(`no parent of ${pattern}`)
      const { [key]: value, ...rest }: Record<string, unknown> = { ...parent }
      const options = only === undefined ? { now } : { now, only }
      for (const changed of [rest, { ...rest, [`${key}_x`]: value }, { ...parent, extra: 1 }]) {
        replaceAt(file, parentPath, changed)
        const { mismatches } = await checkSection(file, section, options)
        replaceAt(file, parentPath, parent)
        if (/^\w+\[\]\.name$/.test(pattern) && !('extra' in changed)) continue
        const fields = Object.keys(changed).join()
        expect({ pattern, fields, failed: mismatches.length > 0 }).toEqual({ pattern, fields, failed: true })
      }
    }
    expect(patterns.size).toBeGreaterThan(60)
  })
})

/** Texts that take long to check are changed at fewer places. */
function spotsOf(leaf: Leaf, first: boolean): number {
  if (leaf.section === 'signer_files') return first ? 2 : 0
  if (leaf.section === 'blob_commitments') return first ? 4 : 1
  // Every case is about something else.
  if (leaf.section === 'state_checks') return 100
  return first ? 60 : 2
}

test('every changed value is seen', { timeout: 60_000 }, async () => {
  const file = readVectors()
  const seen = new Map<string, number>()
  const used = new Set<string>()
  const missed: string[] = []
  for (const leaf of leavesOf(file)) {
    const before = seen.get(leaf.pattern) ?? 0
    seen.set(leaf.pattern, before + 1)
    // Lists of many like values within one case: their first dozen will do.
    if (leaf.pattern.endsWith('[]') && before >= 12) continue
    const options = leaf.only === undefined ? { now } : { now, only: leaf.only }
    for (const changed of mutationsOf(leaf.value, spotsOf(leaf, before === 0))) {
      replaceAt(file, leaf.path, changed)
      const { mismatches } = await checkSection(file, leaf.section, options)
      replaceAt(file, leaf.path, leaf.value)
      if (mismatches.length > 0) continue
      const known = INVISIBLE.find(
        ({ pattern, applies }) =>
          pattern.test(leaf.pattern) && applies?.(leaf, String(changed), file) !== false,
      )
      if (known === undefined) missed.push(`${leaf.path.join('.')}: ${String(changed).slice(0, 200)}`)
      else used.add(known.reason)
    }
  }
  expect(missed).toEqual([])
  expect(used).toEqual(new Set(INVISIBLE.map(({ reason }) => reason)))
  expect(seen.size).toBeGreaterThan(90)
})

describe('npm run vectors', () => {
  const run = (file: string): { status: number | null; stdout: string; stderr: string } => {
    const script = fileURLToPath(new URL('../scripts/vectors.ts', import.meta.url))
    return spawnSync(process.execPath, ['--conditions=evolve-source', script, file], { encoding: 'utf8' })
  }

  test('says what it found and ends with fitting exit codes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'evolve-vectors-'))
    try {
      const good = run(path)
      expect(good.stderr).toBe('')
      expect(good.stdout).toMatch(/^\d+ passed, 0 failed\n$/)
      expect(good.status).toBe(0)

      const file = readVectors()
      replaceAt(file, ['headers', 0, 'app_hash'], '00')
      writeFileSync(join(folder, 'changed.json'), JSON.stringify(file))
      const bad = run(join(folder, 'changed.json'))
      expect(bad.stdout).toMatch(/^FAILED headers \/ 0 \S+ \/ binary: expected .+, got .+$/m)
      expect(bad.stdout).toMatch(/\n\d+ passed, [1-9]\d* failed\n$/)
      expect(bad.status).toBe(1)

      writeFileSync(join(folder, 'cut.json'), '{"headers": [')
      const cut = run(join(folder, 'cut.json'))
      expect(cut.stderr).toContain('cut.json')
      expect(cut.status).toBe(2)
      expect(run(join(folder, 'nowhere.json')).status).toBe(2)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
