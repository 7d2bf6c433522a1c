/*
 * DA in trouble, and nodes that must not be: DA that is down, slow, wrong or another one; strangers and thieves on it.
 */
import { afterEach, describe, expect, test } from 'vitest'
import { evidenceKey } from '../../src/block/follower/equivocation.ts'
import type { Block } from '../../src/core/block-store.ts'
import { FOLLOW_METRICS } from '../../src/da/follow/metrics.ts'
import type { FaultHook } from '../../src/da/local/local-da.node.ts'
import { decodeDAHeaderEnvelope, encodeSignedHeader } from '../../src/types/codec.ts'
import { headerHash, type SignedHeader, signerOfSeed, signHeader } from '../../src/types/header.ts'
import { toBase64, toHex, utf8 } from '../../src/util/bytes.ts'
import {
  DA_NAMESPACES,
  type DaNetwork,
  laggingPool,
  type NetworkNode,
  startDaNetwork,
} from '../support/da-network.ts'
import { envelopeBytes, signedDataBytes } from '../support/da-rig.ts'
import { createPowerKv } from '../support/power-kv.ts'

const MIB = 1024 * 1024

const networks: DaNetwork[] = []
afterEach(async () => {
  for (const network of networks.splice(0)) await network.stop()
})

async function start(options: Parameters<typeof startDaNetwork>[0] = {}): Promise<DaNetwork> {
  const network = await startDaNetwork(options)
  networks.push(network)
  return network
}

/** All nodes have the same state after the height at which the first stands, and it is final for those that know DA. */
async function expectOneChain(first: NetworkNode, ...others: readonly NetworkNode[]): Promise<number> {
  const { height } = first.node.status()
  const nodes = [first, ...others]
  for (const one of nodes) {
    await one.executed(height)
    if (one.node.status().da !== undefined) await one.final(height)
  }
  const roots = await Promise.all(nodes.map(async (one) => await one.rootAt(height)))
  expect(new Set(roots).size).toBe(1)
  return height
}

/**
 * Every height of a range is on DA as it was made, header and data, and nothing else of the proposer. Resolves with
 * how many halves there are, and how many of their postings were one too many.
 */
async function expectOnDa(
  network: DaNetwork,
  { node }: NetworkNode,
  { from = 1, to }: { readonly from?: number; readonly to: number },
): Promise<{ readonly halves: number; readonly again: number }> {
  const { headers, data } = await network.posted()
  const posted = [
    ...headers.map((one) => ({ ...one, kind: 'header' })),
    ...data.map((one) => ({ ...one, kind: 'data' })),
  ]
  const found = new Set(posted.map(({ kind, height, hash }) => `${kind} ${height} ${hash}`))
  const made = new Set<string>()
  const missing: string[] = []
  for (let height = 1; height <= node.status().height; height++) {
    const { header, data: own } = await blockAt(node, height)
    const names = [`header ${height} ${toHex(headerHash(header.header))}`]
    if (own.txs.length > 0) names.push(`data ${height} ${toHex(header.header.dataHash)}`)
    for (const name of names) {
      made.add(name)
      if (height >= from && height <= to && !found.has(name)) missing.push(name)
    }
  }
  expect(missing).toEqual([])
  expect([...found].filter((name) => !made.has(name))).toEqual([])
  return { halves: found.size, again: posted.length - found.size }
}

async function blockAt({ blocks }: NetworkNode['node'], height: number): Promise<Block> {
  const [header, data] = [await blocks.header(height), await blocks.data(height)]
  if (header === undefined || data === undefined) throw new Error(`no block ${height}`)
  return { header, data }
}

