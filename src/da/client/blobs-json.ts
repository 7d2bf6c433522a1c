/*
 * Blobs out of a DA node's answers. Anybody may post to our namespaces, so one that is wrong is left out and the
 * others stand.
 */
import type { Blob } from '../../core/da.ts'
import type { Metrics } from '../../core/metrics.ts'
import { toBase64 } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import { blobFromJson } from '../blob.ts'
import { daError } from './errors.ts'
import { field } from './json-rpc.ts'
import { CLIENT_METRICS } from './metrics.ts'

/** Bytes of the largest blob that is posted or taken. Source: ev-node v1.2.3 pkg/blobsize. */
export const MAX_BLOB_BYTES: number = 5 * 1024 * 1024

const MAX_BLOB_TEXT = Math.ceil(MAX_BLOB_BYTES / 3) * 4

/** Why a blob was left out: it is null or not a blob; of another namespace; larger than {@link MAX_BLOB_BYTES}. */
export type DropReason = 'malformed' | 'foreign' | 'too-big'

function readBlob(json: unknown, namespaces: ReadonlySet<string>): Blob | DropReason {
  const namespace = field(json, 'namespace')
  // Looked at before anything is decoded: what is dropped should cost little.
  if (typeof namespace === 'string' && !namespaces.has(namespace)) return 'foreign'
  const data = field(json, 'data')
  if (typeof data === 'string' && data.length > MAX_BLOB_TEXT) return 'too-big'
  try {
    const blob = blobFromJson(json)
    return blob.data.length > MAX_BLOB_BYTES ? 'too-big' : blob
  } catch (error) {
    if (isEvolveError(error, 'DECODE_FAILED')) return 'malformed'
    throw error
  }
}

/**
 * The blobs of `namespaces` out of an answer, in its order; null is none. Those that are left out are counted.
 * Throws `DA_MALFORMED` when the answer is no list.
 */
export function blobsFromJson(json: unknown, namespaces: readonly Uint8Array[], metrics: Metrics): Blob[] {
  if (json === null || json === undefined) return []
  if (!Array.isArray(json)) throw daError('DA_MALFORMED', `expected a list of blobs, got ${typeof json}`)
  const asked = new Set(namespaces.map(toBase64))
  const list: readonly unknown[] = json
  return list.flatMap((one) => {
    const read = readBlob(one, asked)
    if (typeof read === 'object') return [read]
    metrics.count(CLIENT_METRICS.blobsDropped, 1, { reason: read })
    return []
  })
}
