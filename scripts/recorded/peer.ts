/*
 * Serves a recorded chain as a real node would: exchange for headers and data, and the last hundred blocks by gossip,
 * one every 20 ms, once somebody listens. Started by ../recorded.ts; ends when its parent lets go of it.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createProposers } from '../../src/core/proposers.ts'
import { createHost } from '../../src/p2p/host.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { createDataSyncService } from '../../src/sync/data-service.ts'
import { createHeaderSyncService } from '../../src/sync/header-service.ts'
import { GOSSIP_INTERVAL, GOSSIPED, readRecording } from './recording.ts'

const [folder = ''] = process.argv.slice(2)
const { genesis, blocks } = readRecording(folder)
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const nodeKey = generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length)))
const kv = createMemoryKv()
const host = createHost(shared, {
  nodeKey,
  chainId: genesis.chainId,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  peers: [],
  discovery: false,
})
const proposers = createProposers(genesis.initialHeight, genesis.proposerAddress)
const sync = { ...shared, kv, network: host, genesis }
const headers = createHeaderSyncService({ ...sync, proposers }, { blockTime: 1_000, aggregator: true })
const data = createDataSyncService(
  { ...sync, headers: headers.store() },
  { blockTime: 1_000, aggregator: true },
)

await kv.start()
await host.start()
await headers.start()
await data.start()

const served = blocks.slice(0, -GOSSIPED)
const gossiped = blocks.slice(-GOSSIPED)
await headers.store().append(served.map(({ header }) => header))
await data.store().append(served.map((block) => block.data))
process.send?.({ type: 'listening', addresses: host.addresses() })

const stopping = new AbortController()
process.once('disconnect', () => stopping.abort())

async function gossip(): Promise<void> {
  if (host.peers().length === 0) {
    await new Promise<void>((resolve) => {
      const unwatch = host.watchPeers({
        connected() {
          unwatch()
          resolve()
        },
        disconnected() {},
      })
    })
  }
  for (const block of gossiped) {
    stopping.signal.throwIfAborted()
    await headers.writeToStoreAndBroadcast(block.header, { signal: stopping.signal })
    await data.writeToStoreAndBroadcast(block.data, { signal: stopping.signal })
    await wait(GOSSIP_INTERVAL, undefined, { signal: stopping.signal })
  }
}

gossip().catch((error: unknown) => {
  if (!stopping.signal.aborted) throw error
})
await new Promise<void>((resolve) =>
  stopping.signal.addEventListener('abort', () => resolve(), { once: true }),
)
await data.stop()
await headers.stop()
await host.stop()
await kv.stop()
