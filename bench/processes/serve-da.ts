/*
 * A local DA that holds a generated chain: every header in an envelope, data with transactions signed, so many blocks
 * in one DA block. Argument: a ServeDaOrder as JSON. Tells a ServedDa; takes DaManners.
 */
import { join } from 'node:path'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import type { Blob } from '../../src/core/da.ts'
import { createBlob } from '../../src/da/blob.ts'
import { CONNECT, createLocalDa, type Fault, type PreloadBlock } from '../../src/da/local/local-da.node.ts'
import { createHeaderStore } from '../../src/header/store/kv-store.ts'
import { KEYS } from '../../src/store/keys.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { dataKind, headerKind } from '../../src/sync/kinds.ts'
import {
  encodeData,
  encodeDAHeaderEnvelope,
  encodeSignedData,
  encodeSignedHeader,
} from '../../src/types/codec.ts'
import { signerOfSeed } from '../../src/types/header.ts'
import { namespaceBytes } from '../../src/types/namespace.ts'
import { EMPTY_BYTES, fromHex } from '../../src/util/bytes.ts'
import { signEd25519 } from '#crypto'
import { PROPOSER_SEED } from '../chain.ts'
import {
  DA_NAMESPACES,
  type DaManners,
  type DaMannersSet,
  type ServeDaOrder,
  type ServedDa,
} from '../da-messages.ts'

const order: ServeDaOrder = JSON.parse(process.argv[2] ?? '{}')
const { blocks, perHeight } = order
const seed = fromHex(PROPOSER_SEED) ?? EMPTY_BYTES
const signer = signerOfSeed(seed)
const [headerNamespace, dataNamespace] = [DA_NAMESPACES.header, DA_NAMESPACES.data].map(namespaceBytes)
let manners: DaManners = { latency: 0, webSocket: true }

const kv = createLevelKv({ path: join(order.home, 'data') })
const headers = createHeaderStore(
  { kv, kind: headerKind, logger: noopLogger },
  { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta }, cacheItems: 1 },
)
const data = createHeaderStore(
  { kv, kind: dataKind, logger: noopLogger },
  { prefixes: { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta }, cacheItems: 1 },
)

async function blobsOf(from: number, to: number): Promise<Blob[]> {
  const envelopes = (await headers.range(from, to)).map((header) =>
    encodeDAHeaderEnvelope({ header, envelopeSignature: signEd25519(seed, encodeSignedHeader(header)) }),
  )
  const signed = (await data.range(from, to))
    .filter(({ txs }) => txs.length > 0)
    .map((one) => encodeSignedData({ data: one, signature: signEd25519(seed, encodeData(one)), signer }))
  const blobs = (namespace: Uint8Array | undefined, all: readonly Uint8Array[]): Blob[] =>
    all.map((bytes, index) => ({ ...createBlob(namespace ?? EMPTY_BYTES, bytes), index }))
  return [...blobs(headerNamespace, envelopes), ...blobs(dataNamespace, signed)]
}

function fault(method: string): Fault {
  const delay = manners.latency
  if (method === CONNECT && !manners.webSocket) return { kind: 'status', status: 404, delay }
  return { kind: 'none', delay }
}

const da = createLocalDa({ env: systemEnv, logger: noopLogger }, { blockTime: 3_600_000, fault })
await kv.start()
await headers.start()
await data.start()
const daBlocks: PreloadBlock[] = []
for (let from = 1; from <= blocks; from += perHeight) {
  const to = Math.min(from + perHeight, blocks + 1)
  daBlocks.push({ height: daBlocks.length + 1, blobs: await blobsOf(from, to) })
}
await data.stop()
await headers.stop()
await kv.stop()
await da.preload(daBlocks)
await da.start()
process.on('message', (message: DaManners) => {
  manners = message
  const set: DaMannersSet = { set: true, calls: da.stats().calls }
  process.send?.(set)
})
process.once('disconnect', () => {
  void da.stop().then(() => process.exit())
})
const served: ServedDa = { address: da.address, heights: daBlocks.length }
process.send?.(served)
