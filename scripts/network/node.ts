/*
 * A full node in a process of its own, which tells its parent of every block. An aggregator notes every signature it
 * makes in `<home>/signatures`, before anybody can see it. Argument: a NodeOrder as JSON. Ends when its parent lets go.
 */
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { startAll, stopAll } from '../../src/core/lifecycle.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { Signer } from '../../src/core/signer.ts'
import { createDaClient } from '../../src/da/client/client.node.ts'
import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvEndpoint } from '../../src/execution/http/endpoint.node.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { signerOfKey, signingKeyOf } from '../../src/signer/file.node.ts'
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { decodeHeader } from '../../src/types/codec.ts'
import { headerHash } from '../../src/types/header.ts'
import { EMPTY_BYTES, fromHex, toHex } from '../../src/util/bytes.ts'
import { isEvolveError } from '../../src/util/errors.ts'
import type { NodeMessage, NodeOrder } from './messages.ts'

// As the program does.
tuneProcess()
const begun = performance.now()
const order: NodeOrder = JSON.parse(process.argv[2] ?? '{}')
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
mkdirSync(order.home, { recursive: true })

function tell(message: NodeMessage): void {
  if (process.connected) process.send?.(message)
}

/** Writes down what is signed as a header; other messages (for DA) are no headers of their own. */
function noting(signer: Signer): Signer {
  return {
    ...signer,
    async sign(message) {
      try {
        const header = decodeHeader(message)
        if (header.chainId !== '') {
          appendFileSync(join(order.home, 'signatures'), `${header.height} ${toHex(headerHash(header))}\n`)
        }
      } catch (error) {
        if (!isEvolveError(error, 'DECODE_FAILED')) throw error
      }
      return await signer.sign(message)
    },
  }
}

const key = signingKeyOf(fromHex(order.proposerSeed) ?? EMPTY_BYTES)
const executors: EntryExecutor[] = []
const node = createFullNode(
  {
    ...shared,
    genesis: parseGenesis(order.genesis),
    nodeKey: generateNodeKey(() => fromHex(order.nodeSeed) ?? EMPTY_BYTES),
    kv: createLevelKv({ path: join(order.home, 'data') }),
    executor: (kv) => {
      const executor = createKvExecutor({ kv })
      executors.push(executor)
      return executor
    },
    ...(order.da === undefined ? {} : { da: createDaClient(shared, { address: order.da }) }),
    ...(order.role === 'aggregator'
      ? {
          key: {
            signer: noting(signerOfKey(key)),
            ledger: createFileLedger({
              path: join(order.home, 'signer.ledger'),
              keyFingerprint: key.address,
            }),
          },
        }
      : {}),
  },
  {
    listen: [`/ip4/127.0.0.1/tcp/${order.port}`],
    peers: order.peers,
    discovery: false,
    redial: { first: 250, last: 2_000 },
    blockTime: order.blockTime,
    da: { namespace: 'kills-headers', dataNamespace: 'kills-data', blockTime: order.daBlockTime },
  },
)
node.onBlock(({ height, hash, stateRoot, txs }) => {
  tell({ type: 'block', height, hash: toHex(hash), stateRoot: toHex(stateRoot), txs })
})
node.onFinal((height) => tell({ type: 'final', height }))
void node.failed.then(({ code, message }) => tell({ type: 'failed', code, message }))

const [executor] = executors
const parts = [
  node,
  ...(order.kvPort === undefined || executor === undefined
    ? []
    : [createKvEndpoint({ ...shared, executor }, { address: `127.0.0.1:${order.kvPort}` })]),
]
const stopped = new Promise<void>((resolve) => {
  process.once('disconnect', resolve)
  process.once('SIGTERM', resolve)
})
await startAll(parts)
tell({
  type: 'started',
  height: node.status().height,
  finalHeight: node.status().finalHeight,
  took: performance.now() - begun,
})
const ticker = setInterval(() => {
  const { phase, height, targetHeight, finalHeight } = node.status()
  tell({ type: 'status', phase, height, targetHeight, finalHeight, memory: process.memoryUsage.rss() })
}, 250)
await stopped
clearInterval(ticker)
await stopAll(parts)
