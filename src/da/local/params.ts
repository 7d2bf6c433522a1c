/*
 * Parameters of calls, looked at. What is wrong with them throws `RPC_INVALID_PARAMS`, or the text that
 * celestia-node has for it.
 */
import type { Blob } from '../../core/da.ts'
import { fromBase64 } from '../../util/bytes.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import { blobFromJson, createBlob, hasTrueCommitment } from '../blob.ts'
import { rpcError } from './json-rpc.ts'

const NAMESPACE_BYTES = 29
/** Zero bytes of a namespace of version 0, its version among them. */
const NAMESPACE_ZEROS = 19
const COMMITMENT_BYTES = 32
/** Most blobs of one submission. */
const MAX_BLOBS = 4_096
/** Most namespaces of one call. */
const MAX_NAMESPACES = 64

function wrong(what: string, expected: string): EvolveError {
  return rpcError('RPC_INVALID_PARAMS', `${what}: expected ${expected}`)
}

/** Refuses another number of parameters than from `least` to `most`. */
export function expectCount(params: readonly unknown[], least: number, most: number = least): void {
  if (params.length >= least && params.length <= most) return
  const expected = least === most ? String(least) : `${least} to ${most}`
  throw rpcError('RPC_INVALID_PARAMS', `wrong param count: expected ${expected}, got ${params.length}`)
}

/** A DA height. */
export function heightParam(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw wrong('height', 'a whole number from 0 to 2^53-1')
}

/** A namespace. One that nobody may post to is only empty. */
export function namespaceParam(value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  if (bytes?.length !== NAMESPACE_BYTES) throw wrong('namespace', `base64 of ${NAMESPACE_BYTES} bytes`)
  return bytes
}

/** A list of namespaces; null is an empty one. */
export function namespacesParam(value: unknown): Uint8Array[] {
  if (value === null) return []
  if (!Array.isArray(value)) throw wrong('namespaces', 'a list of namespaces')
  if (value.length > MAX_NAMESPACES)
    throw wrong('namespaces', `at most ${MAX_NAMESPACES}, got ${value.length}`)
  return value.map(namespaceParam)
}

/** A share commitment. */
export function commitmentParam(value: unknown): Uint8Array {
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  if (bytes?.length !== COMMITMENT_BYTES) throw wrong('commitment', `base64 of ${COMMITMENT_BYTES} bytes`)
  return bytes
}

/**
 * Blobs of a submission: with data that fits, a namespace that may be used, and the share commitment of their data,
 * which is computed where it is left out.
 */
export function blobsParam(value: unknown, maxBlobSize: number): Blob[] {
  if (!Array.isArray(value)) throw wrong('blobs', 'a list of blobs')
  if (value.length > MAX_BLOBS) throw wrong('blobs', `at most ${MAX_BLOBS}, got ${value.length}`)
  if (value.length === 0) throw new EvolveError('LOCAL_DA_NO_BLOBS', 'no blobs provided')
  return value.map((json: unknown, index) => blobParam(json, index, maxBlobSize))
}

function blobParam(json: unknown, index: number, maxBlobSize: number): Blob {
  const what = `blob ${index}`
  const blob = readBlob(json, what)
  const { namespace, data, shareVersion } = blob
  if (data.length > maxBlobSize) {
    throw new EvolveError(
      'LOCAL_DA_TOO_BIG',
      `blob: over size limit: ${what} has ${data.length} bytes, the limit is ${maxBlobSize}`,
    )
  }
  if (data.length === 0) throw wrong(what, 'data, got none')
  if (shareVersion !== 0) throw wrong(what, `share version 0, got ${shareVersion}`)
  if (!isOpenNamespace(namespace)) {
    throw wrong(what, 'a namespace of version 0 with 18 zero bytes in front, none of the reserved ones')
  }
  if (!hasTrueCommitment(blob)) throw wrong(what, 'the share commitment of its data')
  return blob
}

function readBlob(json: unknown, what: string): Blob {
  try {
    const lacking = typeof json === 'object' && json !== null && !givesCommitment(json)
    if (!lacking) return blobFromJson(json)
    const read = blobFromJson({ ...json, commitment: NO_COMMITMENT })
    return read.data.length === 0
      ? read
      : { ...createBlob(read.namespace, read.data), shareVersion: read.shareVersion }
  } catch (error) {
    throw rpcError('RPC_INVALID_PARAMS', `${what}: ${describeError(error)}`)
  }
}

const NO_COMMITMENT = `${'A'.repeat(43)}=`

function givesCommitment(json: object): boolean {
  const given: unknown = Reflect.get(json, 'commitment')
  return given !== undefined && given !== null && given !== ''
}

/** Namespaces below this one are kept for the protocol: all zero but the last byte. */
function isOpenNamespace(namespace: Uint8Array): boolean {
  const zero = (byte: number): boolean => byte === 0
  return namespace.subarray(0, NAMESPACE_ZEROS).every(zero) && !namespace.subarray(0, -1).every(zero)
}
