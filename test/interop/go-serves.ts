/* Our full node follows Go nodes of both generations. */
import { describe, expect, test } from 'vitest'
import { parseGenesis } from '../../src/types/genesis.ts'
import { dataHash } from '../../src/types/data.ts'
import { toHex } from '../../src/util/bytes.ts'
import { startGoPeer } from './go-peer.ts'
import { blockAt, executed, type OurFollower, recording, recordingFolder, startFollower } from './our-node.ts'
import type { Kind, Peer } from './peer-process.ts'

const kinds: readonly Kind[] = ['headerSync', 'dataSync']
const { genesis } = recording

async function subscribed(go: Peer, peer: string): Promise<void> {
  for (const kind of kinds) await go.ask('subscribed', { kind, peer })
}

/** What our node has must be what the Go node has, and what the recording says. */
async function expectSame(ours: OurFollower, go: Peer, height: number): Promise<void> {
  const status = ours.node.status()
  const header = await go.ask('head', { kind: 'headerSync' })
  const data = await go.ask('head', { kind: 'dataSync' })
  expect([status.height, header.height, data.height]).toEqual([height, height, height])
  expect(toHex(status.lastHeaderHash)).toBe(header.hash)
  const ourData = await ours.node.data.at(height)
  expect(ourData === undefined ? undefined : toHex(dataHash(ourData))).toBe(data.hash)
}

/** Follows a Go node that serves the recorded chain: history, then gossip, then a gap. */
async function followRecording(flags: {
  readonly gossip: string
  readonly security: string
}): Promise<OurFollower> {
  const go = await startGoPeer('goheader', 'serve', { chain: recordingFolder, until: 2_000, ...flags })
  const ours = await startFollower(genesis, go.addresses)
  await executed(ours, 2_000)
  await expectSame(ours, go, 2_000)
  const connection = await go.event('connected', (line) => line.event === 'connected')
  expect(connection.security).toContain(flags.security)

  await subscribed(go, ours.id)
  for (let height = 2_001; height <= 2_020; height++) {
    for (const kind of kinds) await go.ask('publish', { kind, height })
    await executed(ours, height)
  }
  for (let height = 2_021; height <= 2_030; height++) {
    for (const kind of kinds.toReversed()) await go.ask('publish', { kind, height })
    await executed(ours, height)
  }
  await expectSame(ours, go, 2_030)

  for (let height = 2_031; height < 2_200; height++) {
    for (const kind of kinds) await go.ask('append', { kind, height })
  }
  for (const kind of kinds) await go.ask('publish', { kind, height: 2_200 })
  await executed(ours, 2_200)
  await expectSame(ours, go, 2_200)
  return ours
}

/** State root after a height, as the header above it tells. */
const rootAfter = (height: number): string => toHex(blockAt(height + 1).header.header.appHash)

/** Declares the tests. */
export function goServes(): void {
  describe('our full node follows', () => {
    test('go-header v0.8.6 over FloodSub and TLS', async () => {
      const ours = await followRecording({ gossip: 'floodsub', security: 'tls' })
      expect(toHex(ours.node.status().stateRoot)).toBe(rootAfter(2_200))
    })

    test('go-header v0.8.6 over GossipSub and noise', async () => {
      const ours = await followRecording({ gossip: 'gossipsub', security: 'noise' })
      expect(toHex(ours.node.status().stateRoot)).toBe(rootAfter(2_200))
    })

    test('the aggregator services of ev-node v1.0.0-beta.11', async () => {
      const go = await startGoPeer('beta11', 'serve', { blocks: 300, 'block-time': '20ms' })
      // Files of that generation do not have the field yet that later ones need.
      const began = parseGenesis(JSON.stringify({ ...go.ready.genesis, da_epoch_forced_inclusion: 50 }))
      const ours = await startFollower(began, go.addresses)
      await executed(ours, 300)
      await expectSame(ours, go, 300)

      await subscribed(go, ours.id)
      const last = await go.ask('produce', { count: 50 })
      await executed(ours, 350)
      await expectSame(ours, go, 350)
      expect(toHex(ours.node.status().stateRoot)).toBe(last.stateRoot)
    })
  })
}
