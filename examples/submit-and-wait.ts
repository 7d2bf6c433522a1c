/*
 * Hands a transaction to a node, waits until it lies in a block, and says where. Any node of the chain will do: a
 * follower passes it on to the aggregator.
 *
 *   npm run example examples/submit-and-wait.ts http://127.0.0.1:7331 name=Ada
 */
import { createHash } from 'node:crypto'
import { createClient, toHex } from 'evolve-node/client'

const [url = 'http://127.0.0.1:7331', text = 'name=Ada'] = process.argv.slice(2)
const client = createClient(url)

// From here on, so that no block is missed.
const { height } = await client.status()
const { hash } = await client.submit(text)
console.log(`submitted ${toHex(hash)}`)

/** Looks at the transactions of each block. */
async function find(): Promise<string> {
  const signal = AbortSignal.timeout(30_000)
  for await (const { summary, data } of client.subscribeBlocks({ from: height + 1, full: true, signal })) {
    const place = data.txs.findIndex((tx) => createHash('sha256').update(tx).digest('hex') === toHex(hash))
    if (place >= 0) return `in block ${summary.height}, place ${place}`
  }
  throw new Error('not in a block within 30 seconds')
}

console.log(await find())
