/*
 * A follower in a process of its own: syncs from one peer, or from DA alone, into a home folder until it has executed
 * all that is there, then tells what it ended on. Started by ../recorded.ts and by the crash tests.
 * Arguments: recording, home, multiaddress of the peer or URL of the DA node, and `each-block` to be told of every
 * block.
 */
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import { createDaClient } from '../../src/da/client/client.node.ts'
import { createTestappExecutor } from '../../src/execution/testapp-executor.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { tuneProcess } from '../../src/node/process.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { toHex } from '../../src/util/bytes.ts'
import { highestOnDa, readDaRecording } from './da-recording.ts'
import type { FollowerMessage } from './messages.ts'
import { GOSSIPED, readFinal, readGenesis } from './recording.ts'

tuneProcess()
const [folder = '', home = '', source = '', verbosity = ''] = process.argv.slice(2)
const begun = performance.now()
const fromDa = source.startsWith('http')
const recording = fromDa ? readDaRecording(folder) : undefined
const target = recording === undefined ? readFinal(folder).height : highestOnDa(recording)
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
const node = createFullNode(
  {
    genesis: readGenesis(folder),
    nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
    kv: createLevelKv({ path: join(home, 'data') }),
    executor: (kv) => createTestappExecutor({ kv }),
    ...(fromDa ? { da: createDaClient(shared, { address: source }) } : {}),
  },
  {
    listen: ['/ip4/127.0.0.1/tcp/0'],
    peers: fromDa ? [] : [source],
    discovery: false,
    blockTime: 100,
    ...(recording === undefined
      ? {}
      : {
          da: {
            namespace: recording.configured.header,
            dataNamespace: recording.configured.data,
            blockTime: 1_000,
          },
        }),
  },
)
const offered = fromDa ? target : target - GOSSIPED
let headersDone = 0
let blocksDone = 0

function tell(type: FollowerMessage['type']): void {
  const { phase, height, headerHeight, targetHeight, peers, stateRoot, lastHeaderHash } = node.status()
  const message: FollowerMessage = {
    type,
    phase,
    height,
    headerHeight,
    targetHeight,
    peers,
    stateRoot: toHex(stateRoot),
    lastHeaderHash: toHex(lastHeaderHash),
    elapsed: performance.now() - begun,
    headersDone,
    blocksDone,
    peakMemory: process.resourceUsage().maxRSS * 1024,
  }
  process.send?.(message)
}

const stopped = Promise.withResolvers<void>()
process.once('disconnect', stopped.resolve)
process.once('SIGTERM', stopped.resolve)
await node.start()
const ticker = setInterval(() => tell('progress'), 100)
const unwatchHeaders = node.headers.onHeight((height) => {
  if (height >= offered && headersDone === 0) headersDone = performance.now() - begun
})
const executed = new Promise<void>((resolve) => {
  if (node.status().height >= target) resolve()
  node.onBlock(({ height }) => {
    if (height >= offered && blocksDone === 0) blocksDone = performance.now() - begun
    if (verbosity === 'each-block') tell('progress')
    if (height >= target) resolve()
  })
})
const failure = await Promise.race([node.failed, executed, stopped.promise])
clearInterval(ticker)
unwatchHeaders()
if (failure instanceof Error) {
  console.error(failure.message)
  process.exitCode = 1
} else if (node.status().height >= target) {
  tell('done')
}
await node.stop()
if (process.connected) process.disconnect()
