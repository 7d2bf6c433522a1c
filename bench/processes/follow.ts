/*
 * A full node that catches up from an empty home to the end of a generated chain.
 * Argument: a FollowOrder as JSON. Tells `{ done }` with what it ended on, and what it took.
 */
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { toHex } from '../../src/util/bytes.ts'
import type { FollowOrder, FollowResult } from '../follow-messages.ts'
import { benchMetrics } from './bench-metrics.ts'

tuneProcess()
const order: FollowOrder = JSON.parse(process.argv[2] ?? '{}')
const begun = performance.now()
const node = createFullNode(
  {
    env: systemEnv,
    logger: noopLogger,
    metrics: benchMetrics(),
    genesis: parseGenesis(order.genesis),
    nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
    kv: createLevelKv({ path: join(order.home, 'data') }),
    executor: (kv) => createKvExecutor({ kv }),
  },
  {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    peers: order.peers,
    discovery: false,
    blockTime: 1_000,
    transactionIndex: process.env['BENCH_TX_INDEX'] !== 'off',
  },
)
let headersDone = 0
let firstBlock = 0
const caughtUp = Promise.withResolvers<void>()
node.headers.onHeight((height) => {
  if (height >= order.target && headersDone === 0) headersDone = performance.now() - begun
})
node.onBlock(({ height }) => {
  if (firstBlock === 0) firstBlock = performance.now() - begun
  if (height >= order.target) caughtUp.resolve()
})
await node.start()
if (node.status().height >= order.target) caughtUp.resolve()
const ready = performance.now() - begun
const failure = await Promise.race([node.failed, caughtUp.promise])
if (failure !== undefined) throw failure
const { height, stateRoot, lastHeaderHash } = node.status()
const done: FollowResult = {
  done: true,
  height,
  stateRoot: toHex(stateRoot),
  lastHeaderHash: toHex(lastHeaderHash),
  readyMs: ready,
  headersMs: headersDone,
  firstBlockMs: firstBlock,
  blocksMs: performance.now() - begun,
}
process.send?.(done)
process.once('disconnect', () => {
  void node.stop().then(() => process.exit())
})
