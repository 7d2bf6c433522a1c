/* Peers find one another over the DHT, knowing only a third. */
import { describe, expect, test } from 'vitest'
import { systemEnv, withTimeout } from '../../src/core/env.ts'
import { sleep } from '../../src/core/env.ts'
import { startGoPeer, type GoPeer } from './go-peer.ts'
import { connectedTo, startDiscoveringHost } from './our-node.ts'

/** Asks a Go node to search until it finds a peer: records take a moment to spread. */
async function finds(go: GoPeer, peer: string): Promise<void> {
  await withTimeout(systemEnv, 60_000, undefined, `finding ${peer}`, async (signal) => {
    while (!(await go.ask('find')).found?.includes(peer)) await sleep(systemEnv, 100, signal)
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
      await finds(meeting, ours.id)
      await finds(other, ours.id)
      await connectedTo(ours, other.id)
      expect(ours.peers()).toEqual(expect.arrayContaining([meeting.id, other.id]))
    })

    test('two Go nodes find one another through us', async () => {
      const chainId = 'interop-discovery'
      const ours = await startDiscoveringHost(chainId, [])
      const peers = ours.addresses().join(',')
      const one = await startGoPeer('goheader', 'dht', { 'chain-id': chainId, seed: 1, peers })
      const two = await startGoPeer('goheader', 'dht', { 'chain-id': chainId, seed: 2, peers })
      await finds(one, two.id)
      await finds(two, one.id)
      await finds(one, ours.id)
    })
  })
}
