import { describe, expect, test } from 'vitest'
import {
  eventOf,
  type ExecutedChain,
  forge,
  makeExecutedChain,
  SEEDS,
} from '../../../test/support/executed-chain.ts'
import { type FollowerRig, type RigOptions, startRig } from '../../../test/support/follower-rig.ts'
import type { HeaderStore } from '../../core/header.ts'
import type { Block } from '../../core/block-store.ts'
import type { BlockSink, BlockSource, HeightEvent } from '../../core/block-source.ts'
import { createHeaderStore } from '../../header/store/kv-store.ts'
import { KEYS } from '../../store/keys.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { dataKind, headerKind } from '../../sync/kinds.ts'
import type { P2PData } from '../../types/data.ts'
import { headerHash, type P2PSignedHeader } from '../../types/header.ts'
import { createP2PSource, type P2PSourceOptions } from './p2p-source.ts'

interface SourceRig extends FollowerRig {
  readonly source: BlockSource
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  readonly evicted: readonly number[]
  /** Puts blocks into both stores. */
  arrive(...blocks: readonly Block[]): Promise<void>
  /** Called before and after a height is evicted. */
  beforeEvict: (() => Promise<void>) | undefined
  onEvict: ((height: number) => Promise<void>) | undefined
  close(): Promise<void>
}

/** A follower with a source over real header and data stores in the same database. */
async function startSource(
  chain: ExecutedChain,
  options: P2PSourceOptions & { readonly before?: readonly Block[]; readonly rig?: RigOptions } = {},
): Promise<SourceRig> {
  const disk = options.rig?.disk ?? createMemoryKv()
  const rig = await startRig(chain, { ...options.rig, disk })
  const { logger } = rig.recorder
  const headers = createHeaderStore(
    { kv: disk, kind: headerKind, logger },
    { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta } },
  )
  const data = createHeaderStore(
    { kv: disk, kind: dataKind, logger },
    { prefixes: { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta } },
  )
  await headers.start()
  await data.start()
  const evicted: number[] = []
  const source = createP2PSource(
    {
      headers,
      data,
      sink: rig.follower,
      env: rig.time.env,
      logger,
      async evict(height) {
        evicted.push(height)
        await whole.beforeEvict?.()
        await headers.truncate(height - 1)
        await data.truncate(height - 1)
        await whole.onEvict?.(height)
      },
    },
    options,
  )
  const whole: SourceRig = {
    ...rig,
    get failure() {
      return rig.failure
    },
    source,
    headers,
    data,
    evicted,
    beforeEvict: undefined,
    onEvict: undefined,
    async arrive(...blocks: readonly Block[]) {
      await headers.append(blocks.map(({ header }) => header))
      await data.append(blocks.map((block) => block.data))
      await rig.time.settle()
    },
    async close() {
      await source.stop()
      await headers.stop()
      await data.stop()
      await rig.stop()
    },
  }
  if (options.before !== undefined) await whole.arrive(...options.before)
  await source.start()
  await rig.time.settle()
  return whole
}

/** Notes of each saved block whether it was said to be stored. */
function noteSaves(saves: boolean[]): (rig: FollowerRig) => void {
  return ({ blockStore }) => {
    const saveBlocks = blockStore.saveBlocks.bind(blockStore)
    blockStore.saveBlocks = async (blocks) => {
      saves.push(...blocks.map(({ stored }) => stored))
      await saveBlocks(blocks)
    }
  }
}

