import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { faultsOf, growKvChain, KV_GENESIS, openKvHome } from '../../test/support/kv-chain.ts'
import { collect } from '../../test/suites/kv-suite.ts'
import { addressOf, SEEDS } from '../../test/support/executed-chain.ts'
import { systemEnv } from '../core/env.ts'
import type { Kv } from '../core/kv.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createKvExecutor } from '../execution/kv-executor.ts'
import { heightKey, KEYS, METADATA, prefixRange } from '../store/keys.ts'
import { createLevelKv } from '../store/kv-level.node.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { openSnapshot } from '../store/snapshot-file.node.ts'
import { subKv } from '../store/sub-kv.ts'
import { decodeState, encodeState } from '../types/codec.ts'
import type { State } from '../types/state.ts'
import { EMPTY_BYTES, toHex, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { createPruner } from './pruner.ts'
import { exportSnapshot } from './snapshot-export.ts'
import { importSnapshot, type SnapshotImportOptions } from './snapshot-import.ts'

const { signal } = new AbortController()
const HEIGHT = 120

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'snapshot-'))
  onTestFinished(async () => await rm(path, { recursive: true, force: true }))
  return path
}

interface Source {
  readonly kv: Kv
  readonly roots: Map<number, string>
}

async function source(
  prepare: (kv: Kv) => Promise<void> = async () => undefined,
  grow: Parameters<typeof growKvChain>[2] = {},
): Promise<Source> {
  const kv = createMemoryKv()
  await kv.start()
  onTestFinished(async () => await kv.stop())
  const home = await openKvHome(kv)
  const roots = await growKvChain(home, HEIGHT, grow)
  await home.stop()
  await prepare(kv)
  return { kv, roots }
}

async function write({ kv }: Source, path: string, recent?: number) {
  const { blocks, executor, stop } = await openKvHome(kv)
  try {
    return await exportSnapshot(
      { kv, blocks, executor, genesis: KV_GENESIS, application: 'kv', env: systemEnv },
      path,
      { recent, signal },
    )
  } finally {
    await stop()
  }
}

async function read(path: string, directory: string, more: Partial<SnapshotImportOptions> = {}) {
  return await importSnapshot(
    { genesis: KV_GENESIS, executor: (kv) => createKvExecutor({ kv }), application: 'kv' },
    path,
    { directory, signal, ...more },
  )
}

async function withDatabase<T>(path: string, task: (kv: Kv) => Promise<T>): Promise<T> {
  const kv = createLevelKv({ path })
  await kv.start()
  try {
    return await task(kv)
  } finally {
    await kv.stop()
  }
}

/** Entries of the parts with these prefixes, as text. */
async function dump(kv: Kv, prefixes: readonly number[]): Promise<string[]> {
  const parts = await Promise.all(
    prefixes.map(async (prefix) => await collect(kv.range(prefixRange(Uint8Array.of(prefix))))),
  )
  return parts.flat().map(([key, value]) => `${toHex(key)}=${toHex(value)}`)
}

const CHAIN = [
  KEYS.headers,
  KEYS.headerHashes,
  KEYS.data,
  KEYS.dataHashes,
  KEYS.states,
  KEYS.headerMeta,
  KEYS.dataMeta,
]

test('all of a chain arrives, byte for byte, and goes on', async () => {
  const from = await source()
  const path = await folder()
  const { manifest, checksum } = await write(from, join(path, 'whole'))
  expect(manifest).toMatchObject({ height: HEIGHT, firstHeight: 1, firstState: 0, chainId: 'kv-chain' })
  const imported = await read(join(path, 'whole'), join(path, 'data/kv'))
  expect(imported).toEqual({ manifest, checksum })
  await withDatabase(join(path, 'data/kv'), async (kv) => {
    expect(await dump(kv, CHAIN)).toEqual(await dump(from.kv, CHAIN))
    const home = await openKvHome(kv)
    expect(await faultsOf(home, { height: HEIGHT, pruned: 0, statesPruned: 0 }, from.roots)).toEqual([])
    const roots = new Map([...from.roots, ...(await growKvChain(home, 10))])
    expect(await faultsOf(home, { height: HEIGHT + 10, pruned: 0, statesPruned: 0 }, roots)).toEqual([])
    await home.stop()
  })
  expect(await readdir(join(path, 'data'))).toEqual(['kv'])
})

