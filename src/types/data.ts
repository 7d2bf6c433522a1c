import { sha256, sha256Parts } from '#crypto'
import { copyBytes, EMPTY_BYTES, equalBytes } from '../util/bytes.ts'
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

/** The canonical bytes that data was decoded from. */
export interface EncodedData {
  /** Of the data alone. */
  readonly bytes: Uint8Array
  /** Where in them the transactions begin. */
  readonly txsFrom: number
  /** The whole message with its hint, where the data came from a peer or a store. */
  readonly p2p: Uint8Array | undefined
}

/** What is known of data beside itself. */
interface Memo {
  hash: Uint8Array | undefined
  commitment: Uint8Array | undefined
  readonly encoded: EncodedData | undefined
}

const memos = new WeakMap<Data, Memo>()
const LEAF_PREFIX = new Uint8Array(1)

/** The DA commitment of data without transactions: SHA-256 of one zero byte. Shared: never write to it. */
export const EMPTY_DATA_COMMITMENT: Uint8Array = sha256(LEAF_PREFIX)

function memoOf(data: Data): Memo {
  const known = memos.get(data)
  if (known !== undefined) return known
  const memo: Memo = { hash: undefined, commitment: undefined, encoded: undefined }
  memos.set(data, memo)
  return memo
}

/** Keeps the canonical bytes of data that was decoded from them, so that they need not be written again. */
export function rememberEncodedData(data: Data, encoded: EncodedData): void {
  memos.set(data, { hash: undefined, commitment: undefined, encoded })
}

/** What {@link rememberEncodedData} keeps. */
export function encodedDataOf(data: Data): EncodedData | undefined {
  return memos.get(data)?.encoded
}

/** Data up to this size is written into memory that is used again. */
const MAX_SCRATCH_BYTES = 65_536
// One for all, as for headers; metadata is written while data is.
const scratch = new WireWriter(1_024)
const metadataScratch = new WireWriter(256)

/** Canonical protobuf of metadata. */
export function encodeMetadata(metadata: Metadata): Uint8Array {
  return copyBytes(metadataView(metadata))
}

/** As {@link encodeMetadata}, in memory that the next encoding uses again. */
function metadataView({ chainId, height, time, lastDataHash }: Metadata): Uint8Array {
  return metadataScratch
    .reset()
    .string(1, chainId)
    .uint(2, height)
    .uint64(3, time)
    .bytes(4, lastDataHash)
    .view()
}

/** An empty writer for `data` in whatever message it goes into: what it wrote is good until the next is asked for. */
export function writerFor(data: Data): WireWriter {
  let room = 256
  for (const tx of data.txs) room += tx.length + 6
  return room > MAX_SCRATCH_BYTES ? new WireWriter(room) : scratch.reset()
}

/** Writes the fields of data: metadata if there is any, then each transaction, also an empty one. */
export function writeData(writer: WireWriter, data: Data): WireWriter {
  if (data.metadata !== undefined) writer.presentBytes(1, metadataView(data.metadata))
  for (const tx of data.txs) writer.presentBytes(2, tx)
  return writer
}

/**
 * Canonical protobuf of data.
 * Source: evnode.v1 Data.
 */
export function encodeData(data: Data): Uint8Array {
  const encoded = encodedDataOf(data)
  if (encoded !== undefined) return encoded.bytes
  return writeData(writerFor(data), data).finish()
}

function leafHash(data: Data): Uint8Array {
  return sha256(writeData(writerFor(data).raw(LEAF_PREFIX), data).view())
}

function leafHashOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length > MAX_SCRATCH_BYTES) return sha256Parts(LEAF_PREFIX, bytes)
  return sha256(scratch.reset().raw(LEAF_PREFIX).raw(bytes).view())
}

/** The hash of data (32 bytes): SHA-256 of a zero byte and the canonical encoding. Remembered: never write to it. */
export function dataHash(data: Data): Uint8Array {
  const memo = memoOf(data)
  memo.hash ??= memo.encoded === undefined ? leafHash(data) : leafHashOf(memo.encoded.bytes)
  return memo.hash
}

/**
 * The DA commitment of data (32 bytes), which headers carry as their data hash: as {@link dataHash}, of the
 * transactions alone. Remembered: never write to it.
 */
export function dataCommitment(data: Data): Uint8Array {
  if (data.txs.length === 0) return EMPTY_DATA_COMMITMENT
  const memo = memoOf(data)
  memo.commitment ??=
    memo.encoded === undefined
      ? leafHash({ txs: data.txs })
      : leafHashOf(memo.encoded.bytes.subarray(memo.encoded.txsFrom))
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
