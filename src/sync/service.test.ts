import { afterEach, describe, expect, test } from 'vitest'
import { makeChain } from '../../test/support/chain.ts'
import { createMemoryHub, type MemoryHub } from '../../test/support/memory-network.ts'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createProposers, type Proposers } from '../core/proposers.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import type { Genesis } from '../types/genesis.ts'
import { headerHash } from '../types/header.ts'
import { isEvolveError } from '../util/errors.ts'
import { createDataSyncService, type DataSyncService } from './data-service.ts'
import { createHeaderSyncService, type HeaderSyncService } from './header-service.ts'

const txsAt = (height: number): Uint8Array[] => (height % 10 === 0 ? [Uint8Array.of(height % 256)] : [])
const { genesis, blocks } = makeChain({ count: 200, txsAt })
const { signal } = new AbortController()

interface Node {
  readonly headers: HeaderSyncService
  readonly data: DataSyncService
  readonly proposers: Proposers
}

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

async function startNode(
  hub: MemoryHub,
  id: string,
  options: {
    readonly aggregator?: boolean
    readonly configured?: string[]
    readonly genesis?: Genesis
    readonly known?: number
  } = {},
): Promise<Node> {
  const kv = createMemoryKv()
  await kv.start()
  const own = options.genesis ?? genesis
  const network = hub.node(id, { configured: options.configured ?? [] })
  const proposers = createProposers(own.initialHeight, own.proposerAddress)
  const shared = { kv, network, genesis: own, env: systemEnv, logger: noopLogger, metrics: noopMetrics }
  const sync = { blockTime: 1_000, aggregator: options.aggregator ?? false }
  const headers = createHeaderSyncService({ ...shared, proposers }, sync)
  const data = createDataSyncService({ ...shared, headers: headers.store() }, sync)
  await headers.start()
  for (let height = 1; height <= (options.known ?? 0); height++) {
    await headers.insert([block(height).header], { signal, broadcast: false })
  }
  await data.start()
  stops.push(async () => {
    await data.stop()
    await headers.stop()
    await kv.stop()
  })
  return { headers, data, proposers }
}

function block(height: number): (typeof blocks)[number] {
  const found = blocks[height - genesis.initialHeight]
  if (found === undefined) throw new Error(`no block ${height}`)
  return found
}

async function publish(node: Node, from: number, to: number): Promise<void> {
  for (let height = from; height <= to; height++) {
    await node.headers.writeToStoreAndBroadcast(block(height).header, { signal })
    await node.data.writeToStoreAndBroadcast(block(height).data, { signal })
  }
}

async function has(node: Node, height: number): Promise<void> {
  await node.headers.store().waitFor(height, { signal })
  await node.data.store().waitFor(height, { signal })
}