test('only recent blocks arrive as if the others had been pruned', async () => {
  const from = await source()
  const path = await folder()
  await write(from, join(path, 'recent'), 20)
  await read(join(path, 'recent'), join(path, 'kv'))
  await withDatabase(join(path, 'kv'), async (kv) => {
    const home = await openKvHome(kv)
    const pruned = HEIGHT - 20
    expect(await faultsOf(home, { height: HEIGHT, pruned, statesPruned: pruned }, from.roots)).toEqual([])
    const roots = new Map([...from.roots, ...(await growKvChain(home, 5))])
    expect(await faultsOf(home, { height: HEIGHT + 5, pruned, statesPruned: pruned }, roots)).toEqual([])
    await home.stop()
  })
})

test.each(['all', 'metadata'] as const)('what was pruned with mode %s is not there', async (mode) => {
  const from = await source(async (kv) => {
    const home = await openKvHome(kv)
    const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
    const pruner = createPruner(
      { ...home, ...shared, kv, limit: async () => Infinity },
      { mode, keepRecent: 50 },
    )
    await pruner.run({ signal })
    await home.stop()
  })
  const path = await folder()
  const { manifest } = await write(from, join(path, 'file'))
  // Pruned is not final: nothing ever was on DA.
  expect(manifest.finalHeight).toBe(0)
  await read(join(path, 'file'), join(path, 'kv'))
  await withDatabase(join(path, 'kv'), async (kv) => {
    const home = await openKvHome(kv)
    const expected = { height: HEIGHT, pruned: mode === 'all' ? 70 : 0, statesPruned: 70 }
    expect(await faultsOf(home, expected, from.roots)).toEqual([])
    await home.stop()
  })
})

test('finality and what DA brought arrive, what is private stays', async () => {
  const marker = utf8('private')
  const from = await source(async (kv) => {
    const home = await openKvHome(kv)
    await home.blocks.saveInclusion(
      Array.from({ length: 90 }, (_, i) => ({
        height: i + 1,
        headerDaHeight: 2 * i + 9,
        dataDaHeight: 2 * i + 8,
      })),
    )
    await home.blocks.saveMetadata(METADATA.lastSubmittedDataHeight, uint64BigEndian(100).toReversed())
    await home.stop()
    for (const prefix of [KEYS.queue, KEYS.producer, KEYS.submitted, KEYS.da]) {
      await subKv(kv, Uint8Array.of(prefix)).batch([{ type: 'put', key: marker, value: marker }])
    }
  })
  const path = await folder()
  // Blocks that are not final come along, however few were asked for.
  expect((await write(from, join(path, 'file'), 5)).manifest).toMatchObject({
    firstHeight: 91,
    finalHeight: 90,
  })
  expect((await write(from, join(path, 'more'), 60)).manifest).toMatchObject({ firstHeight: 61 })
  await read(join(path, 'more'), join(path, 'kv'))
  await withDatabase(join(path, 'kv'), async (kv) => {
    const { blocks, stop } = await openKvHome(kv)
    expect(await blocks.daIncludedHeight()).toBe(90)
    expect(await blocks.inclusionOf(90)).toEqual({ height: 90, headerDaHeight: 187, dataDaHeight: 186 })
    expect(await blocks.metadata(METADATA.lastSubmittedDataHeight)).toBeUndefined()
    expect(await blocks.metadata(METADATA.genesisDaHeight)).toEqual(uint64BigEndian(8).toReversed())
    await stop()
    expect(await dump(kv, [KEYS.queue, KEYS.producer, KEYS.submitted])).toEqual([])
    expect(await dump(kv, [KEYS.da])).toEqual([`61${toHex(marker)}=${toHex(marker)}`])
  })
})

/** Replaces bytes of a snapshot and, if wanted, seals it anew. */
function altered(bytes: Uint8Array, change: (copy: Uint8Array) => void, sealed: boolean): Uint8Array {
  const copy = bytes.slice()
  change(copy)
  if (!sealed) return copy
  copy.set(createHash('sha256').update(copy.subarray(0, -32)).digest(), copy.length - 32)
  return copy
}

