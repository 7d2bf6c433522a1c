/*
 * Serves a generated chain as a node would: the exchange of headers and data over its database.
 * Argument: `{ home, genesis }` as JSON. Tells `{ addresses }`.
 */
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createProposers } from '../../src/core/proposers.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { createHost } from '../../src/p2p/host.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { createDataSyncService } from '../../src/sync/data-service.ts'
import { createHeaderSyncService } from '../../src/sync/header-service.ts'
import { parseGenesis } from '../../src/types/genesis.ts'

tuneProcess()
const order: { readonly home: string; readonly genesis: string } = JSON.parse(process.argv[2] ?? '{}')
const genesis = parseGenesis(order.genesis)
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const kv = createLevelKv({ path: join(order.home, 'data') })
const host = createHost(shared, {
  nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
  chainId: genesis.chainId,
  listen: ['/ip4/127.0.0.1/tcp/0'],
  peers: [],
  discovery: false,
})
const proposers = createProposers(genesis.initialHeight, genesis.proposerAddress)
const sync = { ...shared, kv, network: host, genesis }
const options = { blockTime: 1_000, aggregator: true }
const headers = createHeaderSyncService({ ...sync, proposers }, options)
const data = createDataSyncService({ ...sync, headers: headers.store() }, options)
const parts = [kv, host, headers, data]
for (const part of parts) await part.start()
process.send?.({ addresses: host.addresses() })
process.once('disconnect', () => {
  void (async () => {
    for (const part of parts.toReversed()) await part.stop()
    process.exit()
  })()
})