describe('DA goes down', () => {
  test('production goes on; all is posted and final once DA is back, followers of all kinds with it', async () => {
    const network = await start()
    const aggregator = await network.aggregator()
    const follower = await network.follower()
    const behind = await network.follower({ da: false, peers: follower.node.addresses() })
    await follower.final(10)
    await network.daDown()
    const { height: downAt } = aggregator.node.status()
    await aggregator.executed(downAt + 80)
    expect(aggregator.node.status()).toMatchObject({ phase: 'producing', da: { reachable: false } })
    expect(aggregator.node.status().da?.pending).toBeGreaterThan(60)
    expect(follower.node.status().finalHeight).toBeLessThanOrEqual(downAt)
    await network.daUp()
    const height = await expectOneChain(aggregator, follower, behind)
    expect(height).toBeGreaterThanOrEqual(downAt + 80)
    expect((await expectOnDa(network, aggregator, { to: height })).again).toBeLessThanOrEqual(40)
  })

  test('production pauses when too much waits, and goes on by itself', async () => {
    const network = await start()
    const aggregator = await network.aggregator({ aggregator: { maxPending: 30 } })
    const follower = await network.follower()
    await follower.final(10)
    await network.daDown()
    await aggregator.logged('warn: production pauses: too many blocks wait for DA')
    const paused = aggregator.node.status()
    expect(paused).toMatchObject({ phase: 'paused', da: { pending: 30 } })
    await network.daUp()
    await aggregator.logged('info: production goes on')
    expect(paused.height).toBeLessThanOrEqual(aggregator.node.status().height)
    await aggregator.executed(paused.height + 30)
    await expectOneChain(aggregator, follower)
  })
})

/** Counts calls of a kind: true for every n-th. */
function every(n: number, of: (method: string) => boolean = () => true): (method: string) => boolean {
  let calls = 0
  return (method) => of(method) && ++calls % n === 0
}
const isStrangers = ([, options]: readonly unknown[]): boolean =>
  typeof options === 'object' && options !== null && Object.hasOwn(options, 'stranger')
const isSubmit = (method: string): boolean => method === 'blob.Submit'

/** Faults; `again` is how often, on average, a half may be posted once more because of them. */
function troubles(): readonly (readonly [string, { readonly fault: FaultHook; readonly again: number }])[] {
  const dropped = every(15)
  const silent = every(40)
  const gone = every(3, isSubmit)
  const lied = every(2, isSubmit)
  const swallowed = every(3, isSubmit)
  const refused = every(4)
  const down = every(5)
  let lie = 0
  return [
    ['is slow', { fault: () => ({ kind: 'none', delay: 200 }), again: 0 }],
    [
      'fails now and then',
      { fault: (method) => (refused(method) ? { kind: 'error', message: 'internal' } : undefined), again: 0 },
    ],
    [
      'has a proxy before it that fails',
      { fault: (method) => (down(method) ? { kind: 'status', status: 502 } : undefined), again: 1 },
    ],
    ['drops connections', { fault: (method) => (dropped(method) ? { kind: 'drop' } : undefined), again: 1 }],
    [
      'drops connections with the answer to a submission',
      { fault: (method) => (gone(method) ? { kind: 'drop', done: true } : undefined), again: 1 },
    ],
    [
      'leaves calls unanswered',
      { fault: (method) => (silent(method) ? { kind: 'silence' } : undefined), again: 1 },
    ],
    [
      'says wrong heights',
      {
        fault: (method) =>
          lied(method) ? { kind: 'lie', height: [1, 1_000_000, 7][lie++ % 3] ?? 1 } : undefined,
        again: 1,
      },
    ],
    [
      'takes submissions and forgets them',
      {
        fault: (method) => (isSubmit(method) && !swallowed(method) ? { kind: 'swallow' } : undefined),
        again: 1,
      },
    ],
  ]
}

describe('all becomes final while DA', () => {
  test.each(troubles())('%s', async (_, { fault, again }) => {
    const network = await start()
    network.fault = fault
    const client = { requestTimeout: 1_000 }
    const aggregator = await network.aggregator({ client })
    const follower = await network.follower({ client })
    await aggregator.executed(60)
    await aggregator.final(60)
    await follower.final(60)
    network.fault = undefined
    const height = await expectOneChain(aggregator, follower)
    const onDa = await expectOnDa(network, aggregator, { to: height })
    expect(onDa.again).toBeLessThanOrEqual(again * onDa.halves)
  })
})