test.each<[string, (bytes: Uint8Array) => Uint8Array, string]>([
  ['cut off', (bytes) => bytes.subarray(0, -1), 'SNAPSHOT_DAMAGED'],
  ['cut off early', (bytes) => bytes.subarray(0, 40), 'SNAPSHOT_DAMAGED'],
  ['empty', () => new Uint8Array(0), 'NOT_A_SNAPSHOT'],
  ['something else', () => utf8('{"a":"b","c":"dddddddddddddddddddddddddddddddddddd"}'), 'NOT_A_SNAPSHOT'],
  [
    'with a bit turned',
    (bytes) => altered(bytes, (b) => (b[900] = (b[900] ?? 0) ^ 4), false),
    'SNAPSHOT_DAMAGED',
  ],
  [
    'with a bit turned, sealed anew',
    (bytes) => altered(bytes, (b) => (b[900] = (b[900] ?? 0) ^ 4), true),
    'SNAPSHOT_DAMAGED',
  ],
  ['of a later format', (bytes) => altered(bytes, (b) => (b[9] = 2), true), 'SNAPSHOT_VERSION'],
])('one that is %s is refused and leaves nothing', async (_name, change, code) => {
  const from = await source()
  const path = await folder()
  await write(from, join(path, 'good'))
  await writeFile(join(path, 'bad'), change(new Uint8Array(await readFile(join(path, 'good')))))
  await expect(read(join(path, 'bad'), join(path, 'data/kv'))).rejects.toMatchObject({ code })
  const left = await readdir(path)
  expect(left.includes('data') ? await readdir(join(path, 'data')) : []).toEqual([])
})

test('any single byte that was altered is found', async () => {
  const from = await source()
  const path = await folder()
  await write(from, join(path, 'good'))
  const bytes = new Uint8Array(await readFile(join(path, 'good')))
  for (let at = 0; at < bytes.length; at += 97) {
    await writeFile(
      join(path, 'bad'),
      altered(bytes, (b) => (b[at] = (b[at] ?? 0) ^ 1), false),
    )
    const code: unknown = expect.stringMatching(/^(?:SNAPSHOT_|NOT_A_SNAPSHOT)/)
    await expect(read(join(path, 'bad'), join(path, 'kv'))).rejects.toMatchObject({ code })
  }
  expect(await readdir(path)).toEqual(expect.not.arrayContaining(['kv', 'kv.importing']))
})

/** Exports a database that somebody meddled with, by their own program: the checksum is right. */
async function meddled(change: (kv: Kv) => Promise<void>): Promise<{ path: string; file: string }> {
  const from = await source()
  const path = await folder()
  const home = await openKvHome(from.kv)
  await change(from.kv)
  await exportSnapshot(
    { ...home, kv: from.kv, genesis: KV_GENESIS, application: 'kv', env: systemEnv },
    join(path, 'file'),
    { signal },
  )
  await home.stop()
  return { path, file: join(path, 'file') }
}

test('entries of the application that the signed header does not name are found, whatever else fits', async () => {
  const { path, file } = await meddled(async (kv) => {
    const application = subKv(kv, Uint8Array.of(KEYS.executor))
    await application.batch([{ type: 'put', key: utf8('ekey1'), value: utf8('a million') }])
  })
  await expect(read(file, join(path, 'kv'))).rejects.toMatchObject({
    code: 'SNAPSHOT_DAMAGED',
    message: expect.stringContaining('state before block 120'),
  })
  expect(await readdir(path)).toEqual(['file'])
})

test.each([HEIGHT, HEIGHT - 1])(
  'a state of height %i that names its own next proposer or time is found, also below a trusted hash',
  async (height) => {
    const wrong: Partial<State>[] = [
      { nextProposerAddress: addressOf(SEEDS.stranger) },
      { lastBlockTime: KV_GENESIS.startTime },
    ]
    for (const change of wrong) {
      const { path, file } = await meddled(async (kv) => {
        const key = heightKey(KEYS.states, height)
        const state = decodeState((await kv.get(key)) ?? EMPTY_BYTES)
        await kv.batch([{ type: 'put', key, value: encodeState({ ...state, ...change }) }])
      })
      const trustedHash = (await openSnapshot(file)).manifest.headerHash
      await expect(read(file, join(path, 'kv'), { trustedHash })).rejects.toMatchObject({
        code: 'SNAPSHOT_DAMAGED',
      })
      expect(await readdir(path)).toEqual(['file'])
    }
  },
)

