import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createFaultyKv } from '../../test/support/faulty-kv.ts'
import { createPowerKv, type PowerKv } from '../../test/support/power-kv.ts'
import { makeSaves } from '../../test/suites/block-saves.ts'
import { type Env, systemEnv } from '../core/env.ts'
import type { Kv } from '../core/kv.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { sha256 } from '../util/crypto.node.ts'
import { uint64BigEndian, utf8 } from '../util/bytes.ts'
import { createBlockStore, type KvBlockStore } from './block-store.ts'
import { heightKey, KEYS, METADATA, prefixRange } from './keys.ts'
import { createMemoryKv } from './kv-memory.ts'
import { createTxIndex, type KvTxIndex } from './tx-index.ts'
import { txIndexRemovals } from './tx-keys.ts'

const signal = new AbortController().signal
const INITIAL = 3

type Txs = readonly string[]

/** Blocks of a chain with these transactions. */
function savesOf(blocks: readonly Txs[]): ReturnType<typeof makeSaves> {
  return makeSaves({
    count: blocks.length,
    initialHeight: INITIAL,
    txsAt: (height) => (blocks[height - INITIAL] ?? []).map((text) => utf8(text)),
  })
}

interface Rig {
  readonly kv: Kv
  readonly store: KvBlockStore
  readonly index: KvTxIndex
}

async function rigOver(kv: Kv, options: { behind?: () => boolean; logger?: Logger } = {}): Promise<Rig> {
  const store = createBlockStore({ kv })
  await store.start()
  const { logger = noopLogger, ...rest } = options
  const index = createTxIndex({ kv, blocks: store, env: systemEnv, logger, metrics: noopMetrics, ...rest })
  await index.start()
  onTestFinished(async () => await index.stop())
  return { kv, store, index }
}

async function rig(blocks: readonly Txs[], options: { behind?: () => boolean } = {}): Promise<Rig> {
  const kv = createMemoryKv()
  await kv.start()
  const made = await rigOver(kv, options)
  await fill(made, blocks)
  return made
}

async function fill({ store, index }: Rig, blocks: readonly Txs[]): Promise<void> {
  const { initial, saves } = savesOf(blocks)
  if ((await store.height()) === 0) await store.saveState(initial)
  const fresh = saves.slice(Math.max(0, (await store.height()) - INITIAL + 1))
  for (const save of fresh) {
    await store.saveBlocks([save])
    index.applied({ height: save.state.lastBlockHeight, txs: save.data.txs.length })
  }
}

/** Where each transaction is first, by going through all blocks. */
function placesOf(blocks: readonly Txs[], from = 0): Map<string, { height: number; index: number }> {
  const places = new Map<string, { height: number; index: number }>()
  for (const [at, txs] of blocks.entries()) {
    if (at < from) continue
    for (const [index, text] of txs.entries()) {
      if (!places.has(text)) places.set(text, { height: at + INITIAL, index })
    }
  }
  return places
}

async function entries(kv: Kv): Promise<number> {
  let count = 0
  for await (const _ of kv.keys(prefixRange(Uint8Array.of(KEYS.transactions)))) count++
  return count
}

async function find({ index }: Pick<Rig, 'index'>, text: string): Promise<unknown> {
  return await index.find(sha256(utf8(text)))
}

