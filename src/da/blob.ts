import type { Blob } from '../core/da.ts'
import { equalBytes, fromBase64, toBase64 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { shareCommitment } from './commitment.ts'

/** A blob as celestia-node's JSON-RPC has it. Bytes are base64. */
export interface BlobJson {
  readonly namespace: string
  readonly data: string
  readonly share_version: number
  readonly commitment: string
  readonly signer?: string
  readonly index: number
}

const NAMESPACE_BYTES = 29
const COMMITMENT_BYTES = 32

/** A blob of share version 0, not posted yet. Throws `INVALID_BLOB` as {@link shareCommitment} does. */
export function createBlob(namespace: Uint8Array, data: Uint8Array): Blob {
  return { namespace, data, shareVersion: 0, commitment: shareCommitment(namespace, data), index: -1 }
}

/** Whether a blob's commitment is that of its data. Only blobs of share version 0 can be checked. */
export function hasTrueCommitment(blob: Blob): boolean {
  return (
    blob.shareVersion === 0 &&
    blob.data.length > 0 &&
    equalBytes(shareCommitment(blob.namespace, blob.data), blob.commitment)
  )
}

/** A blob for a request to a DA node. */
export function blobToJson(blob: Blob): BlobJson {
  return {
    namespace: toBase64(blob.namespace),
    data: toBase64(blob.data),
    share_version: blob.shareVersion,
    commitment: toBase64(blob.commitment),
    ...(blob.signer === undefined ? {} : { signer: toBase64(blob.signer) }),
    index: blob.index,
  }
}

function malformed(what: string): EvolveError {
  return new EvolveError('DECODE_FAILED', `malformed blob: ${what}`, { verdict: 'reject' })
}

/**
 * A blob out of a DA node's answer. Its commitment is taken as it is. Throws `DECODE_FAILED`.
 * Source: celestia-node blob API.
 */
export function blobFromJson(json: unknown): Blob {
  if (typeof json !== 'object' || json === null) throw malformed(`expected an object, got ${typeof json}`)
  const bytes = (name: string, length?: number): Uint8Array => {
    const value: unknown = Reflect.get(json, name) ?? ''
    const decoded = typeof value === 'string' ? fromBase64(value) : undefined
    if (decoded === undefined) throw malformed(`${name} is not base64`)
    if (length !== undefined && decoded.length !== length) {
      throw malformed(`${name} must be ${length} bytes, got ${decoded.length}`)
    }
    return decoded
  }
  const integer = (name: string, least: number, fallback: number): number => {
    const value: unknown = Reflect.get(json, name) ?? fallback
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
      throw malformed(`${name} must be a whole number from ${least}, got ${typeof value}`)
    }
    return value
  }
  const signer = bytes('signer')
  return {
    namespace: bytes('namespace', NAMESPACE_BYTES),
    data: bytes('data'),
    shareVersion: integer('share_version', 0, 0),
    commitment: bytes('commitment', COMMITMENT_BYTES),
    ...(signer.length === 0 ? {} : { signer }),
    index: integer('index', -1, -1),
  }
}

/** The id of a blob that was posted at a DA height: the height, eight bytes little endian, and the commitment. */
export function blobId(height: number, commitment: Uint8Array): Uint8Array {
  const id = new Uint8Array(8 + commitment.length)
  new DataView(id.buffer).setBigUint64(0, BigInt(height), true)
  id.set(commitment, 8)
  return id
}