test('one without a body is refused', async () => {
  const from = await source()
  const path = await folder()
  await write(from, join(path, 'good'))
  const { bodyAt } = await openSnapshot(join(path, 'good'))
  const bytes = new Uint8Array(await readFile(join(path, 'good'))).slice(0, bodyAt + 32)
  await writeFile(
    join(path, 'bad'),
    altered(bytes, () => undefined, true),
  )
  await expect(read(join(path, 'bad'), join(path, 'kv'))).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' })
})

test('another chain, another application, another proposer, another hash are told apart', async () => {
  const path = await folder()
  const from = await source()
  await write(from, join(path, 'file'))
  const into = { directory: join(path, 'kv'), signal }
  const deps = { genesis: KV_GENESIS, executor: (kv: Kv) => createKvExecutor({ kv }), application: 'kv' }
  const file = join(path, 'file')
  const other = { ...KV_GENESIS, chainId: 'other' }
  await expect(importSnapshot({ ...deps, genesis: other }, file, into)).rejects.toMatchObject({
    code: 'SNAPSHOT_OTHER_CHAIN',
  })
  await expect(importSnapshot({ ...deps, application: 'testapp' }, file, into)).rejects.toMatchObject({
    code: 'SNAPSHOT_OTHER_CHAIN',
  })
  const later = { ...KV_GENESIS, startTime: KV_GENESIS.startTime + 1n }
  await expect(importSnapshot({ ...deps, genesis: later }, file, into)).rejects.toMatchObject({
    code: 'SNAPSHOT_DAMAGED',
  })
  await expect(read(file, into.directory, { trustedHash: new Uint8Array(32) })).rejects.toMatchObject({
    code: 'SNAPSHOT_UNTRUSTED',
  })
  const foreign = await source(undefined, { seed: SEEDS.stranger })
  await write(foreign, join(path, 'foreign'))
  await expect(read(join(path, 'foreign'), into.directory)).rejects.toMatchObject({
    code: 'SNAPSHOT_UNTRUSTED',
  })
  expect((await readdir(path)).toSorted()).toEqual(['file', 'foreign'])
  const { manifest } = await openSnapshot(join(path, 'foreign'))
  await read(join(path, 'foreign'), into.directory, { trustedHash: manifest.headerHash })
  // Once there is something, it is not touched.
  await expect(read(file, into.directory)).rejects.toMatchObject({ code: 'HOME_NOT_EMPTY' })
})

test('an import that is broken off leaves nothing, and what a killed one left does not matter', async () => {
  const path = await folder()
  const from = await source()
  await write(from, join(path, 'file'))
  const stop = new AbortController()
  await expect(
    read(join(path, 'file'), join(path, 'kv'), { signal: stop.signal, onProgress: () => stop.abort() }),
  ).rejects.toThrow(/abort/i)
  expect(await readdir(path)).toEqual(['file'])
  await withDatabase(join(path, 'kv.importing'), async (kv) => {
    await kv.batch([{ type: 'put', key: Uint8Array.of(KEYS.queue, 1), value: utf8('left') }])
    await expect(read(join(path, 'file'), join(path, 'kv'))).rejects.toMatchObject({ code: 'STORE_LOCKED' })
  })
  await read(join(path, 'file'), join(path, 'kv'))
  await withDatabase(join(path, 'kv'), async (kv) => {
    expect(await dump(kv, [KEYS.queue])).toEqual([])
  })
})

test('a file that is there is not written over, and one that cannot be written is named', async () => {
  const path = await folder()
  const from = await source()
  await writeFile(join(path, 'file'), 'precious')
  await expect(write(from, join(path, 'file'))).rejects.toMatchObject({ code: 'USAGE' })
  expect(await readFile(join(path, 'file'), 'utf8')).toBe('precious')
  await expect(write(from, join(path, 'no/such/folder'))).rejects.toMatchObject({ code: 'USAGE' })
  expect(await readdir(path)).toEqual(['file'])
})
