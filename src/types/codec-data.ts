/*
 * Messages around data. Source: evnode.v1 Data, P2PData, SignedData, Metadata.
 */
import { EMPTY_BYTES, plainView } from '../util/bytes.ts'
import { CanonicalReader } from '../util/canonical-reader.ts'
import { type WireField, WireReader, WireWriter } from '../util/wire.ts'
import { finishSigner, readSigner } from './codec-header.ts'
import {
  type Data,
  encodeData,
  encodedDataOf,
  type Metadata,
  type P2PData,
  rememberEncodedData,
  type SignedData,
  writeData,
  writerFor,
} from './data.ts'
import { NO_SIGNER, writeSigner } from './signer.ts'
import { decodeError, type FieldTypes, fieldTypes, MAX_TIME, readFields, readTime } from './wire-fields.ts'

type Draft<T> = { -readonly [K in keyof T]: T[K] }

const METADATA = fieldTypes('bvvb')
const DATA = fieldTypes('bb')
const P2P_DATA = fieldTypes('bbv')
const SIGNED_DATA = fieldTypes('bbb')

function readMetadata(bytes: Uint8Array, metadata: Draft<Metadata>): void {
  readFields(new WireReader(bytes), METADATA, (field, reader) => {
    switch (field.number) {
      case 1:
        metadata.chainId = reader.string(field, 'chain_id')
        return
      case 2:
        metadata.height = reader.uint(field, 'height')
        return
      case 3:
        metadata.time = readTime(reader, field, 'time')
        return
      default:
        metadata.lastDataHash = reader.copiedBytes(field, 'last_data_hash')
    }
  })
}

interface DataDraft {
  metadata: Draft<Metadata> | undefined
  readonly txs: Uint8Array[]
}

function readData(
  bytes: Uint8Array,
  types: FieldTypes,
  draft: DataDraft,
  readThird: (field: WireField, reader: WireReader) => void,
): void {
  readFields(new WireReader(bytes), types, (field, reader) => {
    switch (field.number) {
      case 1:
        draft.metadata ??= { chainId: '', height: 0, time: 0n, lastDataHash: EMPTY_BYTES }
        readMetadata(reader.bytes(field, 'metadata'), draft.metadata)
        return
      case 2: {
        const tx = reader.bytes(field, 'tx')
        draft.txs.push(tx.length === 0 ? EMPTY_BYTES : tx)
        return
      }
      default:
        readThird(field, reader)
    }
  })
}

function finishData({ metadata, txs }: DataDraft): Data {
  return metadata === undefined ? { txs } : { metadata, txs }
}

/**
 * Transactions are views of the message, not copies: they are most of it. When the message is itself a small part
 * of a larger buffer (one read from the network, say), it is copied first, as a whole, so that at most twice the
 * message stays in memory. Whoever decodes must not write to the bytes any more.
 */
function ownMessage(bytes: Uint8Array): Uint8Array {
  return bytes.length * 2 < bytes.buffer.byteLength ? new Uint8Array(bytes) : plainView(bytes)
}

/** Reads what `encodeMetadata` writes. */
function readCanonicalMetadata(reader: CanonicalReader): Metadata {
  const around = reader.enter(1)
  const metadata = {
    chainId: reader.string(1),
    height: reader.uint(2),
    time: reader.uint64(3),
    lastDataHash: reader.bytes(4),
  }
  reader.leave(around)
  return metadata
}

function readCanonicalTxs(reader: CanonicalReader): Uint8Array[] {
  const txs: Uint8Array[] = []
  for (let tx = reader.next(2); tx !== undefined; tx = reader.next(2)) txs.push(tx)
  return txs
}

/** Data of a peer in its usual, canonical form, whose bytes are remembered; undefined when it has another. */
function readCanonicalP2PData(bytes: Uint8Array): P2PData | undefined {
  const reader = new CanonicalReader(bytes)
  const metadata = readCanonicalMetadata(reader)
  const txsFrom = reader.offset
  const txs = readCanonicalTxs(reader)
  const end = reader.offset
  const data: P2PData = { metadata, txs, daHeightHint: reader.presentUint(3) }
  if (!reader.complete || metadata.time > MAX_TIME) return undefined
  // Those without transactions keep nothing of the message in memory, and are soon written again.
  if (txs.length > 0) rememberEncodedData(data, { bytes: bytes.subarray(0, end), txsFrom, p2p: bytes })
  return data
}

/** Data from its protobuf. Without metadata in it, there is none in the result. Throws `DECODE_FAILED`. */
export function decodeData(bytes: Uint8Array): Data {
  const draft: DataDraft = { metadata: undefined, txs: [] }
  readData(ownMessage(bytes), DATA, draft, () => undefined)
  return finishData(draft)
}

/** Data as peers send and stores keep it. The hint is written also when it is 0. */
export function encodeP2PData(data: P2PData): Uint8Array {
  const known = encodedDataOf(data)?.p2p
  if (known !== undefined) return known
  return writeData(writerFor(data), data)
    .presentUint(3, data.daHeightHint ?? 0)
    .finish()
}

/** Data as a peer sent it. An absent hint is 0. Throws `DECODE_FAILED`, also when there is no metadata in it. */
export function decodeP2PData(bytes: Uint8Array): P2PData {
  const own = ownMessage(bytes)
  const canonical = readCanonicalP2PData(own)
  if (canonical !== undefined) return canonical
  const draft: DataDraft = { metadata: undefined, txs: [] }
  let daHeightHint = 0
  readData(own, P2P_DATA, draft, (field, reader) => {
    daHeightHint = reader.uint(field, 'da_height_hint')
  })
  if (draft.metadata === undefined) throw decodeError('data of a peer without metadata')
  return { ...finishData(draft), daHeightHint }
}

/** Data as it is posted to DA. */
export function encodeSignedData({ data, signature, signer }: SignedData): Uint8Array {
  const encoded = encodeData(data)
  const writer = new WireWriter(encoded.length + signature.length + signer.publicKey.length + 160)
    .presentBytes(1, encoded)
    .bytes(2, signature)
  return writeSigner(writer, 3, signer).finish()
}

/** Data as it was found on DA. Throws `DECODE_FAILED`, also when there is no data in it. */
export function decodeSignedData(bytes: Uint8Array): SignedData {
  let data: DataDraft | undefined
  let signature: Uint8Array = EMPTY_BYTES
  const signer = { ...NO_SIGNER }
  readFields(new WireReader(ownMessage(bytes)), SIGNED_DATA, (field, reader) => {
    switch (field.number) {
      case 1:
        data ??= { metadata: undefined, txs: [] }
        readData(reader.bytes(field, 'data'), DATA, data, () => undefined)
        return
      case 2:
        signature = reader.copiedBytes(field, 'signature')
        return
      default:
        readSigner(reader.bytes(field, 'signer'), signer)
    }
  })
  if (data === undefined) throw decodeError('signed data without data')
  return { data: finishData(data), signature, signer: finishSigner(signer) }
}
