/*
 * A chain in one process, in memory: makes blocks, takes ten transactions, shows the state.
 *
 *   npm run example examples/counter.ts
 */
import { createNode } from 'evolve-node'
import { counter } from './counter-executor.ts'

const node = await createNode({ aggregator: true, executor: counter, blockTime: 100, chainId: 'counting' })
await node.start()

const { promise: counted, resolve } = Promise.withResolvers<void>()
async function look(height: number, txs: number): Promise<void> {
  if (txs > 0) console.log(`block ${height}: ${txs} transactions`)
  if ((await node.executor.state()).additions === 10) resolve()
}
node.onBlock(({ height, txs }) => void look(height, txs))

for (let number = 1; number <= 10; number++) await node.submit(`${number}`)
await counted

const { count } = await node.executor.state()
console.log(`the counter is at ${count}`)
await node.stop()
