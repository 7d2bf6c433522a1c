/*
 * A full node of ours in a process of its own, with the test application, its database in a home directory.
 * See peer-process.ts for how it is driven.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createTestappExecutor } from '../../src/execution/testapp-executor.ts'
import { createFullNode } from '../../src/node/full-node.ts'
import { generateNodeKey, peerIdOf } from '../../src/p2p/identity.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { parseGenesis } from '../../src/types/genesis.ts'
import { emit, serve, tellBlocks } from './lines.ts'

const { values } = parseArgs({
  options: {
    home: { type: 'string', default: '' },
    genesis: { type: 'string', default: '' },
    peers: { type: 'string', default: '' },
    listen: { type: 'string', default: '/ip4/127.0.0.1/tcp/0' },
    seed: { type: 'string', default: '2' },
    'block-time': { type: 'string', default: '100' },
  },
})
const genesis = parseGenesis(readFileSync(values.genesis, 'utf8'))
const nodeKey = generateNodeKey((length) => new Uint8Array(length).fill(Number(values.seed)))
const node = createFullNode(
  {
    genesis,
    nodeKey,
    kv: createLevelKv({ path: join(values.home, 'data') }),
    executor: (kv) => createTestappExecutor({ kv }),
  },
  {
    listen: [values.listen],
    peers: values.peers.split(',').filter((peer) => peer !== ''),
    discovery: false,
    blockTime: Number(values['block-time']),
  },
)

await node.start()
emit('ready', { peer: peerIdOf(nodeKey), addresses: node.addresses() })
const failure = await Promise.race([
  node.failed,
  tellBlocks(node, genesis.initialHeight),
  serve(({ command }) => {
    throw new Error(`a follower does not know ${command}`)
  }),
])
await node.stop()
if (failure !== undefined) throw failure
