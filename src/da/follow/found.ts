/*
 * What the blobs of our namespaces hold, as far as their bytes tell. Anybody may post there: nothing is believed yet.
 */
import {
  type DAHeaderEnvelope,
  decodeDAHeaderEnvelope,
  decodeSignedData,
  encodeDAHeaderEnvelope,
  encodeSignedData,
} from '../../types/codec.ts'
import { dataCommitment } from '../../types/data.ts'
import { NO_SIGNER, type Signer } from '../../types/signer.ts'
import { EMPTY_BYTES } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'

/** More than any key and signature of a proposer; they are not covered by the hash, so strangers can pad them. */
const MAX_KEY_BYTES = 128
const MAX_SIGNATURE_BYTES = 128

/** A header as it was found on DA. */
export interface FoundHeader extends DAHeaderEnvelope {
  /** Its canonical encoding: what strangers may have padded it with is gone. */
  readonly bytes: Uint8Array
}

/** Data as it was found on DA. Its transactions stay encoded: decoded they may weigh many times more. */
export interface FoundData {
  readonly chainId: string
  readonly height: number
  readonly commitment: Uint8Array
  /** Who claims to have signed it; nobody when its metadata, key or signature cannot be right. */
  readonly signer: Signer
  /** The canonical encoding of the signed data. */
  readonly bytes: Uint8Array
}

/** Why a blob is nothing of ours, or `crowded`: of one who is not expected, at a DA height that is full of those. */
export type DropReason =
  | 'too_large'
  | 'no_blob'
  | 'undecodable'
  | 'no_metadata'
  | 'empty'
  | 'other_chain'
  | 'crowded'

/** A DA height, read in full. Halves are in the order of the block; of very many not all are here. */
export interface DaBlock {
  readonly height: number
  /** Empty when the DA node does not tell, as {@link DaBlock.previousHash}. */
  readonly hash: Uint8Array
  readonly previousHash: Uint8Array
  readonly headers: readonly FoundHeader[]
  readonly data: readonly FoundData[]
  /** Highest block height of halves that are not here because they are not by the expected proposer. */
  readonly crowdedOut?: number | undefined
}

/** What one blob holds. A header comes with its envelope's signature, or without one in the old form. */
export type Found =
  | { readonly kind: 'header'; readonly found: FoundHeader }
  | { readonly kind: 'data'; readonly found: FoundData }
  | { readonly kind: 'dropped'; readonly reason: DropReason }

/** Reads the bytes of a blob, at most `maxBytes`: as a header if they are one, else as signed data. */
export function decodeFound(bytes: Uint8Array, maxBytes: number): Found {
  if (bytes.length === 0) return dropped('no_blob')
  if (bytes.length > maxBytes) return dropped('too_large')
  return asHeader(bytes) ?? asData(bytes)
}

function dropped(reason: DropReason): Found {
  return { kind: 'dropped', reason }
}

/** Bytes of data decode as a header too, but as one without height. */
function asHeader(bytes: Uint8Array): Found | undefined {
  const envelope = decoded(() => decodeDAHeaderEnvelope(bytes))
  if (envelope === undefined) return undefined
  const { height, chainId } = envelope.header.header
  if (height < 1 || chainId === '') return undefined
  if (envelope.header.signer.publicKey.length > MAX_KEY_BYTES) return dropped('undecodable')
  return { kind: 'header', found: { ...envelope, bytes: encodeDAHeaderEnvelope(envelope) } }
}

function asData(bytes: Uint8Array): Found {
  const signed = decoded(() => decodeSignedData(bytes))
  if (signed === undefined) return dropped('undecodable')
  const { data } = signed
  const { metadata } = data
  if (metadata === undefined || metadata.height < 1) return dropped('no_metadata')
  if (data.txs.length === 0) return dropped('empty')
  const { chainId, height, time } = metadata
  // Its header may vouch for the transactions all the same.
  const nobody =
    signed.signer.publicKey.length > MAX_KEY_BYTES ||
    signed.signature.length > MAX_SIGNATURE_BYTES ||
    chainId === '' ||
    time === 0n
  const { signer, signature } = nobody ? { signer: NO_SIGNER, signature: EMPTY_BYTES } : signed
  const canonical = encodeSignedData({ data, signer, signature })
  return {
    kind: 'data',
    found: { chainId, height, commitment: dataCommitment(data), signer, bytes: canonical },
  }
}

function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode()
  } catch (error) {
    if (error instanceof EvolveError) return undefined
    throw error
  }
}
