/* Go nodes of both generations follow us. */
import { describe, expect, test } from 'vitest'
import { dataHash } from '../../src/types/data.ts'
import { headerHash } from '../../src/types/header.ts'
import { toHex } from '../../src/util/bytes.ts'
import { announce } from './announce.ts'
import { type GoProgram, startGoPeer } from './go-peer.ts'
import { blockAt, executed, recording, recordingFolder, startFollower, startPublisher } from './our-node.ts'
import type { Kind, Peer, PeerEvent } from './peer-process.ts'

const { genesis, blocks } = recording
const kinds: readonly Kind[] = ['headerSync', 'dataSync']
const STORED = 2_000

function hashAt(kind: Kind, height: number): string {
  const { header, data } = blockAt(height)
  return toHex(kind === 'headerSync' ? headerHash(header.header) : dataHash(data))
}

/** Resolves when a Go node has both halves of a height, which must be ours. */
async function has(go: Peer, height: number): Promise<void> {
  const halves = await Promise.all(
    kinds.map((kind) =>
      go.event(
        `${kind} ${height}`,
        (line) => line.event === 'height' && line.kind === kind && line.height === height,
      ),
    ),
  )
  expect(halves.map(({ hash }) => hash)).toEqual(kinds.map((kind) => hashAt(kind, height)))
}

async function follow(
  program: GoProgram,
  peers: readonly string[],
  flags: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const proposer = program === 'beta11' ? { proposer: toHex(genesis.proposerAddress) } : {}
  return await startGoPeer(program, 'follow', {
    'chain-id': genesis.chainId,
    peers: peers.join(','),
    seed: 2,
    'block-time': '100ms',
    ...proposer,
    ...flags,
  })
}

/** Go syncs our history, then follows what we announce. */
async function followUs(program: GoProgram, flags: Readonly<Record<string, string>> = {}): Promise<Peer> {
  const ours = await startPublisher(genesis, blocks.slice(0, STORED))
  const go = await follow(program, ours.host.addresses(), flags)
  await has(go, STORED)
  await has(go, 1)
  for (const kind of kinds) await go.ask('subscribed', { kind, peer: ours.host.id })
  await announce([STORED + 1, STORED + 60], {
    publish: async (height) => await ours.publish(blockAt(height)),
    arrived: async (height) => await has(go, height),
  })
  return go
}

const verdicts = (events: readonly PeerEvent[]): Set<string | undefined> =>
  new Set(events.filter(({ event }) => event === 'gossip').map(({ verdict }) => verdict))

/** Declares the tests. */
export function goFollows(): void {
  describe('we are followed by', () => {
    test('go-header v0.8.6 over FloodSub and TLS', async () => {
      const go = await followUs('goheader', { gossip: 'floodsub', security: 'tls' })
      expect(verdicts(go.events)).toEqual(new Set(['accept']))
    })

    test('go-header v0.8.6 over GossipSub and noise', async () => {
      const go = await followUs('goheader', { gossip: 'gossipsub', security: 'noise' })
      expect(verdicts(go.events)).toEqual(new Set(['accept']))
    })

    test('the sync services of ev-node v1.0.0-beta.11', async () => {
      const go = await followUs('beta11')
      expect(await go.ask('head', { kind: 'dataSync' })).toMatchObject({ height: STORED + 60 })
    })

    test('go-header v0.8.6 behind our full node, which relays what another Go node announces', async () => {
      const source = await startGoPeer('goheader', 'serve', { chain: recordingFolder, until: STORED })
      const ours = await startFollower(genesis, source.addresses)
      await executed(ours, STORED)
      const behind = await follow('goheader', ours.node.addresses())
      await has(behind, STORED)
      for (const kind of kinds) {
        await source.ask('subscribed', { kind, peer: ours.id })
        await behind.ask('subscribed', { kind, peer: ours.id })
      }
      await announce([STORED + 1, STORED + 30], {
        async publish(height) {
          for (const kind of kinds) await source.ask('publish', { kind, height })
        },
        arrived: async (height) => await has(behind, height),
      })
      expect(verdicts(behind.events)).toEqual(new Set(['accept']))
    })
  })

  test('the exchange client of go-header v0.8.6 gets what it asks from us', async () => {
    const ours = await startPublisher(genesis, blocks)
    const go = await startGoPeer('goheader', 'fetch', {
      'chain-id': genesis.chainId,
      peers: ours.host.addresses().join(','),
      seed: 2,
    })
    const top = blocks.length
    for (const kind of kinds) {
      expect(await go.ask('head', { kind })).toMatchObject({ height: top, hash: hashAt(kind, top) })
      expect(await go.ask('at', { kind, height: 1 })).toMatchObject({ height: 1, hash: hashAt(kind, 1) })
      expect(await go.ask('at', { kind, height: top })).toMatchObject({ hash: hashAt(kind, top) })
      const hash = hashAt(kind, 1_234)
      expect(await go.ask('get', { kind, hash })).toMatchObject({ height: 1_234, hash })
      expect(await go.ask('range', { kind, from: 1, to: top + 1 })).toMatchObject({
        count: top - 1,
        height: top,
        hash: hashAt(kind, top),
      })
      await expect(go.ask('at', { kind, height: top + 1 })).rejects.toThrow('header: not found')
      await expect(go.ask('get', { kind, hash: '00'.repeat(32) })).rejects.toThrow('header: not found')
    }
  })
}