test('all becomes final while DA is a pool of nodes of which some are behind', async () => {
  const network = await start()
  const aggregator = await network.aggregator({ wrap: laggingPool(4, () => network.da.height) })
  const follower = await network.follower({ wrap: laggingPool(4, () => network.da.height) })
  await aggregator.final(60)
  await follower.final(60)
  const height = await expectOneChain(aggregator, follower)
  expect((await expectOnDa(network, aggregator, { to: height })).again).toBeLessThanOrEqual(10)
})

describe('one half is not taken for a while', () => {
  test.each([
    ['data is not taken, and headers run ahead', DA_NAMESPACES.data],
    ['headers are not taken, and data runs ahead', DA_NAMESPACES.header],
  ])('%s', async (_, namespace) => {
    const network = await start()
    const aggregator = await network.aggregator()
    const follower = await network.follower()
    await follower.final(5)
    const stalled = toBase64(namespace)
    network.fault = (method, [blobs]) =>
      isSubmit(method) && JSON.stringify(blobs).includes(stalled)
        ? { kind: 'error', message: 'this namespace is not taken' }
        : undefined
    const { height: from } = aggregator.node.status()
    await aggregator.executed(from + 150)
    expect(follower.node.status().finalHeight).toBeLessThanOrEqual(from + 3)
    expect(follower.node.status().height).toBeLessThanOrEqual(from + 3)
    network.fault = undefined
    await aggregator.executed(from + 170)
    const height = await expectOneChain(aggregator, follower)
    expect((await expectOnDa(network, aggregator, { to: height })).again).toBeLessThanOrEqual(20)
  })
})

/** A header of a stranger that looks like the next ones of the chain. */
function forgedHeader(like: SignedHeader, height: number, seed: Uint8Array): SignedHeader {
  const { address } = signerOfSeed(seed)
  return signHeader({ ...like.header, height, proposerAddress: address }, seed)
}

const randomSeed = (): Uint8Array => crypto.getRandomValues(new Uint8Array(32))

interface Forgeries {
  readonly headers: Uint8Array[]
  readonly data: Uint8Array[]
}

/** Whatever strangers may post around a block of the chain, about `count` blobs, for heights from `next` on. */
function forgeries(
  { header: like, data: real }: Block,
  {
    next,
    count,
    chainId,
    wave,
  }: { readonly next: number; readonly count: number; readonly chainId: string; readonly wave: number },
): Forgeries {
  const headers: Uint8Array[] = []
  const data: Uint8Array[] = []
  const { time } = like.header
  const lastDataHash = crypto.getRandomValues(new Uint8Array(32))
  for (let i = 0; headers.length + data.length < count; i++) {
    // A few strangers with many forgeries each, and many strangers with few.
    const seed = i % 10 === 0 || currentSeed === undefined ? (currentSeed = randomSeed()) : currentSeed
    const height = next + (((wave * 200 + i) * 13) % 2_200)
    const forged = forgedHeader(like, height, seed)
    const txs = [utf8(`forged=${i}`), ...real.txs]
    const metadata = { chainId, height, time, lastDataHash }
    headers.push(
      // The right shape, of a height to come.
      envelopeBytes(forged, seed),
      // Without an envelope, as old ones are.
      encodeSignedHeader(forged),
      // Of a height in the far future.
      envelopeBytes(forgedHeader(like, height + 2 ** 40, seed), seed),
      // An envelope of a stranger around an honest header, and the proposer's name with a stranger's signature.
      envelopeBytes(like, seed),
      envelopeBytes({ ...like, header: { ...like.header, height, time: time + BigInt(i) } }, seed),
      // Junk.
      crypto.getRandomValues(new Uint8Array(40 + (i % 100))),
    )
    data.push(
      signedDataBytes({ metadata, txs }, seed),
      // Honest transactions, with another link or another author.
      signedDataBytes({ ...real, metadata: { ...metadata, height: like.header.height } }, seed),
      signedDataBytes(real, seed),
      signedDataBytes({ metadata, txs: [] }, seed),
      Uint8Array.of(i % 256),
    )
  }
  return { headers, data }
}
let currentSeed: Uint8Array | undefined

