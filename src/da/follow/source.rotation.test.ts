import { sha256 } from '#crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeChain, type TestChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import {
  createDaRig,
  envelopeBytes,
  RIG_DATA,
  RIG_HEADERS,
  signedDataBytes,
} from '../../../test/support/da-rig.ts'
import { createScriptedDa } from '../../../test/support/scripted-da.ts'
import { createProposers, type Proposers } from '../../core/proposers.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { type Header, headerHash, signerOfSeed, signHeader } from '../../types/header.ts'
import { utf8 } from '../../util/bytes.ts'

/*
 * A chain whose proposer changes, read from DA alone. What execution would do is done here: it names the proposer of
 * a height once the block below is there.
 */
const COUNT = 20
const TURN = 11
const first = makeChain({ count: COUNT })
const next = sha256(utf8('the next proposer'))
const strangers = heightsTo(6).map((index) => sha256(utf8(`stranger ${index}`)))
const seedOf = (height: number): Uint8Array => (height < TURN ? first.seed : next)

function turned(): TestChain {
  const blocks: TestChain['blocks'][number][] = []
  for (const { header, data } of first.blocks) {
    const below = blocks.at(-1)
    const { height } = header.header
    const changed: Header = {
      ...header.header,
      proposerAddress: signerOfSeed(seedOf(height)).address,
      lastHeaderHash: below === undefined ? header.header.lastHeaderHash : headerHash(below.header.header),
    }
    blocks.push({ header: signHeader(changed, seedOf(height)), data })
  }
  return { ...first, blocks }
}

const chain = turned()
const { genesis } = chain
const { block, expectIn, inclusion } = createDaChain(chain)

interface Plan {
  readonly headersAt: readonly number[]
  readonly dataAt: readonly number[]
  readonly forged: readonly { readonly at: number; readonly height: number; readonly by: number }[]
  /** Whether the node is restarted when the proposer has changed. */
  readonly restart: boolean
  /** Headers of the first proposer beyond its term, which the store has taken before execution knew better. */
  readonly beyond: boolean
  readonly maxBytes: number
  /** Whether each DA height is too full for whoever is not expected. */
  readonly crowded: boolean
}

const place = fc.integer({ min: 1, max: 40 })
const plan: fc.Arbitrary<Plan> = fc.record({
  headersAt: fc.array(place, { minLength: COUNT, maxLength: COUNT }),
  dataAt: fc.array(place, { minLength: COUNT, maxLength: COUNT }),
  forged: fc.array(
    fc.record({ at: place, height: fc.integer({ min: 1, max: 25 }), by: fc.integer({ min: 0, max: 5 }) }),
    { maxLength: 120 },
  ),
  restart: fc.boolean(),
  beyond: fc.boolean(),
  maxBytes: fc.integer({ min: 4_000, max: 40_000 }),
  crowded: fc.boolean(),
})

async function play(one: Plan): Promise<void> {
  const da = createScriptedDa()
  for (const { at, height, by } of one.forged) {
    const seed = strangers[by] ?? next
    const { header } = first.blocks[height % COUNT]?.header ?? block(1).header
    const forged = {
      ...header,
      height,
      proposerAddress: signerOfSeed(seed).address,
      appHash: utf8(`${at} ${by}`),
    }
    da.put(at, RIG_HEADERS, envelopeBytes(signHeader(forged, seed), seed))
    const metadata = { chainId: genesis.chainId, height, time: 1n, lastDataHash: new Uint8Array() }
    da.put(at, RIG_DATA, signedDataBytes({ metadata, txs: [utf8(`${at} ${by}`)] }, seed))
  }
  for (const height of heightsTo(COUNT)) {
    const { header, data } = block(height)
    da.put(one.headersAt[height - 1] ?? 1, RIG_HEADERS, envelopeBytes(header, seedOf(height)))
    if (data.txs.length > 0) {
      da.put(one.dataAt[height - 1] ?? 1, RIG_DATA, signedDataBytes(data, seedOf(height)))
    }
  }
  if (one.beyond) {
    const below = block(TURN - 1).header.header
    const wrong = { ...(first.blocks[TURN - 1]?.header.header ?? below), lastHeaderHash: headerHash(below) }
    da.put(20, RIG_HEADERS, envelopeBytes(signHeader(wrong, first.seed), first.seed))
  }
  da.grow(41)
  const kv = createMemoryKv()
  const source = { window: 30, maxBytes: one.maxBytes }

  async function run(proposers: Proposers): Promise<Awaited<ReturnType<typeof createDaRig>>> {
    const rig = await createDaRig({
      genesis,
      da,
      kv,
      source,
      proposers,
      ...(one.crowded ? { crowdedBytes: -1 } : {}),
    })
    const store = rig.headers.store()
    rig.data.store().onHeight((height) => {
      if (height < TURN - 1) return
      proposers.name(TURN, signerOfSeed(next).address)
    })
    proposers.onChange((height) => {
      // The header service takes away what the old one signed beyond its term.
      store.truncate(height - 1).catch((error: unknown) => expect(error).toBeUndefined())
    })
    await rig.source.start()
    return rig
  }
  const signal = AbortSignal.timeout(10_000)
  let rig = await run(createProposers(1, genesis.proposerAddress))
  try {
    if (one.restart) {
      await rig.data.store().waitFor(TURN - 1, { signal })
      await rig.stop()
      const stored = (await kv.start(), rig.headers.store().height >= TURN)
      const proposers = createProposers(1, genesis.proposerAddress)
      proposers.name(TURN, signerOfSeed(next).address)
      rig = await run(proposers)
      if (stored) await rig.headers.store().truncate(TURN - 1)
    }
    await rig.reached(COUNT)
    await rig.source.caughtUp({ signal })
    await expectIn(rig, COUNT)
    for (const height of heightsTo(COUNT)) {
      expect((await inclusion(rig, height))[0]).toBe(one.headersAt[height - 1])
    }
  } finally {
    await rig.stop()
  }
}

test('a change of the proposer loses nothing, whatever strangers post', { timeout: 120_000 }, async () => {
  await fc.assert(fc.asyncProperty(plan, play), { numRuns: 60 })
})

test('how far each proposer has come is told, and falls when another one is named', async () => {
  const rig = await createDaRig({ genesis })
  const post = (at: number, height: number, seed: Uint8Array): void => {
    const proposerAddress = signerOfSeed(seed).address
    const signed = signHeader({ ...block(1).header.header, height, proposerAddress }, seed)
    rig.da.put(at, RIG_HEADERS, envelopeBytes(signed, seed))
  }
  const told = (): number[] => [
    rig.source.highest,
    rig.source.highestBy(genesis.proposerAddress),
    rig.source.highestBy(signerOfSeed(next).address),
  ]
  const caughtUp = async (): Promise<void> =>
    await rig.source.caughtUp({ signal: AbortSignal.timeout(10_000) })
  try {
    expect(told()).toEqual([0, 0, 0])
    post(1, 500, first.seed)
    post(1, 700, next)
    await rig.source.start()
    await caughtUp()
    expect(told()).toEqual([500, 500, 0])
    rig.proposers.name(TURN, signerOfSeed(next).address)
    post(2, 12, next)
    post(2, 600, first.seed)
    await caughtUp()
    // What waited was judged again.
    expect(told()).toEqual([700, TURN - 1, 700])
  } finally {
    await rig.stop()
  }
})
