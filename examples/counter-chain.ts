/*
 * A chain that others can follow and ask: it keeps its keys and its state in a folder, and adds 1 a second.
 *
 *   npm run example examples/counter-chain.ts ~/counter
 *
 * It says what followers need, and runs until Ctrl-C; started again it goes on where it was.
 */
import { createNode } from 'evolve-node'
import { counter } from './counter-executor.ts'

const [directory = 'counter-chain'] = process.argv.slice(2)
const node = await createNode({
  directory,
  aggregator: true,
  executor: counter,
  chainId: 'counting',
  blockTime: 200,
  // Free ports, so that it runs beside whatever else runs here; a real node has fixed ones, and all addresses.
  listen: '/ip4/127.0.0.1/tcp/0',
  rpc: '127.0.0.1:0',
  discovery: false,
})
await node.start()
console.log(`genesis ${node.paths?.genesisFile}`)
console.log(`peer ${node.addresses()[0]}`)
console.log(`rpc ${node.rpc}`)

const adding = setInterval(() => void node.submit('1').catch((error: unknown) => console.error(error)), 1_000)
const ended = new Promise<void>((resolve) => {
  process.once('SIGINT', () => resolve())
  process.once('SIGTERM', () => resolve())
})
const failure = await Promise.race([ended, node.failed])
clearInterval(adding)
const { count } = await node.executor.state()
await node.stop()
console.log(`stopped at ${count}`)
if (failure !== undefined) throw failure
