/*
 * A full node that notes when each block is where. Argument: a TipOrder as JSON. Tells TipMessages; answers any
 * message of its parent with its moments.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Executor } from '../../src/core/executor.ts'
import type { Kv } from '../../src/core/kv.ts'
import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createTestappExecutor } from '../../src/execution/testapp-executor.ts'
import type { AggregatorKey } from '../../src/node/aggregator.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { signerOfKey, signingKeyOf } from '../../src/signer/file.node.ts'
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { EMPTY_BYTES, fromHex, utf8 } from '../../src/util/bytes.ts'
import type { Moment, Stage, TipMessage, TipOrder } from '../tip-messages.ts'

tuneProcess()
const order: TipOrder = JSON.parse(process.argv[2] ?? '{}')
const moments: Record<Stage, Moment[]> = { header: [], data: [], executed: [], saved: [] }

/** Unix milliseconds, with their fractions. */
const now = (): number => performance.timeOrigin + performance.now()
const note = (stage: Stage, height: number): unknown => moments[stage].push([height, now()])

function tell(message: TipMessage): void {
  if (process.connected) process.send?.(message)
}

function keyOf(seed: string): AggregatorKey {
  const key = signingKeyOf(fromHex(seed) ?? EMPTY_BYTES)
  return {
    signer: signerOfKey(key),
    ledger: createFileLedger({ path: join(order.home, 'ledger'), keyFingerprint: key.address }),
  }
}

const apps: EntryExecutor[] = []
function watched(kv: Kv): Executor {
  const app = order.app === 'kv' ? createKvExecutor({ kv }) : createTestappExecutor({ kv })
  apps.push(app)
  return {
    ...app,
    async executeTxs(request, options) {
      const result = await app.executeTxs(request, options)
      note('executed', request.height)
      return result
    },
  }
}

mkdirSync(order.home, { recursive: true })
const node = createFullNode(
  {
    genesis: parseGenesis(order.genesis),
    nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
    kv: createLevelKv({ path: join(order.home, 'data') }),
    executor: watched,
    ...(order.proposerSeed === undefined ? {} : { key: keyOf(order.proposerSeed) }),
  },
  { listen: ['/ip4/127.0.0.1/tcp/0'], peers: order.peers, discovery: false, blockTime: order.blockTime },
)
let atTip = false
node.headers.onHeight((height) => note('header', height))
node.data.onHeight((height) => note('data', height))
node.onBlock(({ height, time }) => {
  note('saved', height)
  if (atTip || now() - Number(time / 1_000n) / 1_000 > 2 * order.blockTime) return
  atTip = true
  tell({ type: 'tip' })
})
void node.failed.then((error) => {
  throw error
})
await node.start()
tell({ type: 'started', addresses: node.addresses() })

const [app] = apps
let sent = 0
const offering =
  order.txsPerSecond > 0
    ? setInterval(() => void app?.submitTx(utf8(`key${sent % 1_000}=${sent++}`)), 1_000 / order.txsPerSecond)
    : undefined

process.on('message', () => {
  const { user, system } = process.cpuUsage()
  tell({ type: 'moments', moments, cpu: (user + system) / 1e6 })
})
process.once('disconnect', () => {
  clearInterval(offering)
  void node.stop().then(() => process.exit())
})