describe('finding', () => {
  test('a transaction in several blocks is found in the first, at its place', async () => {
    const made = await rig([[], ['a', 'b'], ['b', 'c', 'b'], [], ['d', 'a']])
    await made.index.caughtUp({ signal })
    expect(made.index.height).toBe(7)
    expect(await find(made, 'a')).toEqual({ height: 4, index: 0 })
    expect(await find(made, 'b')).toEqual({ height: 4, index: 1 })
    expect(await find(made, 'c')).toEqual({ height: 5, index: 1 })
    expect(await find(made, 'd')).toEqual({ height: 7, index: 0 })
    expect(await find(made, 'e')).toBeUndefined()
  })

  test('what is no hash of a transaction is found nowhere, also when its first half is one', async () => {
    const made = await rig([['a']])
    await made.index.caughtUp({ signal })
    const hash = sha256(utf8('a'))
    expect(await made.index.find(hash)).toEqual({ height: 3, index: 0 })
    expect(await made.index.find(hash.slice(0, 16))).toBeUndefined()
    expect(await made.index.find(new Uint8Array(0))).toBeUndefined()
    expect(await made.index.find(Uint8Array.from([...hash.slice(0, 31), 0]))).toBeUndefined()
  })

  test('pruned blocks are passed over, with their entries or without', async () => {
    const blocks = [['a', 'b'], ['a'], ['b', 'a']]
    const made = await rig(blocks)
    await made.index.caughtUp({ signal })
    await made.store.saveMetadata(METADATA.lastPrunedBlockHeight, uint64BigEndian(3).toReversed())
    await made.kv.batch([{ type: 'del', key: heightKey(KEYS.data, 3) }])
    expect(await find(made, 'a')).toEqual({ height: 4, index: 0 })
    expect(await find(made, 'b')).toEqual({ height: 5, index: 0 })
    const before = await entries(made.kv)
    await made.kv.batch(txIndexRemovals(3, [utf8('a'), utf8('b')]))
    expect(before - (await entries(made.kv))).toBe(2)
    expect(await find(made, 'a')).toEqual({ height: 4, index: 0 })
  })

  test('blocks that were pruned before they were indexed, and one that cannot be read, hold nothing up', async () => {
    const kv = createMemoryKv()
    await kv.start()
    const store = createBlockStore({ kv })
    await store.start()
    const { initial, saves } = savesOf([['a'], ['b'], ['c'], ['d'], ['e']])
    await store.saveState(initial)
    await store.saveBlocks(saves)
    await store.saveMetadata(METADATA.lastPrunedBlockHeight, uint64BigEndian(4).toReversed())
    for (const height of [3, 4]) await kv.batch([{ type: 'del', key: heightKey(KEYS.data, height) }])
    await kv.batch([{ type: 'put', key: heightKey(KEYS.data, 6), value: utf8('no data') }])
    const warnings: unknown[] = []
    const logger: Logger = {
      ...noopLogger,
      warn: (message, fields) => warnings.push([message, fields?.['height']]),
      child: () => logger,
    }
    const made = await rigOver(kv, { logger })
    await made.index.caughtUp({ signal })
    expect(await find(made, 'a')).toBeUndefined()
    expect(await find(made, 'c')).toEqual({ height: 5, index: 0 })
    expect(await find(made, 'e')).toEqual({ height: 7, index: 0 })
    expect(warnings).toEqual([['transactions of a block that cannot be read are not indexed', 6]])
  })
})

