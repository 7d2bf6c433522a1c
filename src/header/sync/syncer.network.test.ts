import { afterEach, describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createMemoryHub, type MemoryHub, type MemoryNode } from '../../../test/support/memory-network.ts'
import { createVirtualEnv, type VirtualEnv } from '../../../test/support/virtual-env.ts'
import type { Admit, HeaderStore, ItemKind, Subscriber } from '../../core/header.ts'
import { startAll, stopAll } from '../../core/lifecycle.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { createExchange } from '../exchange/client.ts'
import { createExchangeServer } from '../exchange/server.ts'
import { createSubscriber } from '../gossip/subscriber.ts'
import { createHeaderStore } from '../store/kv-store.ts'
import { createSyncer, type Syncer } from './syncer.ts'

const START = 1_700_000_000_000_000_000n
const SECOND = 1_000_000_000n
/** Item 1000 is of the moment the clock begins. */
const chain = makeDummies(1_200, { startTime: START - 999n * SECOND })

/** Two copies that differ in their signature alone have the same hash. */
const kind: ItemKind<DummyItem> = {
  ...dummyKind,
  hash: (one) => dummyKind.hash({ ...one, signed: true }),
}

/** Items of strangers are told by their payload; nobody may make them. */
const admit: Admit<DummyItem> = async (items) => {
  const admitted = items.findIndex(({ payload }) => payload !== '')
  if (admitted === -1) return
  throw new EvolveError('UNEXPECTED_PROPOSER', 'a stranger', { verdict: 'reject', data: { admitted } })
}

/** Everything that keeps one kind of item in step, put together. */
interface Node {
  readonly network: MemoryNode
  readonly store: HeaderStore<DummyItem>
  readonly syncer: Syncer<DummyItem>
  readonly subscriber: Subscriber<DummyItem>
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

interface World {
  readonly virtual: VirtualEnv
  readonly hub: MemoryHub
  readonly node: (id: string, options?: NodeOptions) => Promise<Node>
}

interface NodeOptions {
  readonly stored?: readonly DummyItem[]
  readonly configured?: readonly string[]
  /** What the node serves; its store when left out. */
  readonly serves?: (store: HeaderStore<DummyItem>) => HeaderStore<DummyItem>
  readonly connect?: readonly string[]
}

const running: Node[] = []

function createWorld(): World {
  const virtual = createVirtualEnv(START)
  const hub = createMemoryHub({ env: virtual.env })
  const common = { env: virtual.env, logger: noopLogger, metrics: noopMetrics }

  async function node(id: string, options: NodeOptions = {}): Promise<Node> {
    const network = hub.node(id, { configured: options.configured ?? [] })
    for (const peer of options.connect ?? []) hub.connect(id, peer)
    const kv = createMemoryKv()
    await kv.start()
    const store = createHeaderStore(
      { kv, kind, logger: noopLogger },
      { prefixes: { items: 1, hashes: 2, meta: 3 } },
    )
    const server = createExchangeServer(
      { ...common, network, kind, store: options.serves?.(store) ?? store },
      { protocol: '/x' },
    )
    const exchange = createExchange(
      {
        ...common,
        network,
        kind,
        check: async (one, { signal }) => await admit([one], undefined, { signal }),
      },
      { protocol: '/x', chainId: 'dummy' },
    )
    const make = (): { syncer: Syncer<DummyItem>; subscriber: Subscriber<DummyItem> } => {
      const syncer = createSyncer({ ...common, store, exchange, kind, admit }, { blockTime: 1_000 })
      const subscriber = createSubscriber({ ...common, network, kind }, { topic: '/t' })
      subscriber.setVerifier(syncer.incoming)
      return { syncer, subscriber }
    }
    let parts = make()
    const services = (): Parameters<typeof startAll>[0] => [
      store,
      exchange,
      parts.syncer,
      parts.subscriber,
      server,
    ]
    const made: Node = {
      network,
      store,
      get syncer() {
        return parts.syncer
      },
      get subscriber() {
        return parts.subscriber
      },
      async start() {
        parts = make()
        await startAll(services())
      },
      stop: async () => await stopAll(services()),
    }
    await store.start()
    await store.append(options.stored ?? [])
    await startAll(services())
    running.push(made)
    return made
  }
  return { virtual, hub, node }
}

function item(height: number): DummyItem {
  const found = chain[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return found
}

const upTo = (height: number): DummyItem[] => chain.slice(0, height)

/** Enters an item as its maker does. */
async function produce(node: Node, height: number): Promise<void> {
  await node.syncer.incoming(item(height), { from: node.network.id, signal: new AbortController().signal })
  await node.subscriber.broadcast(item(height))
}

/** A store that lies about what it holds. */
function lying(
  store: HeaderStore<DummyItem>,
  head: number,
  lie: (height: number) => DummyItem,
  shows: DummyItem = item(head),
): HeaderStore<DummyItem> {
  const told = (height: number): DummyItem => (height === head ? shows : lie(height))
  const items = (from: number, to: number): DummyItem[] =>
    Array.from({ length: Math.max(0, Math.min(to, head + 1) - from) }, (_, index) => told(from + index))
  return {
    ...store,
    height: head,
    tailHeight: 1,
    head: async () => shows,
    at: async (height) => told(height),
    range: async (from, to) => items(from, to),
    rangeBytes: async (from, to) => items(from, to).map((one) => kind.encode(one)),
  }
}

/** The honest chain up to `height`, and a stranger's above. */
function strangersAbove(height: number): readonly DummyItem[] {
  const items = chain.slice(0, height)
  for (const one of chain.slice(height)) {
    const below = items.at(-1)
    items.push({ ...one, payload: 'x', previous: below === undefined ? '' : toHex(kind.hash(below)) })
  }
  return items
}

/** Moves time until a store has reached a height. */
async function reach({ virtual }: World, { store }: Node, height: number): Promise<void> {
  for (let second = 0; second < 120 && store.height < height; second++) await virtual.advance(1_000)
  expect(store.height).toBe(height)
}

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop()
})