describe('a chain between services', () => {
  test('a late follower gets all that was made before, and then what is new', async () => {
    const hub = createMemoryHub()
    const aggregator = await startNode(hub, 'aggregator', { aggregator: true })
    await publish(aggregator, 1, 150)
    expect(aggregator.headers.height).toBe(150)
    const follower = await startNode(hub, 'follower', { configured: ['aggregator'] })
    hub.connect('aggregator', 'follower')
    await has(follower, 150)
    await publish(aggregator, 151, 200)
    await has(follower, 200)
    expect(await follower.data.store().rangeBytes(1, 201)).toEqual(
      await aggregator.data.store().rangeBytes(1, 201),
    )
  })

  test('data is completed where all headers were there before the start', async () => {
    const node = await startNode(createMemoryHub(), 'alone', { known: 9 })
    await has(node, 9)
  })

  test('a follower that was there first is begun by the first block', async () => {
    const hub = createMemoryHub()
    const aggregator = await startNode(hub, 'aggregator', { aggregator: true })
    const follower = await startNode(hub, 'follower', { configured: ['aggregator'] })
    hub.connect('aggregator', 'follower')
    await publish(aggregator, 1, 3)
    await has(follower, 3)
  })

  test('a follower serves another', async () => {
    const hub = createMemoryHub()
    const aggregator = await startNode(hub, 'aggregator', { aggregator: true })
    await publish(aggregator, 1, 100)
    const middle = await startNode(hub, 'middle', { configured: ['aggregator'] })
    hub.connect('aggregator', 'middle')
    await has(middle, 100)
    const last = await startNode(hub, 'last', { configured: ['middle'] })
    hub.connect('middle', 'last')
    await has(last, 100)
  })

  test('gossip travels through a node in the middle, also what that had before the message came', async () => {
    const hub = createMemoryHub()
    const aggregator = await startNode(hub, 'aggregator', { aggregator: true })
    await publish(aggregator, 1, 5)
    const middle = await startNode(hub, 'middle', { configured: ['aggregator'] })
    hub.connect('aggregator', 'middle')
    await has(middle, 5)
    const last = await startNode(hub, 'last', { configured: ['middle'] })
    hub.connect('middle', 'last')
    await has(last, 5)
    // Only gossip is left between the two.
    hub.faults.request = (_from, to) => (to === 'middle' ? 'unreachable' : 'deliver')
    await publish(aggregator, 6, 9)
    await has(last, 9)
    const { header, data } = block(10)
    expect(data.txs).not.toHaveLength(0)
    await aggregator.headers.writeToStoreAndBroadcast(header, { signal })
    await aggregator.data.store().append([data])
    await has(middle, 10)
    await aggregator.data.writeToStoreAndBroadcast(data, { signal })
    await has(last, 10)
  })

  test('what was evicted is asked again', async () => {
    const hub = createMemoryHub()
    const aggregator = await startNode(hub, 'aggregator', { aggregator: true })
    await publish(aggregator, 1, 80)
    const follower = await startNode(hub, 'follower', { configured: ['aggregator'] })
    hub.connect('aggregator', 'follower')
    await has(follower, 80)
    await follower.data.evict(40, 'test')
    await follower.headers.evict(40, 'test')
    await has(follower, 80)
  })

  test('headers beyond the term of an old proposer go when another is named', async () => {
    const hub = createMemoryHub()
    const node = await startNode(hub, 'node', { aggregator: true })
    await publish(node, 1, 20)
    const gone = new Promise<void>((resolve) => {
      node.headers.store().onHeight((height) => {
        if (height === 10) resolve()
      })
    })
    node.proposers.name(11, new Uint8Array(32).fill(5))
    await gone
    expect(node.headers.height).toBe(10)
  })
})

describe('writeToStoreAndBroadcast', () => {
  test('stores the item before it resolves', async () => {
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    await node.headers.writeToStoreAndBroadcast(block(1).header, { signal })
    expect(node.headers.height).toBe(1)
    const stored = await node.headers.store().get(headerHash(block(1).header.header))
    expect(stored?.header.height).toBe(1)
  })

  test('takes the same item twice', async () => {
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    await publish(node, 1, 2)
    await publish(node, 1, 2)
    expect(node.headers.height).toBe(2)
  })

  test('refuses an item without height', async () => {
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    const empty = node.data.writeToStoreAndBroadcast({ txs: [] }, { signal })
    await expect(empty).rejects.toMatchObject({ code: 'EMPTY_ITEM' })
  })

  test('refuses to work without an initial height', async () => {
    const node = await startNode(createMemoryHub(), 'node', { genesis: { ...genesis, initialHeight: 0 } })
    const write = node.headers.writeToStoreAndBroadcast(block(1).header, { signal })
    await expect(write).rejects.toMatchObject({ code: 'INVALID_INITIAL_HEIGHT' })
  })

  test('refuses a header by a stranger and keeps it out of the store', async () => {
    const stranger = makeChain({ count: 1, seed: new Uint8Array(32).fill(9), chainId: genesis.chainId })
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    const [first] = stranger.blocks
    if (first === undefined) throw new Error('the chain is empty')
    await expect(node.headers.writeToStoreAndBroadcast(first.header, { signal })).rejects.toSatisfy((error) =>
      isEvolveError(error, 'UNEXPECTED_PROPOSER'),
    )
    expect(node.headers.height).toBe(0)
  })

  test('refuses when the service does not run', async () => {
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    await node.headers.stop()
    const write = node.headers.writeToStoreAndBroadcast(block(1).header, { signal })
    await expect(write).rejects.toMatchObject({ code: 'SERVICE_STOPPED' })
  })
})

