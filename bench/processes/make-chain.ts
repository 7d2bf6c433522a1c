/*
 * Makes a chain: headers with real signatures, data, and the state roots that the default executor gives, into a
 * database as a node keeps them. Argument: a ChainPlan with `folder`, as JSON.
 */
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { once } from 'node:events'
import { createGzip } from 'node:zlib'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { type Data, dataCommitment, dataHash } from '../../src/types/data.ts'
import { formatGenesis, type Genesis } from '../../src/types/genesis.ts'
import { headerHash, signerOfSeed, type SignedHeader, type Header } from '../../src/types/header.ts'
import { encodeHeader, encodeP2PData, encodeP2PSignedHeader } from '../../src/types/codec.ts'
import { signEd25519 } from '#crypto'
import { concatBytes, EMPTY_BYTES, fromHex, toHex, utf8 } from '../../src/util/bytes.ts'
import { WireWriter } from '../../src/util/wire.ts'
import { CHAIN_ID, type ChainPlan, type Filling, type GeneratedChain, PROPOSER_SEED } from '../chain.ts'
import { openChain } from './chain-stores.ts'

const BATCH = 2_048
const LARGE_TX = 65_536
const begun = performance.now()
const plan: ChainPlan & { readonly folder: string } = JSON.parse(process.argv[2] ?? '{}')
const { blocks, filling, folder, forGo = false } = plan
const seed = fromHex(PROPOSER_SEED) ?? EMPTY_BYTES
const signer = signerOfSeed(seed)
const { signal } = new AbortController()
const BLOCK_TIME = 10_000_000n
// The chain ends a minute ago: its head is recent, and nothing is from the future.
const startTime = BigInt(Date.now() - 60_000) * 1_000_000n - BigInt(blocks) * BLOCK_TIME
const genesis: Genesis = {
  chainId: CHAIN_ID,
  startTime,
  initialHeight: 1,
  proposerAddress: signer.address,
  daStartHeight: 0,
  daEpochForcedInclusion: 50,
}

function transactions(kind: Filling, height: number): Uint8Array[] {
  if (kind === 'empty') return []
  if (kind === 'small') {
    return Array.from({ length: 10 }, (_, index) =>
      utf8(`key${(height * 10 + index) % 5_000}=value${height}`),
    )
  }
  const filler = new Uint8Array(LARGE_TX).fill(97 + (height % 26))
  return Array.from({ length: 16 }, (_, index) => {
    const tx = filler.slice(0, LARGE_TX - 4_600)
    tx.set(utf8(`large${index}=${height};`))
    return tx
  })
}

const executorKv = createMemoryKv()
const executor = createKvExecutor({ kv: executorKv }, { undoHeights: 1 })
mkdirSync(folder, { recursive: true })
const stores = await openChain(folder)
const { headers, data } = stores
await executorKv.start()
writeFileSync(join(folder, 'genesis.json'), formatGenesis(genesis))
const zipped = forGo ? createGzip({ level: 1 }) : undefined
const file = zipped?.pipe(createWriteStream(join(folder, 'chain.bin.gz')))

let stateRoot = await executor.initChain({ time: startTime, initialHeight: 1, chainId: CHAIN_ID }, { signal })
let lastHeaderHash: Uint8Array = EMPTY_BYTES
let lastDataHash: Uint8Array = EMPTY_BYTES
let bytes = 0
let madeHeaders: SignedHeader[] = []
let madeData: Data[] = []

async function flush(): Promise<void> {
  await headers.append(madeHeaders)
  await data.append(madeData)
  madeHeaders = []
  madeData = []
}

for (let height = 1; height <= blocks; height++) {
  const time = startTime + BigInt(height) * BLOCK_TIME
  const txs = transactions(filling, height)
  const block: Data = { metadata: { chainId: CHAIN_ID, height, time, lastDataHash }, txs }
  const header: Header = {
    version: { block: 11n, app: 1n },
    height,
    time,
    lastHeaderHash,
    dataHash: dataCommitment(block),
    appHash: stateRoot,
    proposerAddress: signer.address,
    validatorHash: signer.address,
    chainId: CHAIN_ID,
  }
  const signed: SignedHeader = { header, signer, signature: signEd25519(seed, encodeHeader(header)) }
  if (txs.length > 0) {
    const result = await executor.executeTxs({ txs, height, time, previousStateRoot: stateRoot }, { signal })
    ;({ stateRoot } = result)
  }
  lastHeaderHash = headerHash(header)
  lastDataHash = dataHash(block)
  madeHeaders.push(signed)
  madeData.push(block)
  const pair = [encodeP2PSignedHeader(signed), encodeP2PData(block)]
  for (const one of pair) bytes += one.length
  if (zipped !== undefined) {
    const framed = concatBytes(...pair.flatMap((one) => [new WireWriter(8).varint(one.length).finish(), one]))
    if (!zipped.write(framed)) await once(zipped, 'drain')
  }
  if (madeHeaders.length >= BATCH || (filling === 'large' && madeHeaders.length >= 16)) await flush()
}
await flush()
if (zipped !== undefined && file !== undefined) {
  zipped.end()
  await once(file, 'close')
}
await stores.stop()
const made: GeneratedChain = {
  blocks,
  home: folder,
  genesis: formatGenesis(genesis),
  stateRoot: toHex(stateRoot),
  lastHeaderHash: toHex(lastHeaderHash),
  bytes,
  goFolder: folder,
  seconds: (performance.now() - begun) / 1_000,
}
process.send?.(made)
process.once('disconnect', () => process.exit())
