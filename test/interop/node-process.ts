/*
 * A full node of ours in a process of its own, with the test application, its files in a home directory. With a
 * proposer it is the aggregator, and makes the genesis at its first start. See peer-process.ts for how it is driven.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemEnv } from '../../src/core/env.ts'
import { createTestappExecutor } from '../../src/execution/testapp-executor.ts'
import type { AggregatorKey } from '../../src/node/aggregator.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { generateNodeKey, peerIdOf } from '../../src/p2p/identity.ts'
import { signerOfKey, signingKeyOf } from '../../src/signer/file.node.ts'
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { formatGenesis, parseGenesis } from '../../src/types/genesis.ts'
import { utf8 } from '../../src/util/bytes.ts'
import { emit, serve, tellBlocks } from './lines.ts'

const text = { type: 'string', default: '' } as const
const { values } = parseArgs({
  options: {
    home: text,
    genesis: text,
    peers: text,
    listen: { type: 'string', default: '/ip4/127.0.0.1/tcp/0' },
    seed: { type: 'string', default: '2' },
    'block-time': { type: 'string', default: '100' },
    proposer: text,
    'chain-id': text,
  },
})

/** The proposer's key of a seed in hex, and the genesis that names it unless there is one. */
function propose(seed: string): AggregatorKey {
  const signer = signerOfKey(signingKeyOf(Buffer.from(seed, 'hex')))
  if (!existsSync(values.genesis)) {
    const genesis = {
      chainId: values['chain-id'],
      startTime: systemEnv.now(),
      initialHeight: 1,
      proposerAddress: signer.address,
      daStartHeight: 0,
      daEpochForcedInclusion: 50,
    }
    writeFileSync(values.genesis, formatGenesis(genesis))
  }
  const path = join(values.home, 'ledger')
  return { signer, ledger: createFileLedger({ path, keyFingerprint: signer.address }) }
}

const key = values.proposer === '' ? undefined : propose(values.proposer)
const genesis = parseGenesis(readFileSync(values.genesis, 'utf8'))
const nodeKey = generateNodeKey((length) => new Uint8Array(length).fill(Number(values.seed)))
const submitted = Promise.withResolvers<(tx: Uint8Array) => Promise<void>>()
const node = createFullNode(
  {
    genesis,
    nodeKey,
    kv: createLevelKv({ path: join(values.home, 'data') }),
    executor: (kv) => {
      const app = createTestappExecutor({ kv })
      submitted.resolve(async (tx) => await app.submitTx(tx))
      return app
    },
    ...(key === undefined ? {} : { key }),
  },
  {
    listen: [values.listen],
    peers: values.peers.split(',').filter((peer) => peer !== ''),
    discovery: false,
    blockTime: Number(values['block-time']),
  },
)
const submit = await submitted.promise

await node.start()
emit('ready', { peer: peerIdOf(nodeKey), addresses: node.addresses() })
const failure = await Promise.race([
  node.failed,
  tellBlocks(node, genesis.initialHeight),
  serve(({ command, txs }) => {
    if (command !== 'tx') throw new Error(`a node does not know ${command}`)
    for (const tx of txs) void submit(utf8(tx))
  }),
])
await node.stop()
if (failure !== undefined) throw failure
