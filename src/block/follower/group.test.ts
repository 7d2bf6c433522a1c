import { describe, expect, test, vi } from 'vitest'
import { makeChain, type TestChain } from '../../../test/support/chain.ts'
import { eventOf, makeExecutedChain, spoilSignature } from '../../../test/support/executed-chain.ts'
import { type FollowerRig, type RigOptions, startRig } from '../../../test/support/follower-rig.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { createStrictExecutor, type StrictExecutor } from '../../../test/support/strict-executor.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import type { Kv, KvOp } from '../../core/kv.ts'
import { createProposers } from '../../core/proposers.ts'
import { createKvExecutor } from '../../execution/kv-executor.ts'
import { createBlockStore } from '../../store/block-store.ts'
import { createHeldKv } from '../../store/held-kv.ts'
import { KEYS } from '../../store/keys.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { subKv } from '../../store/sub-kv.ts'
import { EvolveError } from '../../util/errors.ts'
import { groupSize } from './group.ts'
import { createFollower } from './syncer.ts'

const chain = makeExecutedChain({ count: 9 })
const { signal } = new AbortController()

interface Rig extends FollowerRig {
  /** Heights of each save that was asked for. */
  readonly saves: readonly (readonly number[])[]
  /** Lets the execution that waits go on. */
  readonly release: () => void
}

/** A follower whose execution of `gated` waits; its executor can go back by `depth` blocks. */
async function open(
  options: RigOptions & { readonly gated?: number; readonly depth?: number } = {},
): Promise<Rig> {
  const { gated, depth = 64, ...more } = options
  const executor: StrictExecutor = Object.assign(createStrictExecutor(), { rollbackDepth: depth })
  const gate = Promise.withResolvers<void>()
  executor.before = async (call, height) =>
    call === 'executeTxs' && height === gated ? await gate.promise : undefined
  const saves: number[][] = []
  const rig = await startRig(chain, {
    executor,
    ...more,
    prepare({ blockStore }) {
      const save = blockStore.saveBlocks.bind(blockStore)
      vi.spyOn(blockStore, 'saveBlocks').mockImplementation(async (blocks, saveOptions) => {
        saves.push(blocks.map(({ state }) => state.lastBlockHeight))
        await save(blocks, saveOptions)
      })
    },
  })
  return Object.assign(rig, { saves, release: () => gate.resolve() })
}

const events = (from: number, to: number): ReturnType<typeof eventOf>[] =>
  chain.blocks.slice(from - 1, to).map((block) => eventOf(block))

describe('executed blocks', () => {
  test('that wait are saved together, no more than a group holds', async () => {
    const rig = await open({ gated: 1, groupBlocks: 3 })
    await rig.offer(...events(1, 7))
    expect(rig.saves).toEqual([])
    rig.release()
    await rig.time.settle()
    expect(rig.saves).toEqual([[1, 2, 3], [4, 5, 6], [7]])
    expect(rig.follower.status()).toMatchObject({ height: 7, stateRoot: chain.root(7) })
    expect(rig.executor.misuses).toEqual([])
    await rig.stop()
  })

  test('are saved together no more than their bytes allow', async () => {
    const rig = await open({ gated: 1, groupBytes: 1 })
    await rig.offer(...events(1, 3))
    rig.release()
    await rig.time.settle()
    expect(rig.saves).toEqual([[1], [2], [3]])
    await rig.stop()
  })

  test('are saved when the first has waited long enough', async () => {
    const rig = await open({ gated: 2, groupAge: 50 })
    const first = rig.offer(...events(1, 4))
    await first
    await rig.time.advance(50)
    rig.release()
    await rig.time.settle()
    expect(rig.saves).toEqual([
      [1, 2],
      [3, 4],
    ])
    await rig.stop()
  })

  test('are saved one by one at the tip', async () => {
    const rig = await open()
    for (const event of events(1, 3)) await rig.offer(event)
    expect(rig.saves).toEqual([[1], [2], [3]])
    await rig.stop()
  })

  test('are saved one by one when the executor cannot go back', async () => {
    const rig = await open({ gated: 1, depth: 1 })
    await rig.offer(...events(1, 3))
    rig.release()
    await rig.time.settle()
    expect(rig.saves).toEqual([[1], [2], [3]])
    await rig.stop()
  })

  test('before a wrong one are saved, and only then is it rejected', async () => {
    const rig = await open({ gated: 1 })
    const { header, data } = chain.at(3)
    const heights: number[] = []
    const wrong = eventOf(
      { header: spoilSignature(header), data },
      { rejected: async () => void heights.push(await rig.blockStore.height()) },
    )
    await rig.offer(...events(1, 2), wrong, ...events(3, 4))
    rig.release()
    await rig.time.settle()
    expect(heights).toEqual([2])
    expect(rig.saves).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(rig.executor.executed).toEqual([1, 2, 3, 4])
    await rig.stop()
  })

  test.each(['before', 'after'] as const)(
    'are not executed again when saving fails %s writing',
    async (when) => {
      const rig = await open({ gated: 1 })
      let left = 2
      rig.kv.fail = () => (left-- > 0 ? when : undefined)
      await rig.offer(...events(1, 4))
      rig.release()
      await rig.time.settle()
      expect(rig.follower.status().height).toBe(0)
      await rig.time.advance(60_000)
      expect(rig.failure).toBeUndefined()
      expect(rig.follower.status().height).toBe(4)
      expect(await rig.blockStore.height()).toBe(4)
      expect(rig.executor.executed).toEqual([1, 2, 3, 4])
      expect(new Set(rig.saves.map(String))).toEqual(new Set(['1,2,3,4']))
      await rig.stop()
    },
  )

  test('are saved when it stops, though the next one never ends', async () => {
    const rig = await open({ gated: 3 })
    await rig.offer(...events(1, 4))
    expect(rig.saves).toEqual([])
    const stopped = rig.follower.stop()
    await rig.time.advance(10_000)
    await stopped
    expect(rig.saves).toEqual([[1, 2]])
    expect(await rig.blockStore.height()).toBe(2)
    await rig.stop()
  })
})

