/*
 * A node that ends at any moment: whatever was written and executed by then, the next life goes on to the same root
 * and never executes a height on a wrong state.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventOf, makeExecutedChain } from '../../../test/support/executed-chain.ts'
import { type FollowerRig, startRig } from '../../../test/support/follower-rig.ts'
import { createStrictExecutor } from '../../../test/support/strict-executor.ts'
import type { Kv } from '../../core/kv.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'

const HEIGHTS = 8
/** Named moments in the life of a block. */
const POINTS = ['before execution', 'after execution', 'before the batch', 'after the batch'] as const
type Point = (typeof POINTS)[number]

const chain = makeExecutedChain({ count: HEIGHTS, rotateAt: 5 })

/** Ends a life at a point of a height: from then on nothing answers any more. */
function endAt(rig: FollowerRig, height: number, point: Point): void {
  const silence = async (): Promise<never> => await Promise.withResolvers<never>().promise
  const { executor, kv } = rig
  if (point === 'before execution') {
    executor.before = async (call, at) =>
      call === 'executeTxs' && at === height ? await silence() : undefined
  } else if (point === 'after execution') {
    executor.after = async (at) => (at === height ? await silence() : undefined)
  } else {
    kv.fail = () => {
      if (executor.height < height) return undefined
      return point === 'before the batch' ? 'before' : 'after'
    }
  }
}

/** The same executor data in a process of its own: what was under way when the last one ended is forgotten. */
async function reopened(
  rig: FollowerRig,
  capabilities: Capabilities,
): Promise<ReturnType<typeof createStrictExecutor>> {
  const fresh = createStrictExecutor({ proposerAfter: chain.proposerAfter, ...capabilities })
  const { signal } = new AbortController()
  const { chainId, initialHeight, startTime: time } = chain.genesis
  await fresh.initChain({ time, initialHeight, chainId }, { signal })
  for (let height = 1; height <= rig.executor.height; height++) {
    const { header, data } = chain.at(height)
    const { time: at, appHash: previousStateRoot } = header.header
    await fresh.executeTxs({ txs: data.txs, height, time: at, previousStateRoot }, { signal })
  }
  expect(fresh.root).toEqual(rig.executor.root)
  expect(rig.executor.misuses).toEqual([])
  return fresh
}

interface Capabilities {
  readonly tellsHeight: boolean
  readonly rollsBack: boolean
}

async function live(
  disk: Kv,
  crashes: readonly (readonly [number, Point])[],
  capabilities: Capabilities,
): Promise<void> {
  let executor = createStrictExecutor({ proposerAfter: chain.proposerAfter, ...capabilities })
  for (const [height, point] of crashes) {
    const rig = await startRig(chain, { disk, executor, prepare: (begun) => endAt(begun, height, point) })
    await rig.offer(...chain.blocks.map((block) => eventOf(block)))
    expect(rig.failure).toBeUndefined()
    // The process is gone: nothing of it is asked to stop.
    executor = await reopened(rig, capabilities)
  }
  const last = await startRig(chain, { disk, executor })
  await last.offer(...chain.blocks.map((block) => eventOf(block)))
  expect(last.failure).toBeUndefined()
  expect(last.follower.status()).toMatchObject({ height: HEIGHTS, stateRoot: chain.root(HEIGHTS) })
  expect(last.executor.misuses).toEqual([])
  expect(last.executor.root).toEqual(chain.root(HEIGHTS))
  for (const block of chain.blocks) {
    expect(await last.blockStore.block(block.header.header.height)).toMatchObject(block)
  }
  await last.stop()
}

describe('a node that ends', () => {
  const capabilities: Capabilities[] = [
    { tellsHeight: true, rollsBack: true },
    { tellsHeight: true, rollsBack: false },
    { tellsHeight: false, rollsBack: false },
  ]

  test.each(POINTS)('%s, at any height, goes on to the same root', async (point) => {
    for (const one of capabilities) {
      for (let height = 1; height <= HEIGHTS; height++) await live(createMemoryKv(), [[height, point]], one)
    }
  })

  test('again and again, anywhere, goes on to the same root', async () => {
    const crash = fc.tuple(fc.integer({ min: 1, max: HEIGHTS }), fc.constantFrom(...POINTS))
    await fc.assert(
      fc.asyncProperty(
        fc.array(crash, { maxLength: 6 }),
        fc.constantFrom(...capabilities),
        async (crashes, one) => await live(createMemoryKv(), crashes, one),
      ),
      { numRuns: 40 },
    )
  })

  test('before the first state is saved begins again', async () => {
    const disk = createMemoryKv()
    const first = await startRig(chain, {
      disk,
      prepare: ({ kv }) => {
        kv.fail = () => 'before'
      },
    })
    expect(first.follower.status()).toMatchObject({ phase: 'replaying', height: 0 })
    await live(disk, [], { tellsHeight: true, rollsBack: true })
  })
})