async function flood(network: DaNetwork, { node }: NetworkNode, count: number, wave: number): Promise<void> {
  const { height } = node.status()
  const block = await blockWithTxs(node, height)
  const { chainId } = network.genesis
  const { headers, data } = forgeries(block, { next: block.header.header.height + 1, count, chainId, wave })
  // In both namespaces: what is a header may lie among data, and the other way round.
  const mixed = [...headers.slice(0, 50), ...data.slice(0, 50)]
  await Promise.all([
    network.post('header', [...headers, ...mixed]),
    network.post('data', [...data, ...mixed]),
  ])
}

async function blockWithTxs({ blocks }: NetworkNode['node'], below: number): Promise<Block> {
  for (let height = below; height > 0; height--) {
    const [header, data] = [await blocks.header(height), await blocks.data(height)]
    if (header !== undefined && data !== undefined && data.txs.length > 0) return { header, data }
  }
  throw new Error('no block has transactions')
}

describe('strangers on DA', () => {
  test('10,000 forged blobs neither stop, nor halt, nor slow, nor grow a follower', async () => {
    const network = await start()
    const aggregator = await network.aggregator()
    const follower = await network.follower()
    await follower.final(10)
    const before = process.memoryUsage().rss
    for (let wave = 0; wave < 10; wave++) {
      await flood(network, aggregator, 1_000, wave)
      // Honest blocks come through between the waves.
      await follower.final(aggregator.node.status().height)
    }
    const giant = new Uint8Array(2 * MIB).fill(7)
    const { header } = await blockWithTxs(aggregator.node, aggregator.node.status().height)
    const seed = randomSeed()
    const metadata = {
      chainId: network.genesis.chainId,
      height: aggregator.node.status().height + 500,
      time: header.header.time,
      lastDataHash: new Uint8Array(32),
    }
    await network.post('data', [giant, signedDataBytes({ metadata, txs: [giant] }, seed)])
    await flood(network, aggregator, 500, 10)
    const height = await expectOneChain(aggregator, follower)
    const late = await network.follower()
    await late.executed(height)
    await late.final(height)
    expect(await late.rootAt(height)).toBe(await aggregator.rootAt(height))
    for (const { node, recorder, reads } of [follower, late]) {
      expect(node.status()).toMatchObject({
        phase: expect.stringMatching(/^(?:following|catching-up)$/),
        da: { reachable: true },
      })
      expect(node.status().targetHeight).toBeLessThanOrEqual(aggregator.node.status().height)
      expect(recorder.lines.filter((line) => /^(?:error|warn)/.test(line))).toEqual([])
      // No DA height is read twice, whatever lies there.
      expect(reads).toHaveLength(new Set(reads.map((read) => `${read.height} ${read.namespace}`)).size)
      // Of heights to come at most four of a kind are kept, and none of far ones: a few hundred bytes each.
      expect(recorder.value(FOLLOW_METRICS.waiting)).toBeLessThan(2 * 4 * 2_000)
      expect(recorder.value(FOLLOW_METRICS.waitingBytes)).toBeLessThan(20 * MIB)
    }
    // All of it together with DA, who posts to it, and three nodes.
    expect(process.memoryUsage().rss - before).toBeLessThan(700 * MIB)
  })

  test('who posts our data in our place does not keep us from posting it', async () => {
    const network = await start()
    const aggregator = await network.aggregator()
    const follower = await network.follower()
    await follower.final(4)
    const ours = toBase64(DA_NAMESPACES.data)
    network.fault = (method, [blobs, options]) =>
      isSubmit(method) && JSON.stringify(blobs).includes(ours) && !isStrangers([blobs, options])
        ? { kind: 'error', message: 'not now' }
        : undefined
    const { height: from } = aggregator.node.status()
    await aggregator.executed(from + 20)
    const seed = randomSeed()
    const copies: Uint8Array[] = []
    for (let height = 1; height <= from + 20; height++) {
      const { data } = await blockAt(aggregator.node, height)
      if (data.txs.length > 0) copies.push(signedDataBytes(data, seed))
    }
    await network.post('data', copies)
    // The header vouches for the transactions, whoever brought them.
    await follower.executed(from + 20)
    network.fault = undefined
    await aggregator.executed(from + 40)
    const height = await expectOneChain(aggregator, follower)
    await expectOnDa(network, aggregator, { to: height })
  })

  test('more bytes in one DA height than a block of ours may ever have do not stop a follower', async () => {
    const network = await start({ daBlockTime: 500 })
    const client = { requestTimeout: 30_000 }
    const aggregator = await network.aggregator({ client })
    const follower = await network.follower({ client })
    await follower.final(10)
    const giant = new Uint8Array(5 * MIB - 1_000).fill(7)
    const { header } = await blockAt(aggregator.node, 4)
    const { height: next } = aggregator.node.status()
    const metadata = {
      chainId: network.genesis.chainId,
      height: next,
      time: header.header.time,
      lastDataHash: new Uint8Array(32),
    }
    // Together more than may be kept of heights to come: junk, and data that a header might still vouch for.
    await network.post('data', [giant])
    for (const wave of [1, 2, 3, 4]) {
      const shaped = [1, 2, 3, 4].map((index) =>
        signedDataBytes(
          { metadata: { ...metadata, height: next + 500 * wave + index }, txs: [giant.fill(index)] },
          randomSeed(),
        ),
      )
      await Promise.all(shaped.map(async (one) => await network.post('data', [one])))
    }
    await aggregator.executed(aggregator.node.status().height + 40)
    await expectOneChain(aggregator, follower)
    const held = follower.recorder.value(FOLLOW_METRICS.waitingBytes)
    expect(held).toBeGreaterThan(32 * MIB)
    expect(held).toBeLessThanOrEqual(64 * MIB)
  })
})

