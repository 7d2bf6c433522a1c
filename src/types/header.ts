import { sha256, signEd25519 } from '#crypto'
import { copyBytes } from '../util/bytes.ts'
import { WireWriter } from '../util/wire.ts'
import { type Signer, signerOfSeed } from './signer.ts'
import { type Version, writeVersion } from './version.ts'

export {
  marshalPublicKey,
  proposerAddressOf,
  rawPublicKey,
  type Signer,
  signerOf,
  signerOfSeed,
} from './signer.ts'

export type { Version } from './version.ts'

/** Fields that headers carried before the slim form; present only when one of them was on the wire. */
export interface LegacyFields {
  readonly lastCommitHash: Uint8Array
  readonly consensusHash: Uint8Array
  readonly lastResultsHash: Uint8Array
}

/**
 * A block's header. Nobody changes one after it was made: its hash is remembered. Hashes are 32
 * bytes where set and empty where not; the state root is of any length, as the application likes it.
 */
export interface Header {
  readonly version: Version
  /** From 1; at most 2^53 - 1. */
  readonly height: number
  /** Unix nanoseconds, below 2^63. */
  readonly time: bigint
  /** Hash of the header below; empty at the first height. */
  readonly lastHeaderHash: Uint8Array
  /** DA commitment of the block's data. */
  readonly dataHash: Uint8Array
  /** State root before this block was executed. */
  readonly appHash: Uint8Array
  readonly proposerAddress: Uint8Array
  readonly validatorHash: Uint8Array
  readonly chainId: string
  readonly legacy?: LegacyFields
}

/** A header with its proposer's signature. */
export interface SignedHeader {
  readonly header: Header
  readonly signature: Uint8Array
  readonly signer: Signer
}

/** A signed header as peers send it. */
export interface P2PSignedHeader extends SignedHeader {
  /** DA height at which the header may be found; a hint, not a fact. Absent means 0, not known. */
  readonly daHeightHint?: number
}

/** What is known of a header beside itself. */
interface Memo {
  hash: Uint8Array | undefined
  /** Its canonical encoding. */
  encoded: Uint8Array | undefined
}

const memos = new WeakMap<Header, Memo>()
const ZERO_HASH = new Uint8Array(32)
const EMPTY = new Uint8Array(0)
// One for all: encoding runs through without a break, and allocating is what costs most of it.
const scratch = new WireWriter(1024)

function hasLegacy(legacy: LegacyFields | undefined): legacy is LegacyFields {
  return (
    legacy !== undefined &&
    legacy.lastCommitHash.length + legacy.consensusHash.length + legacy.lastResultsHash.length > 0
  )
}

/**
 * Canonical protobuf of a header: what travels, and what is signed. Legacy fields stand behind all others.
 * Source: evnode.v1 Header.
 */
export function encodeHeader(header: Header): Uint8Array {
  return copyBytes(encodedHeaderView(header))
}

/** Keeps the canonical encoding of a header that was decoded from it, so that it need not be written again. */
export function rememberEncoding(header: Header, encoded: Uint8Array): void {
  memos.set(header, { hash: undefined, encoded })
}

/** As {@link encodeHeader}, in memory that the next encoding of any header may use again: never write to it. */
export function encodedHeaderView(header: Header): Uint8Array {
  const encoded = memos.get(header)?.encoded
  if (encoded !== undefined) return encoded
  writeVersion(scratch.reset(), 1, header.version)
    .uint(2, header.height)
    .uint64(3, header.time)
    .bytes(4, header.lastHeaderHash)
    .bytes(6, header.dataHash)
    .bytes(8, header.appHash)
    .bytes(10, header.proposerAddress)
    .bytes(11, header.validatorHash)
    .string(12, header.chainId)
  if (hasLegacy(header.legacy)) {
    const { lastCommitHash, consensusHash, lastResultsHash } = header.legacy
    scratch.bytes(5, lastCommitHash).bytes(7, consensusHash).bytes(9, lastResultsHash)
  }
  return scratch.view()
}

/**
 * The encoding that headers with legacy fields are hashed by, and that a signature may be over: fields in the
 * order of their numbers, height and time written also when 0, a consensus hash of 32 zero bytes when unset.
 */
export function encodeLegacyHeader(header: Header): Uint8Array {
  const { legacy } = header
  const consensusHash = legacy?.consensusHash
  writeVersion(scratch.reset(), 1, header.version)
    .presentUint(2, header.height)
    .presentUint64(3, header.time)
    .bytes(4, header.lastHeaderHash)
    .bytes(5, legacy?.lastCommitHash ?? EMPTY)
    .bytes(6, header.dataHash)
    .bytes(7, consensusHash === undefined || consensusHash.length === 0 ? ZERO_HASH : consensusHash)
    .bytes(8, header.appHash)
    .bytes(9, legacy?.lastResultsHash ?? EMPTY)
    .bytes(10, header.proposerAddress)
    .bytes(11, header.validatorHash)
    .string(12, header.chainId)
  return scratch.finish()
}

/** SHA-256 of the canonical encoding, legacy fields or not. The hash of a header is {@link headerHash}. */
export function slimHeaderHash(header: Header): Uint8Array {
  return sha256(encodedHeaderView(header))
}

/**
 * The hash of a header (32 bytes): SHA-256 of the canonical encoding, or of the legacy encoding when a legacy
 * field is set. Does not cover the signature. Remembered per header: never write to the result.
 */
export function headerHash(header: Header): Uint8Array {
  const memo = memos.get(header)
  if (memo?.hash !== undefined) return memo.hash
  const hash = hasLegacy(header.legacy) ? sha256(encodeLegacyHeader(header)) : slimHeaderHash(header)
  if (memo === undefined) memos.set(header, { hash, encoded: undefined })
  else memo.hash = hash
  return hash
}

/** Signs a header with a 32-byte ed25519 seed, over its canonical encoding. */
export function signHeader(header: Header, seed: Uint8Array): SignedHeader {
  return { header, signature: signEd25519(seed, encodeHeader(header)), signer: signerOfSeed(seed) }
}
