/*
 * Follows somebody's counter chain: fetches its blocks from peers, checks every signature, and executes every
 * transaction itself. Ends when it has counted to a number. Give what counter-chain.ts says:
 *
 *   npm run example examples/follow-counter.ts GENESIS PEER [COUNT]
 */
import { readFile } from 'node:fs/promises'
import { createNode } from 'evolve-node'
import { counter } from './counter-executor.ts'

const [genesisFile = '', peer = '', wanted = '3'] = process.argv.slice(2)
const node = await createNode({
  genesis: await readFile(genesisFile, 'utf8'),
  peers: [peer],
  executor: counter,
  blockTime: 200,
})

const { promise: counted, resolve } = Promise.withResolvers<void>()
async function look(height: number, txs: number): Promise<void> {
  const { count } = await node.executor.state()
  if (txs > 0) console.log(`block ${height}: the counter is at ${count}`)
  if (count >= BigInt(wanted)) resolve()
}
node.onBlock(({ height, txs }) => void look(height, txs))
await node.start()
const failure = await Promise.race([counted, node.failed])
if (failure !== undefined) throw failure

console.log(`counted ${(await node.executor.state()).count} in ${node.status().height} blocks`)
await node.stop()