/** Another header of the aggregator's own key for the height of a block, as a second aggregator would post it. */
function second(network: DaNetwork, { header }: Block, height = header.header.height): Uint8Array {
  const { seed } = network.key
  return envelopeBytes(
    signHeader({ ...header.header, height, appHash: new Uint8Array(32).fill(9) }, seed),
    seed,
  )
}

describe("the aggregator's key is used elsewhere, and DA shows it", () => {
  test('for a made height: evidence is kept, production halts, followers stay with the first', async () => {
    const network = await start()
    const aggregator = await network.aggregator()
    const follower = await network.follower()
    await follower.final(12)
    const other = second(network, await blockAt(aggregator.node, 7))
    await network.post('header', [other])
    const failure = await aggregator.node.failed
    expect(failure).toMatchObject({ code: 'EQUIVOCATION', verdict: 'halt' })
    const { height, phase } = aggregator.node.status()
    expect(phase).toBe('halted')
    // What was made before is still posted, and followed.
    await follower.final(height)
    expect(await follower.rootAt(height)).toBe(await aggregator.rootAt(height))
    for (const { node } of [aggregator, follower]) {
      const kept = await node.blocks.metadata(evidenceKey(7))
      expect(kept).toEqual(encodeSignedHeader(decodeDAHeaderEnvelope(other).header))
    }
    expect(follower.node.status().phase).toBe('following')
    // One may have been on its way in that moment.
    expect(aggregator.node.status().height).toBeLessThanOrEqual(height + 1)
    expect(aggregator.ledger?.last?.height).toBeLessThanOrEqual(height + 1)
  })

  test.each([
    ['the next height', 1],
    ['a height further up', 40],
  ])('for %s: production halts before anything more is signed', async (_, above) => {
    const network = await start()
    const aggregator = await network.aggregator({
      busy: false,
      aggregator: { lazyMode: true, lazyBlockInterval: 600_000 },
    })
    for (let i = 0; i < 5; i++) {
      await aggregator.executor.submitTx(utf8(`key=${i}`))
      await aggregator.executed(i + 1)
    }
    const { height } = aggregator.node.status()
    await aggregator.final(height)
    const last = await blockAt(aggregator.node, height)
    const { header } = last.header
    const next = signHeader(
      { ...header, height: height + above, lastHeaderHash: headerHash(header), time: header.time + 1n },
      network.key.seed,
    )
    await network.post('header', [envelopeBytes(next, network.key.seed)])
    expect(await aggregator.node.failed).toMatchObject({ code: 'FOREIGN_BLOCK', verdict: 'halt' })
    await aggregator.executor.submitTx(utf8('key=more'))
    expect(aggregator.node.status()).toMatchObject({ height, phase: 'halted' })
    await aggregator.node.stop()
    expect(aggregator.ledger?.last?.height).toBe(height)
  })
})

