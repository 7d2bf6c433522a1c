import { describe, expect, test } from 'vitest'
import { eventOf, type ExecutedChain, makeExecutedChain } from '../../test/support/executed-chain.ts'
import { type FollowerRig, type RigOptions, startRig } from '../../test/support/follower-rig.ts'
import { createStrictExecutor, type StrictExecutor } from '../../test/support/strict-executor.ts'
import type { Kv } from '../core/kv.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { EvolveError } from '../util/errors.ts'

/** A database with the whole chain saved, and the executor that executed it. */
async function lived(
  chain: ExecutedChain,
  capabilities: Parameters<typeof createStrictExecutor>[0] = {},
): Promise<{ readonly disk: Kv; readonly executor: StrictExecutor }> {
  const disk = createMemoryKv()
  const executor = createStrictExecutor({
    initialHeight: chain.genesis.initialHeight,
    proposerAfter: chain.proposerAfter,
    ...capabilities,
  })
  const rig = await startRig(chain, { disk, executor })
  await rig.offer(...chain.blocks.map((block) => eventOf(block)))
  await rig.stop()
  return { disk, executor }
}

/** The same with an executor that stands at another height. */
async function executorAt(
  chain: ExecutedChain,
  height: number,
  capabilities: Parameters<typeof createStrictExecutor>[0] = {},
): Promise<StrictExecutor> {
  const { executor } = await lived(chain, capabilities)
  const other = createStrictExecutor({
    initialHeight: chain.genesis.initialHeight,
    proposerAfter: chain.proposerAfter,
    ...capabilities,
  })
  const { signal } = new AbortController()
  const { chainId, initialHeight, startTime: time } = chain.genesis
  await other.initChain({ time, initialHeight, chainId }, { signal })
  for (let h = initialHeight; h <= height; h++) {
    const { header, data } = chain.at(h)
    const { time: at, appHash: previousStateRoot } = header.header
    await other.executeTxs({ txs: data.txs, height: h, time: at, previousStateRoot }, { signal })
  }
  expect(executor.misuses).toEqual([])
  return other
}

async function restart(chain: ExecutedChain, options: RigOptions): Promise<FollowerRig> {
  return await startRig(chain, options)
}