describe('walking', () => {
  test('blocks of more transactions than a batch holds are indexed whole', async () => {
    const many = Array.from({ length: 5_000 }, (_, index) => `tx ${index}`)
    const made = await rig([many, ['last']])
    await made.index.caughtUp({ signal })
    expect(await entries(made.kv)).toBe(5_001)
    for (const index of [0, 1_023, 1_024, 4_999]) {
      expect(await find(made, `tx ${index}`)).toEqual({ height: 3, index })
    }
    expect(await find(made, 'last')).toEqual({ height: 4, index: 0 })
  })

  test('it goes on while the node is behind', async () => {
    const made = await rig([['a'], ['b']], { behind: () => true })
    await made.index.caughtUp({ signal })
    expect(await find(made, 'b')).toEqual({ height: 4, index: 0 })
  })

  test('blocks without transactions are not read when somebody says that they have none', async () => {
    const kv = createMemoryKv()
    await kv.start()
    let read = 0
    const counted: Kv = {
      ...kv,
      range(range) {
        if (range.gte[0] === KEYS.data) read++
        return kv.range(range)
      },
    }
    const store = createBlockStore({ kv })
    await store.start()
    // It sees no block before it is told of it.
    let told = INITIAL - 1
    const blocks = { ...store, height: async () => told }
    const deps = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
    const index = createTxIndex({ kv: counted, blocks, ...deps })
    await index.start()
    onTestFinished(async () => await index.stop())
    const applied: KvTxIndex['applied'] = (block) => {
      told = block.height
      index.applied(block)
    }
    await fill({ kv, store, index: { ...index, applied } }, [['a'], ...Array.from({ length: 40 }, () => [])])
    await index.caughtUp({ signal })
    expect(index.height).toBe(43)
    // Below the first block, and the only block with a transaction.
    expect(read).toBe(2)
    await index.stop()
    await index.start()
    expect(index.height).toBe(43)
  })

  test('after a restart it goes on, also without having been told of the blocks', async () => {
    const blocks = [['a'], ['b'], ['c']]
    const made = await rig(blocks.slice(0, 1))
    await made.index.caughtUp({ signal })
    await made.index.stop()
    await fill(made, blocks)
    await made.index.start()
    await made.index.caughtUp({ signal })
    expect(await find(made, 'c')).toEqual({ height: 5, index: 0 })
  })

  test('after a rollback the other blocks are indexed, and what is gone is not found', async () => {
    const blocks = [['a'], ['b'], ['c'], ['d']]
    const made = await rig(blocks)
    await made.index.caughtUp({ signal })
    await made.index.stop()
    await made.store.truncate(4)
    expect(await entries(made.kv)).toBe(2)
    // The chain outgrows its former height before the index sees it.
    await fill(made, [['a'], ['b'], ['x'], ['y'], ['c']])
    await made.index.start()
    await made.index.caughtUp({ signal })
    expect(await find(made, 'x')).toEqual({ height: 5, index: 0 })
    expect(await find(made, 'c')).toEqual({ height: 7, index: 0 })
    expect(await find(made, 'd')).toBeUndefined()
  })

  test('while the disk does not write nothing is lost', async () => {
    const inner = createMemoryKv()
    await inner.start()
    const kv = createFaultyKv(inner)
    const store = createBlockStore({ kv: inner })
    await store.start()
    let failures = 0
    kv.fail = () => (failures++ < 1 ? 'before' : undefined)
    const env: Env = { ...systemEnv, timer: (_ms, fire) => systemEnv.timer(0, fire) }
    const index = createTxIndex({ kv, blocks: store, env, logger: noopLogger, metrics: noopMetrics })
    await index.start()
    onTestFinished(async () => await index.stop())
    await fill({ kv, store, index }, [['a'], ['b']])
    await index.caughtUp({ signal })
    expect(failures).toBeGreaterThan(1)
    expect(await find({ index }, 'a')).toEqual({ height: 3, index: 0 })
    expect(await find({ index }, 'b')).toEqual({ height: 4, index: 0 })
  })

  test('whoever waits for it can give up', async () => {
    const made = await rig([['a']])
    await made.index.stop()
    await fill(made, [['a'], ['b']])
    const gone = new AbortController()
    const waiting = made.index.caughtUp({ signal: gone.signal })
    gone.abort(new Error('no longer'))
    await expect(waiting).rejects.toThrow('no longer')
  })
})

/** What can happen to a chain and its index. */
type Step =
  | { readonly type: 'blocks'; readonly blocks: readonly Txs[] }
  | { readonly type: 'restart' }
  | { readonly type: 'power cut' }
  | { readonly type: 'rollback'; readonly by: number }

const txs = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { maxLength: 4 })
const steps = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('blocks' as const),
        blocks: fc.array(txs, { minLength: 1, maxLength: 5 }),
      }),
    },
    fc.record({ type: fc.constant('restart' as const) }),
    fc.record({ type: fc.constant('power cut' as const) }),
    fc.record({ type: fc.constant('rollback' as const), by: fc.nat(4) }),
  ),
  { maxLength: 12 },
)

describe('any chain', () => {
  test('finds what going through all blocks finds, whatever was cut off or rolled back between', async () => {
    await fc.assert(
      fc.asyncProperty(steps, async (plan: readonly Step[]) => {
        let kv: PowerKv = createPowerKv()
        await kv.start()
        let made = await rigOver(kv)
        let blocks: Txs[] = []
        for (const step of plan) {
          if (step.type === 'blocks') {
            blocks = [...blocks, ...step.blocks]
            await fill(made, blocks)
            continue
          }
          if (step.type === 'power cut') {
            // Nothing is stopped: it is cut off in the middle of what it does.
            const left = await kv.afterPowerCut()
            await made.index.stop()
            kv = left
            made = await rigOver(kv)
            continue
          }
          await made.index.stop()
          if (step.type === 'rollback' && blocks.length > 0) {
            blocks = blocks.slice(0, Math.max(0, blocks.length - step.by))
            await made.store.truncate(INITIAL - 1 + blocks.length)
          }
          await made.index.start()
        }
        await made.index.caughtUp({ signal })
        const places = placesOf(blocks)
        for (const text of ['a', 'b', 'c', 'd', 'e', 'f'])
          expect(await find(made, text)).toEqual(places.get(text))
        expect(await entries(kv)).toBe(blocks.flat().length)
        await made.index.stop()
      }),
      { numRuns: 60 },
    )
  })
})
