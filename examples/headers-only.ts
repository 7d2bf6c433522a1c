/*
 * Header sync alone: the signed headers of a chain, checked and kept in a database of your own, with no executor, no
 * transactions and no DA. Enough to prove to somebody what the chain said. Give what counter-chain.ts says:
 *
 *   npm run example examples/headers-only.ts GENESIS PEER [HEIGHT]
 */
import { readFile } from 'node:fs/promises'
import {
  createHeaderSyncService,
  createHost,
  createMemoryKv,
  createProposers,
  generateNodeKey,
  noopLogger,
  noopMetrics,
  parseGenesis,
  systemEnv,
} from 'evolve-node'
import { headerHash } from 'evolve-node/types'

const [genesisFile = '', peer = '', wanted = '5'] = process.argv.slice(2)
const genesis = parseGenesis(await readFile(genesisFile, 'utf8'))
const { chainId, initialHeight, proposerAddress } = genesis
const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }

// createLevelKv({ path }) keeps it on disk; any other database that is a `Kv` will do.
const kv = createMemoryKv()
const network = createHost(shared, {
  nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
  chainId,
  listen: [],
  peers: [peer],
  discovery: false,
})
// Only headers of this proposer get in. Where execution may name another one, tell: proposers.name.
const proposers = createProposers(initialHeight, proposerAddress)
const headers = createHeaderSyncService({ ...shared, kv, network, genesis, proposers }, { blockTime: 200 })

const there = new Promise<void>((resolve) => {
  headers.store().onHeight((height) => {
    if (height >= Number(wanted)) resolve()
  })
})
const services = [kv, network, headers]
for (const service of services) await service.start()
await there
for (let height = initialHeight; height <= Number(wanted); height++) {
  const header = await headers.store().at(height)
  if (header !== undefined) console.log(`${height} ${Buffer.from(headerHash(header.header)).toString('hex')}`)
}
console.log(`synced ${wanted} headers of ${chainId}`)
for (const service of services.toReversed()) await service.stop()
