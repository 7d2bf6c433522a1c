/*
 * A full node over a home that can be asked. Argument: a ServeRpcOrder as JSON. Tells a ServedRpc.
 */
import { join } from 'node:path'
import { defaultConfig } from '../../src/config/load.ts'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { rpcServerOf } from '../../src/node/rpc-parts.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import type { RpcServer } from '../../src/rpc/server.node.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import type { ServedRpc, ServeRpcOrder } from '../rpc.ts'

tuneProcess()
const { home, chain }: ServeRpcOrder = JSON.parse(process.argv[2] ?? '{}')
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const config = defaultConfig()
let server: RpcServer | undefined
const node = createFullNode(
  {
    ...shared,
    genesis: parseGenesis(chain.genesis),
    nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
    kv: createLevelKv({ path: join(home, 'data') }),
    executor: (kv) => createKvExecutor({ kv }),
    servers(view) {
      server = rpcServerOf(view, { ...config, rpc: { ...config.rpc, address: '127.0.0.1:0' } }, shared)
      return [server]
    },
  },
  {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    peers: [],
    discovery: false,
    blockTime: 1_000,
    transactionIndex: false,
  },
)
await node.start()
process.send?.({ url: `http://127.0.0.1:${server?.address?.port ?? 0}` } satisfies ServedRpc)
process.once('disconnect', () => {
  void node.stop().then(() => process.exit())
})
