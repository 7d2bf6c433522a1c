/*
 * Messages around headers. Source: evnode.v1 Header, SignedHeader, P2PSignedHeader, DAHeaderEnvelope.
 */
import { copyBytes, EMPTY_BYTES } from '../util/bytes.ts'
import { CanonicalReader } from '../util/canonical-reader.ts'
import { WireReader, WireWriter } from '../util/wire.ts'
import {
  encodedHeaderView,
  type Header,
  type P2PSignedHeader,
  rememberEncoding,
  type SignedHeader,
} from './header.ts'
import { readCanonicalVersion, readVersion, type Version } from './version.ts'
import { NO_SIGNER, readCanonicalSigner, type Signer, writeSigner } from './signer.ts'
import { decodeError, fieldTypes, MAX_TIME, readFields, readTime } from './wire-fields.ts'

/** A signed header as it lies on DA. */
export interface DAHeaderEnvelope {
  readonly header: SignedHeader
  /** The signer's signature over the bytes of the signed header; empty in envelopes of the old form. */
  readonly envelopeSignature: Uint8Array
}

type Draft<T> = { -readonly [K in keyof T]: T[K] }

const HEADER = fieldTypes('bvvbbbbbbbbb')
const SIGNER = fieldTypes('bb')
const SIGNED_HEADER = fieldTypes('bbb')
const P2P_SIGNED_HEADER = fieldTypes('bbbv')
const ENVELOPE = fieldTypes('bbbb')

/** Most bytes of unknown and legacy fields in a header, and most bytes of one legacy field. */
const MAX_UNKNOWN_BYTES = 1 << 20
const MAX_LEGACY_BYTES = 1024
/** Longer encodings are not remembered: a header then takes about as much memory as it says. */
const MAX_REMEMBERED_BYTES = 1024

interface HeaderDraft extends Omit<Draft<Header>, 'version' | 'legacy'> {
  readonly version: Draft<Version>
  lastCommitHash: Uint8Array
  consensusHash: Uint8Array
  lastResultsHash: Uint8Array
}

function newHeaderDraft(): HeaderDraft {
  return {
    version: { block: 0n, app: 0n },
    height: 0,
    time: 0n,
    lastHeaderHash: EMPTY_BYTES,
    dataHash: EMPTY_BYTES,
    appHash: EMPTY_BYTES,
    proposerAddress: EMPTY_BYTES,
    validatorHash: EMPTY_BYTES,
    chainId: '',
    lastCommitHash: EMPTY_BYTES,
    consensusHash: EMPTY_BYTES,
    lastResultsHash: EMPTY_BYTES,
  }
}

function readHeader(bytes: Uint8Array, draft: HeaderDraft): void {
  let legacyBytes = 0
  const dropped = readFields(new WireReader(bytes), HEADER, (field, reader) => {
    switch (field.number) {
      case 1:
        readVersion(reader.bytes(field, 'version'), draft.version)
        return
      case 2:
        draft.height = reader.uint(field, 'height')
        return
      case 3:
        draft.time = readTime(reader, field, 'time')
        return
      case 4:
        draft.lastHeaderHash = reader.copiedBytes(field, 'last_header_hash')
        return
      case 6:
        draft.dataHash = reader.copiedBytes(field, 'data_hash')
        return
      case 8:
        draft.appHash = reader.copiedBytes(field, 'app_hash')
        return
      case 10:
        draft.proposerAddress = reader.copiedBytes(field, 'proposer_address')
        return
      case 11:
        draft.validatorHash = reader.copiedBytes(field, 'validator_hash')
        return
      case 12:
        draft.chainId = reader.string(field, 'chain_id')
        return
      default: {
        const value = reader.copiedBytes(field, `legacy field ${field.number}`)
        if (value.length > MAX_LEGACY_BYTES) {
          throw decodeError(
            `legacy field ${field.number} has ${value.length} bytes, allowed are ${MAX_LEGACY_BYTES}`,
          )
        }
        legacyBytes += value.length + (value.length < 128 ? 2 : 3)
        if (field.number === 5) draft.lastCommitHash = value
        else if (field.number === 7) draft.consensusHash = value
        else draft.lastResultsHash = value
      }
    }
  })
  if (dropped + legacyBytes > MAX_UNKNOWN_BYTES) {
    throw decodeError(
      `header has ${dropped + legacyBytes} bytes of unknown fields, allowed are ${MAX_UNKNOWN_BYTES}`,
    )
  }
}

function finishHeader(draft: HeaderDraft): Header {
  const { lastCommitHash, consensusHash, lastResultsHash } = draft
  const header: Header = {
    version: draft.version,
    height: draft.height,
    time: draft.time,
    lastHeaderHash: draft.lastHeaderHash,
    dataHash: draft.dataHash,
    appHash: draft.appHash,
    proposerAddress: draft.proposerAddress,
    validatorHash: draft.validatorHash,
    chainId: draft.chainId,
  }
  if (lastCommitHash.length + consensusHash.length + lastResultsHash.length === 0) return header
  return { ...header, legacy: { lastCommitHash, consensusHash, lastResultsHash } }
}

/** Reads what `encodeHeader` writes, but for legacy fields. */
function readCanonicalHeader(reader: CanonicalReader): Header {
  return {
    version: readCanonicalVersion(reader, 1),
    height: reader.uint(2),
    time: reader.uint64(3),
    lastHeaderHash: reader.bytes(4),
    dataHash: reader.bytes(6),
    appHash: reader.bytes(8),
    proposerAddress: reader.bytes(10),
    validatorHash: reader.bytes(11),
    chainId: reader.string(12),
  }
}