describe('over a network', () => {
  test('a follower finds the head, fetches the chain and then follows gossip', async () => {
    const world = createWorld()
    const maker = await world.node('maker', { stored: upTo(1_000) })
    const follower = await world.node('follower', { stored: upTo(1), connect: ['maker'] })
    await reach(world, follower, 1_000)
    const asked = follower.network.asked.length
    for (let height = 1_001; height <= 1_020; height++) {
      await world.virtual.advance(1_000)
      await produce(maker, height)
      await world.virtual.settle()
      expect(follower.store.height).toBe(height)
    }
    expect(follower.network.asked.length).toBe(asked)
    expect(await follower.store.range(1, 1_021)).toEqual(upTo(1_020))
  })

  test('what is let in is relayed along a line', async () => {
    const world = createWorld()
    const maker = await world.node('maker', { stored: upTo(1_000) })
    await world.node('middle', { stored: upTo(1_000), connect: ['maker'] })
    const end = await world.node('end', { stored: upTo(1_000), connect: ['middle'] })
    await produce(maker, 1_001)
    await world.virtual.settle()
    expect(end.store.height).toBe(1_001)
  })

  test('a follower that was cut off catches up with the next item', async () => {
    const world = createWorld()
    const maker = await world.node('maker', { stored: upTo(1_000) })
    const follower = await world.node('follower', { stored: upTo(1_000), connect: ['maker'] })
    world.hub.disconnect('maker', 'follower')
    for (let height = 1_001; height <= 1_100; height++) {
      await world.virtual.advance(1_000)
      await produce(maker, height)
    }
    expect(follower.store.height).toBe(1_000)
    world.hub.connect('maker', 'follower')
    await produce(maker, 1_101)
    await world.virtual.settle()
    await reach(world, follower, 1_101)
    expect(await follower.store.range(1, 1_102)).toEqual(upTo(1_101))
  })

  test('a follower that was cut off catches up also if nothing new is made', async () => {
    const world = createWorld()
    await world.node('maker', { stored: upTo(1_000) })
    const follower = await world.node('follower', { stored: upTo(500) })
    await world.virtual.advance(60_000)
    world.hub.connect('maker', 'follower')
    await reach(world, follower, 1_000)
    expect(follower.network.judged).toEqual([])
  })

  test('a restart goes on where it was', async () => {
    const world = createWorld()
    const maker = await world.node('maker', { stored: upTo(1_000) })
    const follower = await world.node('follower', { stored: upTo(10), connect: ['maker'] })
    await reach(world, follower, 1_000)
    await follower.stop()
    await world.virtual.advance(50_000)
    for (let height = 1_001; height <= 1_050; height++) await produce(maker, height)
    await follower.start()
    await reach(world, follower, 1_050)
    expect(await follower.store.range(1, 1_051)).toEqual(upTo(1_050))
  })
})

