import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { noopLogger } from '../core/logger.ts'
import { createDiscovery, type FoundPeer, rendezvous } from './discovery.ts'

const MINUTE = 60_000

function setUp({ told = 3 }: { told?: number } = {}) {
  const virtual = createVirtualEnv()
  const peers = new Set<string>()
  const state = { told, providers: [] as FoundPeer<string>[], unreachable: new Set<string>() }
  const provided: number[] = []
  const searched: number[] = []
  const dialled: { peer: string; addresses: readonly string[] }[] = []
  const discovery = createDiscovery<string>(
    {
      env: virtual.env,
      logger: noopLogger,
      id: 'self',
      peers: () => [...peers],
      async provide() {
        provided.push(virtual.env.monotonic())
        if (state.told < 0) throw new Error('no DHT')
        return state.told
      },
      async *find() {
        searched.push(virtual.env.monotonic())
        yield* state.providers
      },
      async dial(peer, addresses) {
        dialled.push({ peer, addresses })
        if (state.unreachable.has(peer)) throw new Error('refused')
        peers.add(peer)
      },
    },
    { chainId: 'chain', target: 4 },
  )
  const come = (peer: string): void => {
    peers.add(peer)
    discovery.joined()
  }
  const go = (peer: string): void => {
    peers.delete(peer)
    discovery.left()
  }
  return { virtual, discovery, state, provided, searched, dialled, peers, come, go }
}

test('the peers of a chain meet at the CID of the hash of its id', () => {
  expect(rendezvous('proto-chain').toString()).toBe(
    'bafkreih2stlcl2f3linurovzsve336dy3rp47f5wjtzp2crpnwgmyjkwtu',
  )
})

describe('discovery', () => {
  test('does nothing while there is nobody to ask', async () => {
    const { virtual, discovery, provided, searched } = setUp()
    await discovery.start()
    await virtual.advance(60 * MINUTE)
    expect([provided, searched]).toEqual([[], []])
    await discovery.stop()
    expect(virtual.timers).toBe(0)
  })

  test('announces us once a peer is there, and every 52.5 minutes', async () => {
    const { virtual, discovery, provided, come } = setUp()
    await discovery.start()
    await virtual.advance(10_000)
    come('a')
    await virtual.advance(106 * MINUTE)
    expect(provided.map((at) => Math.round(((at - 10_000) / MINUTE) * 10) / 10)).toEqual([0, 52.5, 105.1])
    await discovery.stop()
  })

  test('announces us again after two minutes when nobody took it', async () => {
    const { virtual, discovery, provided, state, come } = setUp({ told: 0 })
    await discovery.start()
    come('a')
    await virtual.advance(1_000)
    state.told = -1
    await virtual.advance(2 * MINUTE + 1_000)
    state.told = 2
    await virtual.advance(30 * MINUTE)
    expect(provided).toHaveLength(3)
    await discovery.stop()
  })

  test('connects to those it finds, but not to ourselves or to who is there', async () => {
    const { virtual, discovery, state, dialled, come } = setUp()
    state.providers = ['self', 'a', 'b', 'c'].map((peer) => ({ peer, addresses: [`at ${peer}`] }))
    state.unreachable.add('b')
    await discovery.start()
    come('a')
    await virtual.advance(5_000)
    const once = [
      { peer: 'b', addresses: ['at b'] },
      { peer: 'c', addresses: ['at c'] },
    ]
    expect(dialled.slice(0, 2)).toEqual(once)
    expect(dialled.filter(({ peer }) => peer === 'c')).toHaveLength(1)
    await discovery.stop()
  })

  test('searches every few minutes while peers are few, and not when there are enough', async () => {
    const { virtual, discovery, searched, come, peers, go } = setUp()
    await discovery.start()
    come('a')
    await virtual.advance(30 * MINUTE)
    expect(searched.length).toBeGreaterThanOrEqual(9)
    expect(searched.length).toBeLessThanOrEqual(12)
    for (const peer of ['b', 'c', 'd']) peers.add(peer)
    await virtual.advance(4 * MINUTE)
    const before = searched.length
    await virtual.advance(30 * MINUTE)
    expect(searched).toHaveLength(before)
    go('d')
    await virtual.advance(2_000)
    expect(searched).toHaveLength(before + 1)
    await discovery.stop()
  })

  test('takes no more than a bounded number of strangers and addresses from a search', async () => {
    const { virtual, discovery, state, dialled, come } = setUp()
    const addresses = Array.from({ length: 100 }, (_, index) => `address ${index}`)
    state.providers = Array.from({ length: 1_000 }, (_, index) => ({ peer: `p${index}`, addresses }))
    for (const { peer } of state.providers) state.unreachable.add(peer)
    await discovery.start()
    come('a')
    await virtual.advance(1_500)
    expect(new Set(dialled.map(({ peer }) => peer)).size).toBeLessThanOrEqual(64)
    expect(dialled.every((dial) => dial.addresses.length <= 8)).toBe(true)
    await discovery.stop()
    await discovery.stop()
  })
})