/**
 * A signed header in its usual, canonical form, and what `readRest` reads behind it; undefined when it has another.
 * Its header's encoding is remembered.
 */
function readCanonicalSignedHeader<T>(
  bytes: Uint8Array,
  readRest: (reader: CanonicalReader, signed: SignedHeader) => T,
): T | undefined {
  const reader = new CanonicalReader(bytes)
  const around = reader.enter(1)
  const start = reader.offset
  const header = readCanonicalHeader(reader)
  const end = reader.offset
  reader.leave(around)
  const signature = reader.bytes(2)
  const result = readRest(reader, { header, signature, signer: readCanonicalSigner(reader, 3) })
  if (!reader.complete || header.time > MAX_TIME) return undefined
  if (end - start <= MAX_REMEMBERED_BYTES) rememberEncoding(header, copyBytes(bytes, start, end))
  return result
}

/** A header from its protobuf. Throws `DECODE_FAILED`. */
export function decodeHeader(bytes: Uint8Array): Header {
  const draft = newHeaderDraft()
  readHeader(bytes, draft)
  return finishHeader(draft)
}

/** Reads a signer over what an earlier signer field of the same message said. */
export function readSigner(bytes: Uint8Array, draft: Draft<Signer>): void {
  readFields(new WireReader(bytes), SIGNER, (field, reader) => {
    if (field.number === 1) draft.address = reader.copiedBytes(field, 'address')
    else draft.publicKey = reader.copiedBytes(field, 'pub_key')
  })
}

/** A signer as read. Without a key it is nobody: an address alone says nothing. */
export function finishSigner(draft: Signer): Signer {
  return draft.publicKey.length === 0 ? NO_SIGNER : { address: draft.address, publicKey: draft.publicKey }
}

function readSignedHeader(
  bytes: Uint8Array,
  types: readonly (number | undefined)[],
  what: string,
  readFourth: (field: { readonly number: number; readonly type: number }, reader: WireReader) => void,
): SignedHeader {
  let header: HeaderDraft | undefined
  let signature: Uint8Array = EMPTY_BYTES
  const signer: Draft<Signer> = { ...NO_SIGNER }
  readFields(new WireReader(bytes), types, (field, reader) => {
    switch (field.number) {
      case 1:
        header ??= newHeaderDraft()
        readHeader(reader.bytes(field, 'header'), header)
        return
      case 2:
        signature = reader.copiedBytes(field, 'signature')
        return
      case 3:
        readSigner(reader.bytes(field, 'signer'), signer)
        return
      default:
        readFourth(field, reader)
    }
  })
  if (header === undefined) throw decodeError(`${what} without a header`)
  return { header: finishHeader(header), signature, signer: finishSigner(signer) }
}

const scratch = new WireWriter(1024)

function writeSignedHeader({ header, signature, signer }: SignedHeader): WireWriter {
  scratch.reset().presentBytes(1, encodedHeaderView(header)).bytes(2, signature)
  return writeSigner(scratch, 3, signer)
}

/** Canonical protobuf of a signed header. */
export function encodeSignedHeader(signed: SignedHeader): Uint8Array {
  return writeSignedHeader(signed).finish()
}

/** A signed header from its protobuf. Throws `DECODE_FAILED`, also when there is no header in it. */
export function decodeSignedHeader(bytes: Uint8Array): SignedHeader {
  return (
    readCanonicalSignedHeader(bytes, (_reader, signed) => signed) ??
    readSignedHeader(bytes, SIGNED_HEADER, 'signed header', () => undefined)
  )
}

/** A signed header as peers send and stores keep it. The hint is written also when it is 0. */
export function encodeP2PSignedHeader(signed: P2PSignedHeader): Uint8Array {
  return writeSignedHeader(signed)
    .presentUint(4, signed.daHeightHint ?? 0)
    .finish()
}

/** A signed header as a peer sent it. An absent hint is 0. Throws `DECODE_FAILED`. */
export function decodeP2PSignedHeader(bytes: Uint8Array): P2PSignedHeader {
  const canonical = readCanonicalSignedHeader(bytes, (reader, { header, signature, signer }) => {
    return { header, signature, signer, daHeightHint: reader.presentUint(4) }
  })
  if (canonical !== undefined) return canonical
  let daHeightHint = 0
  const signed = readSignedHeader(bytes, P2P_SIGNED_HEADER, 'signed header', (field, reader) => {
    daHeightHint = reader.uint(field, 'da_height_hint')
  })
  return { ...signed, daHeightHint }
}

/** A header as it is posted to DA. */
export function encodeDAHeaderEnvelope(envelope: DAHeaderEnvelope): Uint8Array {
  return writeSignedHeader(envelope.header).bytes(4, envelope.envelopeSignature).finish()
}

/** A header as it was found on DA; also the old form, a signed header alone. Throws `DECODE_FAILED`. */
export function decodeDAHeaderEnvelope(bytes: Uint8Array): DAHeaderEnvelope {
  const canonical = readCanonicalSignedHeader(bytes, (reader, header) => {
    return { header, envelopeSignature: reader.bytes(4) }
  })
  if (canonical !== undefined) return canonical
  let envelopeSignature: Uint8Array = EMPTY_BYTES
  const header = readSignedHeader(bytes, ENVELOPE, 'header envelope', (field, reader) => {
    envelopeSignature = reader.copiedBytes(field, 'envelope_signature')
  })
  return { header, envelopeSignature }
}