describe('insert', () => {
  const headers = (from: number, to: number) => blocks.slice(from - 1, to).map(({ header }) => header)

  test('continues the store with a run, passes over what is there, and tells peers only of what is new', async () => {
    const hub = createMemoryHub()
    const node = await startNode(hub, 'node', { aggregator: true })
    const follower = await startNode(hub, 'follower', { configured: ['node'] })
    hub.connect('node', 'follower')
    await node.headers.insert(headers(1, 20), { signal, broadcast: false })
    await node.headers.insert(headers(1, 30), { signal, broadcast: true })
    expect(node.headers.height).toBe(30)
    expect(node.headers.targetHeight).toBe(30)
    await follower.headers.store().waitFor(30, { signal })
  })

  test('stores what is good in front of a wrong item', async () => {
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    const run = headers(1, 10)
    const [sixth] = run.slice(5)
    if (sixth === undefined) throw new Error('the run is too short')
    run[5] = { ...sixth, signature: new Uint8Array(64) }
    const inserted = node.headers.insert(run, { signal, broadcast: false })
    await expect(inserted).rejects.toMatchObject({ code: 'INVALID_SIGNATURE', verdict: 'reject' })
    expect(node.headers.height).toBe(5)
  })

  test('refuses a run that leaves a gap', async () => {
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    await node.headers.insert(headers(1, 3), { signal, broadcast: false })
    const inserted = node.headers.insert(headers(5, 6), { signal, broadcast: false })
    await expect(inserted).rejects.toMatchObject({ code: 'NON_ADJACENT_RANGE' })
  })

  test('another item of the proven proposer at a stored height is a conflict, not a change', async () => {
    const other = makeChain({ count: 3, txsAt: () => [Uint8Array.of(1, 2, 3)] })
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    await node.headers.insert(headers(1, 3), { signal, broadcast: false })
    const inserted = node.headers.insert(
      other.blocks.map(({ header }) => header),
      { signal, broadcast: false },
    )
    await expect(inserted).rejects.toMatchObject({ code: 'CONFLICTING_ITEM', verdict: 'ignore' })
    expect(await node.headers.store().at(1)).toMatchObject({ header: block(1).header.header })
  })

  test('only what we made may be ahead of our clock', async () => {
    const startTime = systemEnv.now() + 3_600_000_000_000n
    const ahead = makeChain({ count: 2, startTime })
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    const [first, second] = ahead.blocks
    if (first === undefined || second === undefined) throw new Error('the chain is too short')
    const found = node.headers.insert([first.header], { signal, broadcast: false })
    await expect(found).rejects.toMatchObject({ code: 'FROM_FUTURE' })
    await node.headers.insert([first.header], { signal, broadcast: false, own: true })
    await node.headers.writeToStoreAndBroadcast(second.header, { signal })
    expect(node.headers.height).toBe(2)
  })

  test('data needs its header', async () => {
    const node = await startNode(createMemoryHub(), 'node', { aggregator: true })
    const data = blocks.slice(0, 20).map((one) => one.data)
    await node.headers.insert(headers(1, 10), { signal, broadcast: false })
    await expect(node.data.insert(data, { signal, broadcast: false })).rejects.toMatchObject({
      code: 'HEADER_UNKNOWN',
      verdict: 'ignore',
    })
    expect(node.data.height).toBe(10)
  })
})

describe('askPeers', () => {
  test('learns of a newer head at once, however new ours is', async () => {
    const hub = createMemoryHub()
    const aggregator = await startNode(hub, 'aggregator', { aggregator: true })
    await publish(aggregator, 1, 9)
    const node = await startNode(hub, 'node', { aggregator: true, configured: ['aggregator'] })
    await publish(node, 1, 4)
    hub.connect('aggregator', 'node')
    const head = await node.headers.askPeers({ signal })
    expect(head?.header.height).toBe(9)
    await has(node, 9)
  })
})

describe('life', () => {
  test('start twice, stop twice, stop before start, start again', async () => {
    const hub = createMemoryHub()
    const node = await startNode(hub, 'node', { aggregator: true })
    await node.headers.start()
    await publish(node, 1, 3)
    await node.data.stop()
    await node.data.stop()
    await node.headers.stop()
    await node.headers.stop()
    await node.headers.start()
    await node.data.start()
    expect(node.headers.height).toBe(3)
    await publish(node, 4, 6)
    expect(node.data.height).toBe(6)
  })

  test('a follower without peers starts at once and stops while it waits', async () => {
    const node = await startNode(createMemoryHub(), 'node', { configured: ['nobody'] })
    expect(node.headers.height).toBe(0)
    await node.data.stop()
    await node.headers.stop()
  })
})
