/*
 * Takes headers from its peers, once it is connected to one: by the header sync service into a store on disk, or by
 * the exchange client alone. Argument: a HeadersOrder as JSON. Tells a HeadersResult.
 */
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createProposers } from '../../src/core/proposers.ts'
import { createExchange } from '../../src/header/exchange/client.ts'
import { verifyRange } from '../../src/header/verify.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { createHost } from '../../src/p2p/host.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { createHeaderSyncService } from '../../src/sync/header-service.ts'
import { headerKind } from '../../src/sync/kinds.ts'
import { createSignaturePool } from '../../src/sync/signatures/pool.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { exchangeProtocol } from '../../src/types/names.ts'
import { toHex } from '../../src/util/bytes.ts'
import type { HeadersOrder, HeadersResult } from '../header-messages.ts'

tuneProcess()
const order: HeadersOrder = JSON.parse(process.argv[2] ?? '{}')
const genesis = parseGenesis(order.genesis)
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const { signal } = new AbortController()
const signatures = createSignaturePool(shared)
const kv = createLevelKv({ path: join(order.home, 'data') })
const host = createHost(shared, {
  nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
  chainId: genesis.chainId,
  listen: [],
  peers: order.peers,
  discovery: false,
})
const headers = createHeaderSyncService(
  {
    ...shared,
    kv,
    network: host,
    genesis,
    signatures,
    // Nobody but the store writes into this database.
    othersUpTo: () => 0,
    proposers: createProposers(genesis.initialHeight, genesis.proposerAddress),
  },
  { blockTime: 1_000 },
)
const exchange = createExchange(
  { ...shared, network: host, kind: headerKind },
  { protocol: exchangeProtocol(genesis.chainId, 'headerSync'), chainId: genesis.chainId },
)

async function sync(): Promise<string> {
  const there = Promise.withResolvers<void>()
  headers.store().onHeight((height) => {
    if (height >= order.target) there.resolve()
  })
  await headers.start()
  await there.promise
  const last = await headers.store().at(order.target)
  return last === undefined ? '' : toHex(headerKind.hash(last))
}

/** As Go's GetRangeByHeight: from a trusted header on, each checked against the one below, all kept. */
async function fetchAll(): Promise<string> {
  await exchange.start()
  let below = await exchange.at(genesis.initialHeight, { signal })
  const taken = [below]
  for await (const { items } of exchange.range(genesis.initialHeight + 1, order.target + 1, { signal })) {
    const { error } = verifyRange(headerKind, below, items, systemEnv.now())
    if (error !== undefined) throw error
    taken.push(...items)
    below = items.at(-1) ?? below
  }
  if (taken.length !== order.target) throw new Error(`${taken.length} headers came, not ${order.target}`)
  return toHex(headerKind.hash(below))
}

const connected = Promise.withResolvers<void>()
host.watchPeers({ connected: () => connected.resolve(), disconnected: () => undefined })
await kv.start()
await signatures.start()
await host.start()
await connected.promise
const begun = performance.now()
const cpuBegun = process.cpuUsage()
const hash = order.mode === 'sync' ? await sync() : await fetchAll()
const milliseconds = performance.now() - begun
const { user, system } = process.cpuUsage(cpuBegun)
const result: HeadersResult = { height: order.target, hash, milliseconds, cpu: (user + system) / 1e6 }
process.send?.(result)
process.once('disconnect', () => {
  void (async () => {
    for (const part of [kv, signatures, host, headers, exchange].toReversed()) await part.stop()
    process.exit()
  })()
})
