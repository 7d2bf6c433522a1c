import { sha256 } from '#crypto'
import { EMPTY_BYTES, equalBytes } from '../util/bytes.ts'
import { WireWriter } from '../util/wire.ts'
import type { Header } from './header.ts'
import type { Signer } from './signer.ts'

/** What ties data to its place in the chain. */
export interface Metadata {
  readonly chainId: string
  readonly height: number
  /** Unix nanoseconds, below 2^63. */
  readonly time: bigint
  /** Hash of the data below; empty at the first height. */
  readonly lastDataHash: Uint8Array
}

/** A block's transactions. Nobody changes one after it was made: its hashes are remembered. */
export interface Data {
  /** Absent only in what is hashed for the DA commitment and in malformed messages. */
  readonly metadata?: Metadata
  readonly txs: readonly Uint8Array[]
}

/** Data as peers send it. */
export interface P2PData extends Data {
  /** DA height at which the data may be found; a hint, not a fact. Absent means 0, not known. */
  readonly daHeightHint?: number
}

/** Data as it lies on DA: signed over {@link encodeData} by the block's proposer. */
export interface SignedData {
  readonly data: Data
  readonly signature: Uint8Array
  readonly signer: Signer
}

interface Memo {
  hash?: Uint8Array
  commitment?: Uint8Array
}

const memos = new WeakMap<Data, Memo>()
const LEAF_PREFIX = new Uint8Array(1)

/** The DA commitment of data without transactions: SHA-256 of one zero byte. Shared: never write to it. */
export const EMPTY_DATA_COMMITMENT: Uint8Array = sha256(LEAF_PREFIX)

function memoOf(data: Data): Memo {
  const known = memos.get(data)
  if (known !== undefined) return known
  const memo: Memo = {}
  memos.set(data, memo)
  return memo
}

/** Canonical protobuf of metadata. */
export function encodeMetadata(metadata: Metadata): Uint8Array {
  return new WireWriter(128)
    .string(1, metadata.chainId)
    .uint(2, metadata.height)
    .uint64(3, metadata.time)
    .bytes(4, metadata.lastDataHash)
    .finish()
}

/** A writer with room for `data` in whatever message it goes into. */
export function writerFor(data: Data): WireWriter {
  let room = 256
  for (const tx of data.txs) room += tx.length + 6
  return new WireWriter(room)
}

/** Writes the fields of data: metadata if there is any, then each transaction, also an empty one. */
export function writeData(writer: WireWriter, data: Data): WireWriter {
  if (data.metadata !== undefined) writer.presentBytes(1, encodeMetadata(data.metadata))
  for (const tx of data.txs) writer.presentBytes(2, tx)
  return writer
}

/**
 * Canonical protobuf of data.
 * Source: evnode.v1 Data.
 */
export function encodeData(data: Data): Uint8Array {
  return writeData(writerFor(data), data).finish()
}

function leafHash(data: Data): Uint8Array {
  return sha256(writeData(writerFor(data).raw(LEAF_PREFIX), data).view())
}

/** The hash of data (32 bytes): SHA-256 of a zero byte and the canonical encoding. Remembered: never write to it. */
export function dataHash(data: Data): Uint8Array {
  const memo = memoOf(data)
  memo.hash ??= leafHash(data)
  return memo.hash
}

/**
 * The DA commitment of data (32 bytes), which headers carry as their data hash: as {@link dataHash}, of the
 * transactions alone. Remembered: never write to it.
 */
export function dataCommitment(data: Data): Uint8Array {
  if (data.txs.length === 0) return EMPTY_DATA_COMMITMENT
  const memo = memoOf(data)
  memo.commitment ??= leafHash({ txs: data.txs })
  return memo.commitment
}

/** Whether a header's data hash says that the block has no transactions: unset, or the commitment of nothing. */
export function isEmptyCommitment(commitment: Uint8Array): boolean {
  return commitment.length === 0 || equalBytes(commitment, EMPTY_DATA_COMMITMENT)
}

/** The data of a block without transactions, derived from its header and the hash of the data below. */
export function emptyDataFor(header: Header, lastDataHash: Uint8Array): Data {
  const { chainId, height, time } = header
  return { metadata: { chainId, height, time, lastDataHash }, txs: [] }
}

/**
 * About how many bytes of memory decoded data holds. Many tiny transactions weigh far more than their bytes on the
 * wire: places of bounded size count this, not the encoding.
 */
export function dataMemory(data: Data): number {
  let bytes = 512 + (data.metadata?.lastDataHash ?? EMPTY_BYTES).length
  for (const tx of data.txs) bytes += tx.length === 0 ? 8 : 112 + tx.length
  return bytes
}
