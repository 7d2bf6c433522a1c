/*
 * A full node without peers that catches up from DA alone, from an empty home to the end of a generated chain.
 * Argument: a FollowDaOrder as JSON. Tells a FollowDaResult.
 */
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createDaClient } from '../../src/da/client/client.node.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { toHex } from '../../src/util/bytes.ts'
import { DA_NAMESPACES, type FollowDaOrder, type FollowDaResult } from '../da-messages.ts'

tuneProcess()
const order: FollowDaOrder = JSON.parse(process.argv[2] ?? '{}')
const { target, parallel } = order
const begun = performance.now()
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const client = createDaClient(shared, { address: order.address })
const node = createFullNode(
  {
    ...shared,
    genesis: parseGenesis(order.genesis),
    nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
    kv: createLevelKv({ path: join(order.home, 'data') }),
    executor: (kv) => createKvExecutor({ kv }),
    da: client,
  },
  {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    peers: [],
    discovery: false,
    blockTime: 1_000,
    da: {
      namespace: DA_NAMESPACES.header,
      dataNamespace: DA_NAMESPACES.data,
      blockTime: 6_000,
      startHeight: 1,
      ...(parallel === undefined ? {} : { parallel }),
    },
  },
)

const at = { headers: 0, data: 0 }
node.headers.onHeight((height) => {
  if (height >= target && at.headers === 0) at.headers = performance.now() - begun
})
node.data.onHeight((height) => {
  if (height >= target && at.data === 0) at.data = performance.now() - begun
})
const caughtUp = Promise.withResolvers<void>()
node.onBlock(({ height }) => {
  if (height >= target) caughtUp.resolve()
})
await node.start()
if (node.status().height >= target) caughtUp.resolve()
const ready = performance.now() - begun
const failure = await Promise.race([node.failed, caughtUp.promise])
if (failure !== undefined) throw failure
const { height, stateRoot, lastHeaderHash } = node.status()
const done: FollowDaResult = {
  done: true,
  height,
  stateRoot: toHex(stateRoot),
  lastHeaderHash: toHex(lastHeaderHash),
  readyMs: ready,
  headersMs: at.headers,
  dataMs: at.data,
  blocksMs: performance.now() - begun,
  transport: client.transport,
}
process.send?.(done)
process.once('disconnect', () => {
  void node.stop().then(() => process.exit())
})
