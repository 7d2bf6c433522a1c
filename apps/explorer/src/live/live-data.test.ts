import type { BlockSummary, NodeStatus } from 'evolve-node/client'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type BlockWindow, blocksWanted, WINDOW, withBlocks } from './block-window.ts'
import { EMPTY_HISTORY, HISTORY_SECONDS, historyOf, withSample } from './history.ts'

const none = new Uint8Array(0)

function block(height: number, final: boolean, extra: Partial<BlockSummary> = {}): BlockSummary {
  return {
    height,
    final,
    time: 0n,
    hash: none,
    previousHash: none,
    dataHash: none,
    appHash: none,
    stateRoot: none,
    proposerAddress: none,
    txCount: 0,
    txBytes: 0,
    headerDaHeight: undefined,
    dataDaHeight: undefined,
    ...extra,
  }
}

function status(height: number, finalHeight: number, earliestHeight = 1): NodeStatus {
  return {
    role: 'follower',
    phase: 'following',
    height,
    headerHeight: height,
    dataHeight: height,
    targetHeight: height,
    finalHeight,
    earliestHeight,
    peers: 0,
    da: undefined,
    lastBlockTime: 0n,
    stateRoot: none,
    lastHeaderHash: none,
    rates: { blocks: 0, transactions: 0, headers: 0, daHeights: 0 },
    estimate: undefined,
  }
}

/** What a node at `now` answers. */
function answer(
  now: NodeStatus,
  { from, limit }: { readonly from: number; readonly limit: number },
): BlockSummary[] {
  const lowest = Math.max(from - limit + 1, now.earliestHeight)
  return Array.from({ length: from - lowest + 1 }, (_, n) => block(from - n, from - n <= now.finalHeight))
}

describe('the newest blocks', () => {
  test('nothing is asked for before there is a block', () => {
    expect(blocksWanted([], status(0, 0))).toBeUndefined()
    expect(blocksWanted([], status(4, 0, 5))).toBeUndefined()
  })

  test('what became final is asked for again, and no more', () => {
    const window = answer(status(20, 5), { from: 20, limit: 20 })
    expect(blocksWanted(window, status(20, 5))).toBeUndefined()
    expect(blocksWanted(window, status(21, 5))).toEqual({ from: 21, limit: 1 })
    expect(blocksWanted(window, status(21, 8))).toEqual({ from: 21, limit: 16 })
  })

  test('after each answer the window shows what the node said: without gap, as much as there is room for', () => {
    const step = fc.record({
      more: fc.nat({ max: 300 }),
      final: fc.nat({ max: 300 }),
      pruned: fc.nat({ max: 50 }),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        let window: BlockWindow = []
        let now = status(0, 0)
        for (const { more, final, pruned } of steps) {
          const height = now.height + more
          now = status(
            height,
            Math.min(height, now.finalHeight + final),
            Math.min(Math.max(1, height), now.earliestHeight + pruned),
          )
          const wanted = blocksWanted(window, now)
          if (wanted !== undefined) window = withBlocks(window, answer(now, wanted))
          expect(blocksWanted(window, now)).toBeUndefined()
          expect(window.length).toBeLessThanOrEqual(WINDOW)
          window.forEach((one, n) => {
            expect(one.height).toBe(height - n)
            // What was pruned meanwhile cannot be asked for again.
            if (one.height >= now.earliestHeight) expect(one.final).toBe(one.height <= now.finalHeight)
          })
        }
      }),
    )
  })

  test('a chain that is lower than before begins anew', () => {
    const window = answer(status(20, 5), { from: 20, limit: 20 })
    const wanted = blocksWanted(window, status(3, 0))
    expect(wanted).toEqual({ from: 3, limit: 3 })
    if (wanted === undefined) return
    expect(withBlocks(window, answer(status(3, 0), wanted)).map(({ height }) => height)).toEqual([3, 2, 1])
  })
})

describe('the last minutes', () => {
  const sample = (time: number) => ({ time, blocks: 1, transactions: 2, lag: 3 })

  test('what is too old falls off', () => {
    let history = EMPTY_HISTORY
    for (let time = 0; time < 1_000; time++) history = withSample(history, sample(time))
    expect(history.times).toHaveLength(HISTORY_SECONDS + 1)
    expect(history.times[0]).toBe(999 - HISTORY_SECONDS)
    expect(history.lag).toHaveLength(history.times.length)
  })

  test('a time without knowledge is a gap in the line', () => {
    const history = withSample(withSample(EMPTY_HISTORY, sample(10)), sample(60))
    expect(history.times).toEqual([10, 11, 60])
    expect(history.blocks).toEqual([1, null, 1])
  })

  test('time that steps back adds nothing', () => {
    const history = withSample(EMPTY_HISTORY, sample(10))
    expect(withSample(history, sample(9))).toBe(history)
  })

  test('it begins with what the times of blocks say', () => {
    // Two blocks a second with three transactions each, for twenty seconds.
    const blocks = Array.from({ length: 40 }, (_, n) =>
      block(40 - n, false, { time: BigInt(1_000_000 + (39 - n) * 500) * 1_000_000n, txCount: 3 }),
    )
    const history = historyOf(blocks, 1_020)
    expect(history.times).toEqual(Array.from({ length: 15 }, (_, n) => 1_005 + n))
    expect(new Set(history.blocks)).toEqual(new Set([2]))
    expect(new Set(history.transactions)).toEqual(new Set([6]))
    expect(new Set(history.lag)).toEqual(new Set([null]))
    expect(historyOf([], 1_020)).toEqual(EMPTY_HISTORY)
  })
})