describe('lying peers', () => {
  test('an evil item after good ones: the good are kept, the liar is banned, others give the rest', async () => {
    const world = createWorld()
    const evil = strangersAbove(63)
    await world.node('liar', {
      serves: (store) => lying(store, 1_000, (height) => evil[height - 1] ?? item(height)),
    })
    const follower = await world.node('follower', { stored: upTo(1), connect: ['liar'] })
    follower.syncer.setTarget(1_000)
    await world.virtual.advance(3_000)
    expect(await follower.store.range(1, follower.store.height + 1)).toEqual(upTo(63))
    expect(follower.network.bans.map(({ peer }) => peer)).toEqual(['liar'])
    await world.node('honest', { stored: upTo(1_000) })
    world.hub.connect('follower', 'honest')
    await reach(world, follower, 1_000)
    expect(await follower.store.range(1, 1_001)).toEqual(upTo(1_000))
    expect(follower.network.bans.length).toBe(1)
  })

  test('honest for long, then lying: the sync is completed by others', async () => {
    const world = createWorld()
    const evil = strangersAbove(900)
    await world.node('honest', { stored: upTo(1_000) })
    await world.node('liar', {
      serves: (store) => lying(store, 1_000, (height) => evil[height - 1] ?? item(height)),
    })
    const follower = await world.node('follower', { stored: upTo(1), connect: ['liar', 'honest'] })
    follower.syncer.setTarget(1_000)
    await reach(world, follower, 1_000)
    expect(await follower.store.range(1, 1_001)).toEqual(upTo(1_000))
    expect(follower.network.bans.filter(({ peer }) => peer !== 'liar')).toEqual([])
  })

  test('a configured peer that lies is left alone for a while, never for good', async () => {
    const world = createWorld()
    let evil = true
    await world.node('named', {
      serves: (store) =>
        lying(store, 1_000, (height) => (evil ? { ...item(height), signed: false } : item(height))),
    })
    const follower = await world.node('follower', {
      stored: upTo(1),
      configured: ['named'],
      connect: ['named'],
    })
    follower.syncer.setTarget(1_000)
    await world.virtual.advance(20_000)
    expect([follower.store.height, follower.network.bans]).toEqual([1, []])
    const asked = follower.network.asked.length
    expect(asked).toBeLessThan(100)
    evil = false
    await reach(world, follower, 1_000)
  })

  test('four that show a far head of a stranger against an honest one change nothing', async () => {
    const world = createWorld()
    const evil = strangersAbove(0)
    const far = { ...item(1_000), height: 5_000_000, payload: 'x' }
    for (const id of ['liar 1', 'liar 2', 'liar 3', 'liar 4']) {
      await world.node(id, {
        serves: (store) => lying(store, 1_100, (height) => evil[height - 1] ?? far, far),
      })
    }
    await world.node('honest', { stored: upTo(1_000) })
    const follower = await world.node('follower', {
      stored: upTo(900),
      connect: ['liar 1', 'liar 2', 'liar 3', 'liar 4', 'honest'],
    })
    await reach(world, follower, 1_000)
    expect(follower.syncer.state().toHeight).toBe(1_000)
    expect(await follower.store.range(1, 1_001)).toEqual(upTo(1_000))
  })

  test('a copy with a bad signature does not stand in the way of the good one', async () => {
    const world = createWorld()
    const maker = await world.node('maker', { stored: upTo(1_000) })
    const liar = world.hub.node('liar')
    const topic = await liar.join('/t', async () => 'ignore')
    const follower = await world.node('follower', { stored: upTo(1_000), connect: ['maker', 'liar'] })
    await topic.publish(kind.encode({ ...item(1_001), signed: false }))
    await world.virtual.settle()
    expect(follower.network.judged.map(({ verdict }) => verdict)).toEqual(['reject'])
    await produce(maker, 1_001)
    await world.virtual.settle()
    expect(await follower.store.at(1_001)).toEqual(item(1_001))
  })

  test('unsigned items far ahead or right ahead, and strangers: rejected, no target, nothing asked', async () => {
    const world = createWorld()
    const liar = world.hub.node('liar')
    const topic = await liar.join('/t', async () => 'ignore')
    const follower = await world.node('follower', { stored: upTo(1_000), connect: ['liar'] })
    for (const one of [
      { ...item(1_001), height: 2 ** 50, signed: false },
      { ...item(1_001), signed: false },
      { ...item(1_001), payload: 'x' },
      { ...item(1_001), height: 2 ** 50, payload: 'x' },
    ]) {
      await topic.publish(kind.encode(one))
    }
    await world.virtual.settle()
    expect(follower.network.judged.map(({ verdict }) => verdict)).toEqual([
      'reject',
      'reject',
      'reject',
      'reject',
    ])
    expect([follower.store.height, follower.syncer.state().toHeight]).toEqual([1_000, 0])
    expect(follower.network.asked).toEqual([])
  })

  test('late, disordered and repeated honest items punish nobody', async () => {
    const world = createWorld()
    const sender = world.hub.node('sender')
    const topic = await sender.join('/t', async () => 'ignore')
    const follower = await world.node('follower', { stored: upTo(1_000), connect: ['sender'] })
    const heights = [1_005, 1_003, 1_001, 1_002, 400, 1_004, 1_000, 1_003, 1_005, 1_006, 1]
    for (const height of heights) {
      await topic.publish(kind.encode(item(height)))
      await world.virtual.settle()
    }
    expect(follower.network.judged.map(({ verdict }) => verdict)).not.toContain('reject')
    expect(follower.store.height).toBe(1_006)
  })
})
