/*
 * Hands a transaction to a node, waits until it lies in a block, and says where. Any node of the chain will do: a
 * follower passes it on to the aggregator.
 *
 *   npm run example examples/submit-and-wait.ts http://127.0.0.1:7331 name=Ada
 */
import { createClient, isEvolveError, toHex } from 'evolve-node/client'

const [url = 'http://127.0.0.1:7331', text = 'name=Ada'] = process.argv.slice(2)
const client = createClient(url)

// From here on, so that no block is missed.
const { height } = await client.status()
const { hash } = await client.submit(text)
console.log(`submitted ${toHex(hash)}`)

/** Looks at each block that has transactions. */
async function find(): Promise<string> {
  const signal = AbortSignal.timeout(30_000)
  for await (const { txCount } of client.subscribeBlocks({ from: height + 1, signal })) {
    if (txCount === 0) continue
    try {
      const { transaction } = await client.transaction(hash)
      return `in block ${transaction.height}, place ${transaction.index}`
    } catch (error) {
      if (!isEvolveError(error, 'TX_NOT_FOUND')) throw error
    }
  }
  throw new Error('not in a block within 30 seconds')
}

console.log(await find())
