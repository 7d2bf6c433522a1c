/*
 * A full node, aggregator or follower, that tells what it does. Argument: a ProduceOrder as JSON. Ends when its parent
 * lets go.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { createDaClient } from '../../src/da/client/client.node.ts'
import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvEndpoint } from '../../src/execution/http/endpoint.node.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { REQUEST_METRICS } from '../../src/core/request-metrics.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createRpcServer } from '../../src/rpc/server.node.ts'
import { signerOfKey, signingKeyOf } from '../../src/signer/file.node.ts'
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { EMPTY_BYTES, fromHex, utf8 } from '../../src/util/bytes.ts'
import { isEvolveError } from '../../src/util/errors.ts'
import type { ProduceMessage, ProduceOrder, Question } from '../produce-messages.ts'
import { benchMetrics } from './bench-metrics.ts'

/** Keys that an embedded load writes over and over, and how many of its transactions wait at once. */
tuneProcess()
const KEYS = 50_000
const WAITING = 20_000

const order: ProduceOrder = JSON.parse(process.argv[2] ?? '{}')
const shared = { env: systemEnv, logger: noopLogger, metrics: benchMetrics() }
mkdirSync(order.home, { recursive: true })
const key = signingKeyOf(fromHex(order.proposerSeed) ?? EMPTY_BYTES)
const executors: EntryExecutor[] = []
const node = createFullNode(
  {
    ...shared,
    genesis: parseGenesis(order.genesis),
    nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
    kv: createLevelKv({ path: join(order.home, 'data') }),
    executor(kv) {
      const executor = createKvExecutor({ kv })
      executors.push(executor)
      return executor
    },
    ...(order.daAddress === undefined ? {} : { da: createDaClient(shared, { address: order.daAddress }) }),
    ...(order.role === 'follower'
      ? {}
      : {
          key: {
            signer: signerOfKey(key),
            ledger: createFileLedger({
              path: join(order.home, 'signer.ledger'),
              keyFingerprint: key.address,
            }),
          },
        }),
  },
  {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    peers: order.peers,
    discovery: false,
    blockTime: order.blockTime,
    transactionIndex: process.env['BENCH_TX_INDEX'] !== 'off',
    ...(order.da === undefined ? {} : { da: order.da }),
  },
)

function tell(message: ProduceMessage): void {
  process.send?.(message)
}

let window: { readonly from: number; readonly at: number[]; txs: number } | undefined
/** Transactions of the embedded load that are in no block yet. */
let waiting = 0
let made = 0

let offering = false
/** Subscribers that the RPC server dropped. */
let dropped = 0

async function offer(executor: EntryExecutor): Promise<void> {
  if (order.load !== 'embedded' || offering) return
  offering = true
  try {
    for (; waiting < WAITING; waiting++, made++) {
      await executor.submitTx(utf8(`key${made % KEYS}=value ${made}`))
    }
  } catch (error) {
    if (!isEvolveError(error, 'TX_NO_ROOM')) throw error
  } finally {
    offering = false
  }
}

const [executor] = executors
if (executor === undefined) throw new Error('the node has no executor')
node.onBlock(({ txs }) => {
  waiting -= txs
  void offer(executor)
  if (window === undefined) return
  window.at.push(performance.timeOrigin + performance.now())
  window.txs += txs
})
void node.failed.then((error) => {
  throw error
})
process.on('message', (question: Question) => {
  const { height } = node.status()
  if ('height' in question) {
    tell({ height })
    return
  }
  const begun = performance.now()
  const measured = { from: height, at: [], txs: 0 }
  window = measured
  setTimeout(() => {
    window = undefined
    tell({ ...measured, ms: performance.now() - begun, dropped })
  }, question.window)
})
process.once('disconnect', () => void stop())
const rpc = createRpcServer(
  {
    ...shared,
    node,
    version: 'bench',
    metrics: {
      ...shared.metrics,
      count(name, value = 1, labels = {}) {
        if (name === REQUEST_METRICS.dropped && labels['reason'] === 'slow') dropped += value
        shared.metrics.count(name, value, labels)
      },
    },
  },
  {
    address: '127.0.0.1:0',
    corsOrigins: [],
    maxSubscribers: 2_000,
    readiness: { windowSeconds: 15, maxBlocksBehind: 30 },
    daPages: false,
    page: undefined,
  },
)
const endpoint = createKvEndpoint({ ...shared, executor }, { address: '127.0.0.1:0' })

async function stop(): Promise<void> {
  await endpoint.stop()
  await rpc.stop()
  await node.stop()
  await rpc.listener.stop()
  process.exit()
}

if (order.rpc === true) await rpc.listener.start()
await node.start()
if (order.rpc === true) await rpc.start()
if (order.endpoint === true) await endpoint.start()
await offer(executor)
tell({
  addresses: node.addresses(),
  endpoint: order.endpoint === true ? endpoint.address : '',
  rpc: rpc.address === undefined ? '' : `http://127.0.0.1:${rpc.address.port}`,
})
