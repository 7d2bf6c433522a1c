/*
 * Whatever two sources bring, in whatever order: the follower ends at the honest tip with the right root, executes
 * each height once on the state before it, and stays within its bounds all the time.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  eventOf,
  type ExecutedChain,
  forge,
  makeExecutedChain,
  SEEDS,
  spoilSignature,
} from '../../../test/support/executed-chain.ts'
import { type FollowerRig, startRig } from '../../../test/support/follower-rig.ts'
import type { HeightEvent } from '../../core/block-source.ts'
import type { Block } from '../../core/block-store.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'

const HEIGHTS = 12
const bounds = {
  queueLimit: 4,
  queueBytes: 40_000,
  parkedHeights: 6,
  parkedBytes: 30_000,
  candidatesPerHeight: 2,
}
const txsAt = (height: number): Uint8Array[] =>
  height % 4 === 0 ? [] : [new Uint8Array(height * 150).fill(height), utf8(`tx ${height}`)]
const chains: readonly ExecutedChain[] = [
  makeExecutedChain({ count: HEIGHTS, txsAt }),
  makeExecutedChain({ count: HEIGHTS, txsAt, rotateAt: 6 }),
]

/** What strangers and broken sources make of an honest block; none of it has the proposer's signature and is whole. */
const kinds: readonly { readonly honest?: true; make(block: Block): Block }[] = [
  { honest: true, make: (block) => block },
  // The link to the data below is not the proposer's word: the follower puts the right one.
  { honest: true, make: withWrongLink },
  { make: (block) => ({ ...block, header: spoilSignature(block.header) }) },
  { make: (block) => ({ ...block, header: { ...block.header, signature: EMPTY_BYTES } }) },
  { make: (block) => ({ ...block, header: forge(block.header, {}, SEEDS.stranger) }) },
  { make: (block) => ({ ...block, header: forge(block.header, { appHash: EMPTY_BYTES }, SEEDS.stranger) }) },
  {
    make: (block) => ({
      ...block,
      header: forge(block.header, { lastHeaderHash: new Uint8Array(32) }, SEEDS.stranger),
    }),
  },
  { make: (block) => ({ ...block, header: forge(block.header, { chainId: 'x' }, SEEDS.stranger) }) },
  { make: (block) => ({ ...block, data: { ...block.data, txs: [utf8('forged')] } }) },
  { make: (block) => ({ ...block, data: { txs: block.data.txs } }) },
]

function withWrongLink({ header, data }: Block): Block {
  const { chainId, height, time } = header.header
  const lastDataHash = new Uint8Array(32).fill(5)
  return { header, data: { ...data, metadata: { chainId, height, time, lastDataHash } } }
}

const step = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      type: fc.constant('offer' as const),
      source: fc.constantFrom('p2p', 'da'),
      height: fc.integer({ min: 1, max: HEIGHTS }),
      kind: fc.constantFrom(...kinds),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('settle' as const), ms: fc.integer({ min: 0, max: 15_000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('disk' as const), works: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('executor' as const), works: fc.boolean() }) },
)

describe('the follower, whatever comes', () => {
  test('ends at the honest tip', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...chains),
        fc.array(step, { maxLength: 60 }),
        fc.infiniteStream(fc.boolean()),
        async (chain, steps, coins) => {
          const rig = await startRig(chain, bounds)
          const health = { executor: true }
          rig.executor.before = async () => {
            if (!health.executor) throw new EvolveError('EXECUTOR_UNREACHABLE', 'no answer')
          }
          const { signal } = new AbortController()
          const slandered: HeightEvent[] = []
          const waiting = new Set<Promise<void>>()
          const offer = (height: number, kind: (typeof kinds)[number], source: string): void => {
            const event = eventOf(kind.make(chain.at(height)), {
              source,
              daHeight: source === 'da' ? height * 10 : undefined,
              rejected: async () => void (kind.honest === true && slandered.push(event)),
            })
            const offered = rig.follower.offer(event, { signal })
            waiting.add(offered)
            void offered.finally(() => waiting.delete(offered))
          }
          for (const one of steps) {
            if (one.type === 'offer') offer(one.height, one.kind, one.source)
            else if (one.type === 'settle') await rig.time.advance(one.ms)
            else if (one.type === 'executor') health.executor = one.works
            else
              rig.kv.fail = one.works ? undefined : () => (coins.next().value === true ? 'before' : 'after')
            if (coins.next().value === true) await rig.time.settle()
            checkBounds(rig)
          }
          health.executor = true
          rig.kv.fail = undefined
          // Honest sources bring what is missing, as often as it takes.
          for (let round = 0; round < 4 && rig.follower.nextHeight <= HEIGHTS; round++) {
            await rig.time.advance(20_000)
            for (let height = rig.follower.nextHeight; height <= HEIGHTS; height++) {
              offer(height, kinds[0] ?? { make: withWrongLink }, 'p2p')
              await rig.time.settle()
              checkBounds(rig)
            }
          }
          await rig.time.advance(20_000)
          expect(rig.failure).toBeUndefined()
          expect(rig.follower.status()).toMatchObject({
            phase: 'following',
            height: HEIGHTS,
            stateRoot: chain.root(HEIGHTS),
            queueSize: 0,
            queueBytes: 0,
            lastError: undefined,
          })
          expect(waiting.size).toBe(0)
          expect(rig.executor.misuses).toEqual([])
          expect(rig.executor.executed).toEqual(Array.from({ length: HEIGHTS }, (_, i) => i + 1))
          for (const block of chain.blocks) {
            expect(await rig.blockStore.block(block.header.header.height)).toMatchObject(block)
          }
          expect(slandered).toEqual([])
          expect(rig.time.timers).toBe(0)
          await rig.stop()
        },
      ),
      { numRuns: 60 },
    )
  })
})

function checkBounds({ follower, executor }: FollowerRig): void {
  const { queueSize, queueBytes, parked, parkedBytes } = follower.status()
  expect(queueSize).toBeLessThanOrEqual(bounds.queueLimit)
  expect(queueBytes <= bounds.queueBytes || queueSize === 1).toBe(true)
  expect(parked).toBeLessThanOrEqual(bounds.parkedHeights * bounds.candidatesPerHeight)
  expect(parkedBytes).toBeLessThanOrEqual(bounds.parkedBytes)
  expect(executor.misuses).toEqual([])
}
