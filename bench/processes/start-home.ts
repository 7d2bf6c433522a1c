/*
 * Starts a full node over a home, from the beginning of this process until it is ready. Argument: a StartOrder as
 * JSON. Tells a StartResult.
 */
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { toHex } from '../../src/util/bytes.ts'
import type { StartOrder, StartResult } from '../store.ts'

tuneProcess()
const loadedMs = performance.now()
const { home, chain }: StartOrder = JSON.parse(process.argv[2] ?? '{}')
const node = createFullNode(
  {
    env: systemEnv,
    logger: noopLogger,
    metrics: noopMetrics,
    genesis: parseGenesis(chain.genesis),
    nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
    kv: createLevelKv({ path: join(home, 'data') }),
    executor: (kv) => createKvExecutor({ kv }),
  },
  { listen: ['/ip4/127.0.0.1/tcp/0'], peers: [], discovery: false, blockTime: 1_000 },
)
await node.start()
const { height, headerHeight, dataHeight, stateRoot, lastHeaderHash } = node.status()
const readyMs = performance.now()
if ([height, headerHeight, dataHeight].some((one) => one !== chain.blocks)) {
  throw new Error(`the node is at ${height}, headers at ${headerHeight}, data at ${dataHeight}`)
}
if (toHex(stateRoot) !== chain.stateRoot || toHex(lastHeaderHash) !== chain.lastHeaderHash) {
  throw new Error('the node ends on another block than the chain')
}
process.send?.({ loadedMs, readyMs } satisfies StartResult)
process.once('disconnect', () => {
  void node.stop().then(() => process.exit())
})
