import type { Data, Metadata } from '../../src/types/data.ts'
import type { Header } from '../../src/types/header.ts'
import type { Fields } from './fields.ts'

/** Heights that fit our number type; a larger one is read as 1, see {@link Beyond}. */
const MAX_HEIGHT = BigInt(Number.MAX_SAFE_INTEGER)
const MAX_TIME = 2n ** 63n - 1n

/** A header of the file. */
export interface FileHeader {
  readonly header: Header
  /** The true height of a header that we refuse to decode because its height is over 2^53-1; `header` has 1. */
  readonly beyond: bigint | undefined
  /** Its time is over 2^63-1: we refuse to decode it. */
  readonly late: boolean
}

/** Reads the fields of a header. */
export function readHeader(fields: Fields): FileHeader {
  const version = fields.object('version')
  const height = fields.uint64('height')
  const time = fields.uint64('time')
  const header: Header = {
    version: { block: version.uint64('block'), app: version.uint64('app') },
    height: height > MAX_HEIGHT ? 1 : Number(height),
    time,
    lastHeaderHash: fields.bytes('last_header_hash'),
    dataHash: fields.bytes('data_hash'),
    appHash: fields.bytes('app_hash'),
    proposerAddress: fields.bytes('proposer_address'),
    validatorHash: fields.bytes('validator_hash'),
    chainId: fields.text('chain_id'),
  }
  const beyond = height > MAX_HEIGHT ? height : undefined
  const late = time > MAX_TIME
  if (fields.isNull('legacy')) return { header, beyond, late }
  const legacy = fields.object('legacy')
  return {
    header: {
      ...header,
      legacy: {
        lastCommitHash: legacy.bytes('last_commit_hash'),
        consensusHash: legacy.bytes('consensus_hash'),
        lastResultsHash: legacy.bytes('last_results_hash'),
      },
    },
    beyond,
    late,
  }
}

/** Reads metadata and transactions. */
export function readData(fields: Fields): Data {
  const txs = fields.bytesList('txs')
  if (fields.isNull('metadata')) return { txs }
  const metadata = fields.object('metadata')
  const read: Metadata = {
    chainId: metadata.text('chain_id'),
    height: Number(metadata.uint64('height')),
    time: metadata.uint64('time'),
    lastDataHash: metadata.bytes('last_data_hash'),
  }
  return { metadata: read, txs }
}

/** A value as text that is equal for equal values: bytes as hex, bigints as numbers, fields in fixed order. */
export function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => {
    if (part instanceof Uint8Array) return Buffer.from(part).toString('hex')
    if (typeof part === 'bigint') return String(part)
    if (typeof part === 'object' && part !== null && !Array.isArray(part)) {
      return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    }
    return part
  })
}
