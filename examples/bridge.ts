/*
 * A bridge in small: what leaves the chain is paid out elsewhere only when its block is final, that is, when both its
 * halves lie on DA and nobody can take them back. Runs a local DA and a chain, asks for three withdrawals, pays them.
 *
 *   npm run example examples/bridge.ts
 *
 * Against a chain that runs already only the second half is needed: the client, in Node or in a browser.
 */
import { createLocalDa, createNode, noopLogger, systemEnv } from 'evolve-node'
import { createClient } from 'evolve-node/client'

const da = createLocalDa({ env: systemEnv, logger: noopLogger }, { blockTime: 500 })
await da.start()
const node = await createNode({
  aggregator: true,
  blockTime: 100,
  da: { address: da.address, blockTime: 500 },
  rpc: '127.0.0.1:0',
})
await node.start()
for (const [name, amount] of Object.entries({ ada: 10, bob: 20, cleo: 30 })) {
  await node.submit(`withdraw/${name}=${amount}`)
}

const client = createClient(node.rpc ?? '')
const paid = new Set<string>()
// From the first block: a real bridge writes down how far it came, and goes on from there after a restart.
for await (const { height, headerDaHeight, dataDaHeight } of client.subscribeFinality({ from: 1 })) {
  const { data } = await client.block(height)
  for (const tx of data.txs) {
    const [, name, amount] = /^withdraw\/(\w+)=(\d+)$/.exec(new TextDecoder().decode(tx)) ?? []
    if (name === undefined) continue
    console.log(
      `pay ${amount} to ${name}: block ${height} lies at DA heights ${headerDaHeight} and ${dataDaHeight}`,
    )
    paid.add(name)
  }
  if (paid.size === 3) break
}

await node.stop()
await da.stop()
console.log(`paid ${[...paid].toSorted((a, b) => (a < b ? -1 : 1)).join(', ')}`)