describe('the executor at start', () => {
  test('is not touched when it is where the store is', async () => {
    const chain = makeExecutedChain({ count: 6 })
    const { disk, executor } = await lived(chain)
    const rig = await restart(chain, { disk, executor })
    expect(executor.executed).toHaveLength(6)
    expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 6 })
    await rig.stop()
  })

  test.each([1, 5])('behind: executes the stored blocks again from %i on', async (height) => {
    const chain = makeExecutedChain({ count: 6, rotateAt: 3 })
    const { disk } = await lived(chain)
    const executor = await executorAt(chain, height)
    const rig = await restart(chain, { disk, executor })
    expect(executor.height).toBe(6)
    expect(executor.root).toEqual(chain.root(6))
    expect(executor.misuses).toEqual([])
    expect(rig.failure).toBeUndefined()
    await rig.stop()
  })

  test('with nothing left: begins at genesis and executes everything again', async () => {
    const chain = makeExecutedChain({ count: 6, initialHeight: 40 })
    const { disk, executor } = await lived(chain)
    executor.wipe()
    const rig = await restart(chain, { disk, executor })
    expect(executor.height).toBe(45)
    expect(executor.root).toEqual(chain.root(45))
    expect(executor.misuses).toEqual([])
    expect(rig.follower.status().phase).toBe('following')
    await rig.stop()
  })

  test('behind, and executing gives another root: halts and names height and both roots', async () => {
    const chain = makeExecutedChain({ count: 6 })
    const { disk } = await lived(chain)
    const executor = await executorAt(chain, 2)
    executor.distort = (height, root) => (height === 4 ? new Uint8Array(32).fill(0xcd) : root)
    const rig = await restart(chain, { disk, executor })
    expect(rig.failure).toMatchObject({ code: 'EXECUTOR_DIVERGED', verdict: 'halt' })
    expect(rig.failure?.message).toContain('block 4')
    expect(rig.failure?.message).toContain(Buffer.from(chain.root(4)).toString('hex'))
    expect(rig.failure?.message).toContain('cd'.repeat(32))
    expect(rig.follower.status().phase).toBe('halted')
    await rig.stop()
  })

  test('behind, and it names another proposer: halts', async () => {
    const chain = makeExecutedChain({ count: 6, rotateAt: 5 })
    const { disk } = await lived(chain)
    const executor = await executorAt(chain, 2, {
      proposerAfter: (h) => (h === 4 ? chain.root(1) : undefined),
    })
    const rig = await restart(chain, { disk, executor })
    expect(rig.failure).toMatchObject({ code: 'EXECUTOR_DIVERGED' })
    expect(rig.failure?.message).toContain('next proposer')
    await rig.stop()
  })

  test('with another genesis root: halts before a block is executed', async () => {
    const chain = makeExecutedChain({ count: 2 })
    const { disk } = await lived(chain)
    const executor = createStrictExecutor()
    executor.initChain = async () => new Uint8Array(32)
    const rig = await restart(chain, { disk, executor })
    expect(rig.failure).toMatchObject({ code: 'EXECUTOR_DIVERGED' })
    expect(executor.executed).toEqual([])
    await rig.stop()
  })

  test.each([3, 6])('ahead: is rolled back from %i', async (height) => {
    const chain = makeExecutedChain({ count: 6 })
    const disk = createMemoryKv()
    const first = await startRig(chain, { disk })
    await first.offer(eventOf(chain.at(1)), eventOf(chain.at(2)))
    await first.stop()
    const executor = await executorAt(chain, height)
    const rig = await restart(chain, { disk, executor })
    expect(executor.height).toBe(2)
    await rig.offer(...chain.blocks.slice(2).map((block) => eventOf(block)))
    expect(executor.root).toEqual(chain.root(6))
    expect(executor.misuses).toEqual([])
    await rig.stop()
  })

  test('one block ahead without going back: that block is executed again', async () => {
    const chain = makeExecutedChain({ count: 4 })
    const disk = createMemoryKv()
    const first = await startRig(chain, { disk })
    await first.offer(eventOf(chain.at(1)))
    await first.stop()
    const executor = await executorAt(chain, 2, { rollsBack: false })
    const rig = await restart(chain, { disk, executor })
    await rig.offer(...chain.blocks.map((block) => eventOf(block)))
    expect(rig.follower.status()).toMatchObject({ phase: 'following', height: 4, stateRoot: chain.root(4) })
    expect(executor.misuses).toEqual([])
    await rig.stop()
  })

  test('further ahead without going back: halts with what to do', async () => {
    const chain = makeExecutedChain({ count: 4 })
    const disk = createMemoryKv()
    const first = await startRig(chain, { disk })
    await first.offer(eventOf(chain.at(1)))
    await first.stop()
    const executor = await executorAt(chain, 3, { rollsBack: false })
    const rig = await restart(chain, { disk, executor })
    expect(rig.failure).toMatchObject({
      code: 'EXECUTOR_AHEAD',
      verdict: 'halt',
      data: { height: 3, target: 1 },
    })
    await rig.stop()
  })

  test('ahead, and going back fails: halts unless it is one block', async () => {
    const chain = makeExecutedChain({ count: 4 })
    const disk = createMemoryKv()
    const first = await startRig(chain, { disk })
    await first.offer(eventOf(chain.at(1)))
    await first.stop()
    const broken = async (call: string): Promise<void> => {
      if (call === 'rollback') throw new Error('no snapshot')
    }
    const far = await executorAt(chain, 3)
    far.before = broken
    const halted = await restart(chain, { disk, executor: far })
    expect(halted.failure).toMatchObject({ code: 'EXECUTOR_AHEAD' })
    expect(halted.failure?.message).toContain('no snapshot')
    await halted.stop()
    const near = await executorAt(chain, 2)
    near.before = broken
    const rig = await restart(chain, { disk, executor: near })
    expect(rig.failure).toBeUndefined()
    await rig.stop()
  })

  test('that cannot tell its height is taken to be where the store is', async () => {
    const chain = makeExecutedChain({ count: 4 })
    const { disk, executor } = await lived(chain, { tellsHeight: false })
    const rig = await restart(chain, { disk, executor })
    expect(executor.executed).toHaveLength(4)
    expect(rig.follower.status().phase).toBe('following')
    await rig.stop()
  })

  test('that cannot be reached is waited for', async () => {
    const chain = makeExecutedChain({ count: 4 })
    const { disk, executor } = await lived(chain)
    let there = false
    executor.before = async () => {
      if (!there) throw new EvolveError('EXECUTOR_UNREACHABLE', 'no answer')
    }
    const rig = await restart(chain, { disk, executor })
    await rig.time.advance(120_000)
    expect(rig.follower.status()).toMatchObject({ phase: 'replaying', executorReachable: false, height: 4 })
    there = true
    await rig.time.advance(10_000)
    expect(rig.follower.status()).toMatchObject({ phase: 'following', executorReachable: true })
    await rig.stop()
  })
})
