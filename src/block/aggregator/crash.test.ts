/*
 * A producer that ends, or is failed by what it stands on, at every single call that changes something: no transaction
 * is lost or doubled, no height is signed over two headers, what peers have seen stays, and the chain goes on.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  beginLife,
  createWorld,
  type Fault,
  type Life,
  type World,
} from '../../../test/support/producer-rig.ts'
import { encodeData, encodeSignedHeader } from '../../types/codec.ts'
import { dataHash } from '../../types/data.ts'
import { headerHash } from '../../types/header.ts'
import { validateHeader, validatePair } from '../../types/validate.ts'
import { EMPTY_BYTES, fromUtf8, toHex, utf8 } from '../../util/bytes.ts'

/** Blocks that a life makes, if it lasts. */
const GOAL = 3

/** What clients know of their transactions. */
interface Ledger {
  readonly submitted: string[]
  /** Those that they were told are durable. */
  readonly taken: string[]
}

interface Strike extends Fault {
  /** Which of the calls that change something. */
  readonly index: number
  /** A power cut comes with the death. */
  readonly powerCut?: boolean
}

async function submit(life: Life, clients: Ledger, count: number): Promise<void> {
  const texts = Array.from({ length: count }, (_, i) => `k${i}=${clients.submitted.length + i}`)
  clients.submitted.push(...texts)
  const outcome = life.submit(...texts).then(
    () => clients.taken.push(...texts),
    () => undefined,
  )
  await Promise.race([outcome, life.time.settle()])
}

/** How blocks are made. */
interface Making {
  readonly blockTime: number
  /** Whether the executor writes into the batch of the block. */
  readonly held: boolean
}

const MAKINGS: readonly Making[] = [
  { blockTime: 1_000, held: false },
  { blockTime: 1_000, held: true },
  { blockTime: 0, held: true },
]

/** Lives until it has made its blocks or ends. Returns whether the strike fell. */
async function live(
  world: World,
  clients: Ledger,
  strike: Strike | undefined,
  { blockTime, held }: Making,
): Promise<boolean> {
  let struck = false
  let index = 0
  const life = await beginLife(world, {
    blockTime,
    held,
    execution: { attemptDelay: 10 },
    prepare: (begun) => {
      begun.fault = () => {
        if (strike === undefined || index++ !== strike.index) return undefined
        struck = true
        return strike
      }
    },
  })
  const goal = life.producer.status().height + GOAL
  for (let round = 0; round < 20 && !life.dead && life.producer.status().height < goal; round++) {
    await submit(life, clients, round % 3)
    // At block time 0 each block takes a millisecond; then blocks are still made in a pause after a failure.
    await life.time.advance(blockTime === 0 ? 1 + (round % 3) * 50 : blockTime)
  }
  if (blockTime === 0) await life.time.advance(5)
  expect(life.failure).toBeUndefined()
  if (life.dead) {
    world.now = life.time.env.now()
    if (strike?.powerCut === true) world.disk = await world.disk.afterPowerCut()
    return struck
  }
  expect(life.producer.status().height).toBeGreaterThanOrEqual(goal)
  await life.stop()
  return struck
}

/** One life after the other, the last without a strike; then everything is looked at. */
async function liveAll(strikes: readonly Strike[], making: Making): Promise<boolean> {
  const world = createWorld()
  const clients: Ledger = { submitted: [], taken: [] }
  let allStruck = true
  for (const strike of strikes) allStruck = (await live(world, clients, strike, making)) && allStruck
  await live(world, clients, undefined, making)
  await inspect(world, clients)
  return allStruck
}

async function inspect(world: World, clients: Ledger): Promise<void> {
  expect(world.misuses).toEqual([])
  for (const [height, hashes] of world.signed) expect([height, hashes.size]).toEqual([height, 1])
  const life = await beginLife(world, { blockTime: 3_600_000 })
  const chain = await life.chain()
  let [lastHeaderHash, lastDataHash] = [EMPTY_BYTES, EMPTY_BYTES]
  let time = 0n
  for (const { header, data } of chain) {
    const { height } = header.header
    validateHeader(header)
    validatePair(header, data)
    expect(header.header.time).toBeGreaterThan(time)
    expect(header.header.lastHeaderHash).toEqual(lastHeaderHash)
    expect(data.metadata?.lastDataHash).toEqual(lastDataHash)
    time = header.header.time
    lastHeaderHash = headerHash(header.header)
    lastDataHash = dataHash(data)
    expect(world.published.get(height)).toBe(toHex(encodeSignedHeader(header)) + toHex(encodeData(data)))
    expect(world.signed.get(height)?.has(toHex(lastHeaderHash))).toBe(true)
  }
  expect(world.published.size).toBe(chain.length)
  const txs = chain.flatMap(({ data }) => data.txs.map((tx) => fromUtf8(tx) ?? ''))
  expect(new Set(txs).size).toBe(txs.length)
  expect(txs.filter((tx) => clients.taken.includes(tx))).toEqual(clients.taken)
  // In the order they were submitted, those that nobody was told of included.
  expect(clients.submitted.filter((tx) => txs.includes(tx))).toEqual(txs)
  const values = new Map(txs.map((tx) => [tx.slice(0, 2), tx.slice(3)]))
  for (const [key, value] of values) expect(await life.executor.get(utf8(key))).toEqual(utf8(value))
  expect(life.producer.status().stateRoot).toEqual(await life.executor.stateRoot())
  expect(life.sequencer.size).toBe(0)
  expect(life.sequencer.settledHeight).toBe(life.producer.status().height)
  await life.stop()
}

const FAULTS: readonly (Fault & { readonly powerCut?: boolean })[] = [
  { kind: 'die', when: 'before' },
  { kind: 'die', when: 'after' },
  { kind: 'die', when: 'before', powerCut: true },
  { kind: 'die', when: 'after', powerCut: true },
  { kind: 'fail', when: 'before' },
  { kind: 'fail', when: 'after' },
]

describe('a producer', () => {
  const cases = MAKINGS.flatMap((making) => FAULTS.map((fault) => ({ fault, making, ...fault, ...making })))
  test.each(cases)(
    'block time $blockTime, held $held, at every call: $kind $when it, power cut $powerCut',
    async ({ fault, making }) => {
      let index = 0
      // At block time 0 a life has many blocks: those of the beginning are like all others.
      while ((making.blockTime > 0 || index < 30) && (await liveAll([{ ...fault, index }], making))) index++
      // Genesis, and for each block: record, ledger, execution, signature, block, publication.
      expect(index).toBeGreaterThan(GOAL * 6)
    },
  )

  test.each(MAKINGS)('again and again, anywhere, block time $blockTime, held $held', async (making) => {
    const strike = fc.record({
      kind: fc.constantFrom<Fault['kind']>('die', 'fail'),
      when: fc.constantFrom<Fault['when']>('before', 'after'),
      index: fc.integer({ min: 0, max: 25 }),
      powerCut: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(strike, { minLength: 2, maxLength: 6 }), async (strikes) => {
        await liveAll(strikes, making)
      }),
      { numRuns: 40 },
    )
  })
})
