/* Peers find one another over the DHT, knowing only a third. */
import { describe, expect, test } from 'vitest'
import { sleep, systemEnv, withTimeout } from '../../src/core/env.ts'
import { startGoPeer } from './go-peer.ts'
import { connectedTo, startDiscoveringHost } from './our-node.ts'
import type { Peer } from './peer-process.ts'

/** Asks a Go node to search until it finds a peer (records take a moment to spread); resolves with what it found. */
async function find(go: Peer, peer: string): Promise<readonly string[]> {
  return await withTimeout(systemEnv, 60_000, undefined, `finding ${peer}`, async (signal) => {
    for (;;) {
      const { found = [] } = await go.ask('find')
      if (found.includes(peer)) return found
      await sleep(systemEnv, 100, signal)
    }
  })
}

/** Declares the tests. */
export function discovery(): void {
  describe('over the DHT', () => {
    test('Go finds us and we find Go, both knowing only another Go node', async () => {
      const chainId = 'interop-discovery'
      const meeting = await startGoPeer('goheader', 'dht', { 'chain-id': chainId, seed: 1 })
      const ours = await startDiscoveringHost(chainId, meeting.addresses)
      const other = await startGoPeer('goheader', 'dht', {
        'chain-id': chainId,
        seed: 2,
        peers: meeting.addresses.join(','),
      })
      expect(await find(meeting, ours.id)).toContain(ours.id)
      expect(await find(other, ours.id)).toContain(ours.id)
      await connectedTo(ours, other.id)
      expect(ours.peers()).toEqual(expect.arrayContaining([meeting.id, other.id]))
    })

    test('two Go nodes find one another through us', async () => {
      const chainId = 'interop-discovery'
      const ours = await startDiscoveringHost(chainId, [])
      const peers = ours.addresses().join(',')
      const one = await startGoPeer('goheader', 'dht', { 'chain-id': chainId, seed: 1, peers })
      const two = await startGoPeer('goheader', 'dht', { 'chain-id': chainId, seed: 2, peers })
      expect(await find(one, two.id)).toContain(two.id)
      expect(await find(two, one.id)).toContain(one.id)
      expect(await find(one, ours.id)).toContain(ours.id)
    })
  })
}