describe('blocks from the stores that peers fill', () => {
  test('all that is there, then each as soon as both halves are', async () => {
    const chain = makeExecutedChain({ count: 400 })
    const rig = await startSource(chain, { before: chain.blocks.slice(0, 390) })
    expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 390 })
    await rig.headers.append([chain.at(391).header])
    await rig.time.settle()
    expect(rig.follower.nextHeight).toBe(391)
    await rig.data.append([chain.at(391).data])
    await rig.time.settle()
    expect(rig.follower.nextHeight).toBe(392)
    await rig.headers.append(chain.blocks.slice(391).map(({ header }) => header))
    await rig.data.append(chain.blocks.slice(391, 395).map(({ data }) => data))
    await rig.time.settle()
    expect(rig.follower.nextHeight).toBe(396)
    await rig.data.append(chain.blocks.slice(395).map(({ data }) => data))
    await rig.time.settle()
    expect(rig.follower.status()).toMatchObject({ height: 400, stateRoot: chain.root(400) })
    expect(rig.executor.executed).toHaveLength(400)
    expect(rig.time.timers).toBe(0)
    await rig.close()
  })

  test('what lies in the stores is not written again, and its signature not checked again', async () => {
    const chain = makeExecutedChain({ count: 3 })
    const saves: boolean[] = []
    const rig = await startSource(chain, { rig: { prepare: noteSaves(saves) } })
    const [first] = chain.blocks
    if (first === undefined) throw new Error('no block')
    const unsigned = { ...first, header: { ...first.header, signature: new Uint8Array(64) } }
    await rig.arrive(unsigned, chain.at(2), chain.at(3))
    expect(saves).toEqual([true, true, true])
    expect(rig.follower.status().height).toBe(3)
    await rig.close()
  })

  test('unless the stores do not vouch for signatures', async () => {
    const chain = makeExecutedChain({ count: 1 })
    const rig = await startSource(chain, { proven: false })
    const block = chain.at(1)
    await rig.arrive({ ...block, header: { ...block.header, signature: new Uint8Array(64) } })
    expect(rig.evicted).toEqual([1])
    await rig.time.advance(100)
    await rig.arrive(block)
    expect(rig.follower.status().height).toBe(1)
    await rig.close()
  })

  test('a wrong block is evicted with all above it and asked again, more and more slowly', async () => {
    const chain = makeExecutedChain({ count: 7 })
    const rig = await startSource(chain)
    const at: number[] = []
    const { header, data } = chain.at(3)
    const wrong: Block = { header: forge(header, {}, SEEDS.stranger), data }
    rig.onEvict = async () => {
      at.push(rig.time.env.monotonic())
      // The peers have nothing better yet.
      if (at.length < 5) {
        await rig.headers.append([wrong.header])
        await rig.data.append([wrong.data])
      }
    }
    await rig.arrive(chain.at(1), chain.at(2), wrong)
    await rig.time.advance(60_000)
    expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 2 })
    expect(rig.evicted).toEqual([3, 3, 3, 3, 3])
    expect(at.slice(1).map((now, index) => now - (at[index] ?? 0))).toEqual([100, 200, 400, 800])
    await rig.arrive(...chain.blocks.slice(2, 6))
    await rig.time.advance(10_000)
    expect(rig.follower.status()).toMatchObject({ height: 6, stateRoot: chain.root(6) })
    expect(await rig.blockStore.block(4)).toMatchObject(chain.at(4))
    // Progress makes it patient again.
    const { header: last, data: lastData } = chain.at(7)
    await rig.arrive({ header: forge(last, {}, SEEDS.stranger), data: lastData })
    expect(rig.evicted).toEqual([3, 3, 3, 3, 3, 7])
    await rig.time.advance(99)
    await rig.arrive(chain.at(7))
    expect(rig.follower.status().height).toBe(6)
    await rig.time.advance(1)
    expect(rig.follower.status().height).toBe(7)
    await rig.close()
  })

  test('while a block is evicted, nothing is read, however long that takes', async () => {
    const chain = makeExecutedChain({ count: 50 })
    const rig = await startSource(chain, { window: 1, lead: 1_000, rig: { queueLimit: 1_000 } })
    const gate = Promise.withResolvers<void>()
    rig.beforeEvict = async () => await gate.promise
    let reads = 0
    const range = rig.headers.range.bind(rig.headers)
    rig.headers.range = async (from, to) => {
      reads++
      return await range(from, to)
    }
    const { header, data } = chain.at(1)
    await rig.arrive({ header: forge(header, {}, SEEDS.stranger), data }, ...chain.blocks.slice(1))
    await rig.time.advance(600_000)
    expect(reads).toBeLessThan(10)
    gate.resolve()
    await rig.time.settle()
    await rig.arrive(...chain.blocks)
    await rig.time.advance(100)
    expect(rig.follower.status().height).toBe(50)
    await rig.close()
  })

  test('stored data with a wrong link to the data below is evicted', async () => {
    const chain = makeExecutedChain({ count: 3 })
    const rig = await startSource(chain)
    const { header, data } = chain.at(2)
    const { chainId, height, time } = header.header
    const lastDataHash = new Uint8Array(32).fill(1)
    await rig.arrive(chain.at(1), {
      header,
      data: { ...data, metadata: { chainId, height, time, lastDataHash } },
    })
    expect(rig.evicted).toEqual([2])
    await rig.time.advance(100)
    await rig.arrive(chain.at(2), chain.at(3))
    expect(rig.follower.status().height).toBe(3)
    await rig.close()
  })

  test('another source may be faster: its heights are passed over', async () => {
    const chain = makeExecutedChain({ count: 10 })
    const rig = await startSource(chain)
    await rig.arrive(chain.at(1))
    await rig.offer(...[2, 3, 4, 5].map((height) => eventOf(chain.at(height))))
    expect(rig.follower.nextHeight).toBe(6)
    await rig.arrive(...chain.blocks.slice(1))
    expect(rig.follower.status()).toMatchObject({ height: 10, stateRoot: chain.root(10) })
    expect(rig.executor.executed).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    await rig.close()
  })

  test('another source may bring what the stores never get: it waits for the next height then', async () => {
    const chain = makeExecutedChain({ count: 6 })
    const rig = await startSource(chain)
    await rig.offer(...[1, 2, 3, 4].map((height) => eventOf(chain.at(height))))
    await rig.arrive(chain.at(5), chain.at(6))
    expect(rig.follower.status().height).toBe(6)
    expect(rig.time.timers).toBe(0)
    await rig.close()
  })

  test('whoever waited for a half is released when the height is done', async () => {
    const chain = makeExecutedChain({ count: 3 })
    const rig = await startSource(chain)
    const signals: AbortSignal[] = []
    const waitFor = rig.data.waitFor.bind(rig.data)
    rig.data.waitFor = async (height, { signal }) => {
      signals.push(signal)
      return await waitFor(height, { signal })
    }
    for (const block of chain.blocks) await rig.arrive(block)
    expect(rig.follower.status().height).toBe(3)
    expect(signals.slice(0, -1).map(({ aborted }) => aborted)).toEqual(signals.slice(0, -1).map(() => true))
    expect(signals.length).toBeGreaterThan(1)
    await rig.close()
  })

  test('what was removed from the stores while it waited is saved whole', async () => {
    const chain = makeExecutedChain({ count: 4 })
    const saves: boolean[] = []
    const rig = await startSource(chain, { rig: { prepare: noteSaves(saves) } })
    const gate = Promise.withResolvers<void>()
    rig.executor.before = async () => await gate.promise
    await rig.arrive(...chain.blocks)
    // All four are on their way; now the stores lose three of them.
    await rig.headers.truncate(1)
    await rig.data.truncate(1)
    gate.resolve()
    await rig.time.settle()
    expect(rig.follower.status().height).toBe(4)
    expect(saves).toEqual([true, false, false, false])
    for (const block of chain.blocks) {
      expect(await rig.blockStore.block(block.header.header.height)).toMatchObject(block)
    }
    await rig.close()
  })

  test('a change of proposer: what the old one signed beyond its term goes, the new chain is followed', async () => {
    const chain = makeExecutedChain({ count: 8, rotateAt: 5 })
    const rig = await startSource(chain)
    const old: Block[] = []
    for (let height = 5; height <= 8; height++) {
      const { header, data } = chain.at(height)
      const below = old.at(-1) ?? chain.at(4)
      const signed = forge(header, { lastHeaderHash: headerHash(below.header.header) }, SEEDS.first)
      old.push({ header: signed, data })
    }
    const gate = Promise.withResolvers<void>()
    rig.executor.before = async (call) => (call === 'executeTxs' ? await gate.promise : undefined)
    await rig.arrive(...chain.blocks.slice(0, 4), ...old)
    gate.resolve()
    await rig.time.settle()
    expect(rig.evicted[0]).toBe(5)
    await rig.time.advance(1_000)
    await rig.arrive(...chain.blocks.slice(4))
    await rig.time.advance(10_000)
    expect(rig.follower.status()).toMatchObject({ height: 8, stateRoot: chain.root(8) })
    expect(rig.failure).toBeUndefined()
    await rig.close()
  })

  test('goes on after a restart where the follower is', async () => {
    const chain = makeExecutedChain({ count: 30 })
    const disk = createMemoryKv()
    const first = await startSource(chain, { before: chain.blocks.slice(0, 10), rig: { disk } })
    await first.source.stop()
    await first.arrive(...chain.blocks.slice(10, 20))
    expect(first.follower.status().height).toBe(10)
    await first.source.start()
    await first.time.settle()
    expect(first.follower.status().height).toBe(20)
    await first.close()
    const second = await startSource(chain, { rig: { disk, executor: first.executor } })
    await second.arrive(...chain.blocks.slice(20))
    expect(second.follower.status().height).toBe(30)
    expect(first.executor.executed).toHaveLength(30)
    await second.close()
  })

  test('a store that fails is asked again', async () => {
    const chain = makeExecutedChain({ count: 3 })
    const rig = await startSource(chain)
    const range = rig.headers.range.bind(rig.headers)
    let failures = 0
    rig.headers.range = async (from, to) => {
      if (failures++ < 3) throw new Error('disk')
      return await range(from, to)
    }
    await rig.arrive(chain.at(1), chain.at(2), chain.at(3))
    await rig.time.advance(5_000)
    expect(rig.follower.status().height).toBe(3)
    await rig.close()
  })

  test('ends when the follower has ended, and stops in any order', async () => {
    const chain = makeExecutedChain({ count: 3 })
    const rig = await startSource(chain)
    rig.executor.distort = (_, root) => root.map((byte) => byte ^ 1)
    await rig.arrive(chain.at(1), chain.at(2), chain.at(3))
    expect(rig.failure).toMatchObject({ code: 'APP_HASH_MISMATCH' })
    expect(rig.evicted).toEqual([])
    await rig.source.stop()
    await rig.source.stop()
    expect(rig.time.timers).toBe(0)
    await rig.close()
  })
})