/** The highest height up to which everything lies on DA. */
async function highestOnDa(network: DaNetwork, { node }: NetworkNode): Promise<number> {
  const { headers, data } = await network.posted()
  const onDa = {
    headers: new Set(headers.map(({ height }) => height)),
    data: new Set(data.map(({ height }) => height)),
  }
  for (let height = 1; ; height++) {
    if (!onDa.headers.has(height)) return height - 1
    const { data: own } = await blockAt(node, height)
    if (own.txs.length > 0 && !onDa.data.has(height)) return height - 1
  }
}

describe('another DA chain stands where the first one was', () => {
  test('what was final stays so, what was lost with it is posted again, new blocks become final', async () => {
    const network = await start()
    const aggregator = await network.aggregator()
    const follower = await network.follower({ peers: aggregator.node.addresses() })
    await follower.final(30)
    network.da.pause()
    const kept = await highestOnDa(network, aggregator)
    await aggregator.final(kept)
    await follower.final(kept)
    // Some is on the way when the chain goes.
    await aggregator.executed(kept + 20)
    await network.daDown()
    const finals: number[] = []
    for (const { node } of [aggregator, follower]) node.onFinal((height) => finals.push(height))
    await network.daUp({ anew: true })
    await aggregator.executed(kept + 60)
    const height = await expectOneChain(aggregator, follower)
    expect(Math.min(...finals)).toBeGreaterThan(kept)
    expect((await expectOnDa(network, aggregator, { from: kept + 1, to: height })).again).toBeLessThanOrEqual(
      60,
    )
    const { headers } = await network.posted()
    expect(Math.min(...headers.map((one) => one.height))).toBe(kept + 1)
    for (const { recorder } of [aggregator, follower]) {
      expect(
        recorder.times('error: the DA chain is another than the one read before; reading it from the start'),
      ).toBe(1)
    }
  })
})

describe('a follower that knows nothing but DA', () => {
  test('goes on after stops, kills and faults, and reads no DA height again that it has dealt with', async () => {
    const network = await start()
    const dropped = every(20)
    network.fault = (method, params) =>
      !isStrangers(params) && dropped(method) ? { kind: 'drop' } : undefined
    const aggregator = await network.aggregator()
    const disk = createPowerKv()
    const first = await network.follower({ kv: disk })
    for (const height of [10, 25]) {
      await first.final(height)
      if (height === 10) await flood(network, aggregator, 500, 0)
      await first.node.stop()
      const { next } = first.node.status().da ?? {}
      const before = first.reads.length
      await first.node.start()
      await first.final(height + 8)
      const again = first.reads.slice(before).map((read) => read.height)
      expect(Math.min(...again)).toBeGreaterThanOrEqual(next ?? Infinity)
    }
    let alive = first
    let left = disk
    for (const height of [40, 55, 70]) {
      await alive.final(height)
      if (height === 55) await flood(network, aggregator, 500, 1)
      const { next } = alive.node.status().da ?? {}
      left = await left.afterPowerCut()
      const reborn = await network.follower({ kv: left })
      await alive.node.stop()
      alive = reborn
      await alive.final(height + 5)
      expect(Math.min(...alive.reads.map((read) => read.height))).toBeGreaterThanOrEqual(next ?? Infinity)
    }
    await expectOneChain(aggregator, alive)
  })
})