test('a group is as large as the executor can go back', () => {
  const whole = createStrictExecutor()
  const size = (executor: object, wanted: number): number => groupSize({ ...whole, ...executor }, wanted)
  expect(size({ rollbackDepth: 10 }, 64)).toBe(10)
  expect(size({ rollbackDepth: 100 }, 64)).toBe(64)
  expect(size({ rollbackDepth: 0 }, 64)).toBe(1)
  expect(size({}, 64)).toBe(1)
  const deep = { rollbackDepth: 100 }
  expect(groupSize({ ...createStrictExecutor({ rollsBack: false }), ...deep }, 64)).toBe(1)
  expect(groupSize({ ...createStrictExecutor({ tellsHeight: false }), ...deep }, 64)).toBe(1)
})

/** A chain whose app hashes are those of the key-value application. */
async function kvChain(count: number): Promise<TestChain> {
  const kv = createMemoryKv()
  await kv.start()
  const executor = createKvExecutor({ kv })
  const { genesis, blocks } = makeChain({ count })
  const { chainId, initialHeight, startTime: time } = genesis
  const roots = [await executor.initChain({ time, initialHeight, chainId }, { signal })]
  for (const { header, data } of blocks) {
    const { height, time: at } = header.header
    const previousStateRoot = roots.at(-1) ?? new Uint8Array()
    const { stateRoot } = await executor.executeTxs(
      { txs: data.txs, height, time: at, previousStateRoot },
      { signal },
    )
    roots.push(stateRoot)
  }
  await kv.stop()
  return makeChain({ count, appHashAt: (height) => roots[height - 1] ?? new Uint8Array() })
}

/** Follows a chain with its application in the same database; nothing is stopped at the end. */
async function follow({ genesis, blocks }: TestChain, kv: Kv): Promise<{ height: number; failed: boolean }> {
  const { env, advance, settle } = createVirtualEnv()
  const blockStore = createBlockStore({ kv })
  await blockStore.start()
  const executorWrites = createHeldKv(subKv(kv, Uint8Array.of(KEYS.executor)))
  const executor = createKvExecutor({ kv: executorWrites })
  const proposers = createProposers(genesis.initialHeight, genesis.proposerAddress)
  const deps = { blockStore, executor, executorWrites, proposers, genesis, env, ...createRecorder() }
  const follower = createFollower(deps, { groupBlocks: 4 })
  await follower.start()
  for (const block of blocks) await follower.offer(eventOf(block), { signal })
  for (let round = 0; round < 20; round++) await settle()
  const { height, phase } = follower.status()
  const stopped = follower.stop()
  await advance(10_000)
  await stopped
  return { height, failed: phase === 'halted' }
}

test('whatever batch is the last, the application is where the blocks are', async () => {
  const built = await kvChain(10)
  const batches: (readonly KvOp[])[] = []
  const disk = createMemoryKv()
  await disk.start()
  const recorded: Kv = {
    ...disk,
    async batch(ops, options) {
      batches.push(ops)
      await disk.batch(ops, options)
    },
  }
  expect(await follow(built, recorded)).toEqual({ height: 10, failed: false })
  await disk.stop()
  const heights = new Set<number>()
  for (let count = 1; count <= batches.length; count++) {
    const kv = createMemoryKv()
    await kv.start()
    for (const ops of batches.slice(0, count)) await kv.batch(ops)
    const blockStore = createBlockStore({ kv })
    await blockStore.start()
    const executor = createKvExecutor({ kv: subKv(kv, Uint8Array.of(KEYS.executor)) })
    const height = await blockStore.height()
    expect(await executor.latestHeight?.({ signal })).toBe(height)
    heights.add(height)
    await blockStore.stop()
    expect(await follow(built, kv)).toEqual({ height: 10, failed: false })
    await kv.stop()
  }
  // Groups were saved as such: not every height was the last one.
  expect(heights.size).toBeLessThan(10)
  expect(heights).toContain(10)
})

test('writes of the executor that fail after a wrong block are repeated, and end nothing', async () => {
  const { env, advance, settle } = createVirtualEnv()
  const kv = createMemoryKv()
  await kv.start()
  const blockStore = createBlockStore({ kv })
  await blockStore.start()
  let left = 2
  const executorWrites = {
    hold() {},
    held: () => ({ ops: [], mark: 0 }),
    async written() {
      if (left-- > 0) throw new EvolveError('STORE_IO', 'the disk does not write', { verdict: 'retry' })
    },
  }
  const proposers = createProposers(1, chain.genesis.proposerAddress)
  const { genesis } = chain
  const executor = createStrictExecutor()
  const deps = { blockStore, executor, executorWrites, proposers, genesis, env, ...createRecorder() }
  const follower = createFollower(deps)
  await follower.start()
  await settle()
  const { header, data } = chain.at(1)
  await follower.offer(eventOf({ header: spoilSignature(header), data }), { signal })
  await follower.offer(eventOf(chain.at(1)), { signal })
  await advance(10_000)
  expect(follower.status()).toMatchObject({ phase: 'following', height: 1 })
  const stopped = follower.stop()
  await advance(10_000)
  await stopped
  await kv.stop()
})