describe('the bounds of the source', () => {
  const large = makeExecutedChain({ count: 60, txsAt: () => [new Uint8Array(100_000)] })

  test('it offers only so far ahead of the next height', async () => {
    const chain = makeExecutedChain({ count: 100 })
    const rig = await startSource(chain, { lead: 20, rig: { queueLimit: 1_000 } })
    const gate = Promise.withResolvers<void>()
    rig.executor.before = async () => await gate.promise
    await rig.arrive(...chain.blocks)
    expect(rig.follower.status()).toMatchObject({ queueSize: 19, parked: 0 })
    gate.resolve()
    await rig.time.settle()
    expect(rig.follower.status().height).toBe(100)
    await rig.close()
  })

  test('large blocks are read a few at a time', async () => {
    const rig = await startSource(large, { windowBytes: 1_000_000 })
    const sizes: number[] = []
    const range = rig.data.range.bind(rig.data)
    rig.data.range = async (from, to) => {
      const found = await range(from, to)
      sizes.push(found.length)
      return found
    }
    await rig.arrive(...large.blocks)
    expect(rig.follower.status().height).toBe(60)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(9)
    await rig.close()
  })
})

describe('a source beside a sink of its own', () => {
  const chain = makeExecutedChain({ count: 10 })

  async function withSink(take: (event: HeightEvent) => void) {
    const rig = await startSource(chain, { before: chain.blocks })
    await rig.source.stop()
    const listeners = new Set<(height: number) => void>()
    const sink = {
      nextHeight: 1,
      offer: async (event: HeightEvent) => take(event),
      onNextHeight(listener: (height: number) => void) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    } satisfies BlockSink
    const evicted: number[] = []
    const { headers, data, time, recorder } = rig
    const source = createP2PSource({
      headers,
      data,
      sink,
      env: time.env,
      logger: recorder.logger,
      evict: async (height) => void evicted.push(height),
    })
    await source.start()
    await time.settle()
    return {
      time,
      evicted,
      headers,
      data,
      async moveTo(height: number) {
        sink.nextHeight = height
        for (const listener of listeners) listener(height)
        await time.settle()
      },
      async close() {
        await source.stop()
        expect(listeners.size).toBe(0)
        await rig.close()
      },
    }
  }

  test('dropped heights are offered again when they are next, not before', async () => {
    const offered: HeightEvent[] = []
    const rig = await withSink((event) => offered.push(event))
    const heights = (): number[] => offered.splice(0).map(({ height }) => height)
    const [, second, third] = offered
    expect(heights()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    third?.dropped?.()
    second?.dropped?.()
    await rig.time.advance(60_000)
    expect(heights()).toEqual([])
    await rig.moveTo(2)
    expect(heights()).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10])
    await rig.close()
  })

  test('after a drop the rest of what was read is not offered', async () => {
    const offered: number[] = []
    const rig = await withSink((event) => {
      offered.push(event.height)
      if (event.height === 8 && offered.length < 9) event.dropped?.()
    })
    await rig.time.advance(60_000)
    expect(offered).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    await rig.moveTo(8)
    expect(offered).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 8, 9, 10])
    await rig.close()
  })

  test('nothing is evicted for a block that was removed or executed meanwhile', async () => {
    const offered: HeightEvent[] = []
    const rig = await withSink((event) => offered.push(event))
    const [first, second, third] = offered
    await rig.moveTo(2)
    await first?.rejected?.(new Error('too late'))
    expect(rig.evicted).toEqual([])
    await rig.headers.truncate(2)
    await rig.headers.append(chain.blocks.slice(2).map(({ header }) => header))
    await third?.rejected?.(new Error('not the one that is there now'))
    expect(rig.evicted).toEqual([])
    await second?.rejected?.(new Error('wrong'))
    expect(rig.evicted).toEqual([2])
    await rig.close()
  })
})
