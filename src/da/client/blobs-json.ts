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
import type { ListSink } from './list-scanner.ts'
import { CLIENT_METRICS } from './metrics.ts'

/** Bytes of the largest blob that is posted or taken. Source: ev-node v1.2.3 pkg/blobsize. */
export const MAX_BLOB_BYTES: number = 5 * 1024 * 1024

const MAX_BLOB_TEXT = Math.ceil(MAX_BLOB_BYTES / 3) * 4

/** Bytes of a blob's JSON beyond its data: the other fields, and slashes that were escaped. */
const SLACK = 256 * 1024

/** Bytes of the largest blob as JSON. */
export const MAX_BLOB_JSON_BYTES: number = MAX_BLOB_TEXT + SLACK

/** What a blob weighs in memory beyond its data. */
const BLOB_OVERHEAD = 512

/**
 * Why a blob was left out: it is null or not a blob; of another namespace; larger than {@link MAX_BLOB_BYTES}; not
 * wanted by who asked; one too many for the room that there is.
 */
export type DropReason = 'malformed' | 'foreign' | 'too-big' | 'unwanted' | 'no-room'

/** What a {@link BlobCollector} collects. */
export interface CollectorOptions {
  /** Others are left out. */
  readonly namespaces: readonly Uint8Array[]
  /** Bytes of what is kept. */
  readonly maxBytes: number
  /** Which blobs are wanted [all]. Not asked for those that there is no room for. */
  readonly keep?: ((blob: Blob) => boolean) | undefined
}

/** Collects the blobs of one answer, element by element. */
export interface BlobCollector extends ListSink {
  readonly blobs: Blob[]
}

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

/** Makes a {@link BlobCollector}. What is left out is counted. */
export function createBlobCollector(
  metrics: Metrics,
  { namespaces, maxBytes, keep = () => true }: CollectorOptions,
): BlobCollector {
  const asked = new Set(namespaces.map(toBase64))
  const blobs: Blob[] = []
  let room = maxBytes

  const drop = (reason: DropReason): void => metrics.count(CLIENT_METRICS.blobsDropped, 1, { reason })

  return {
    blobs,
    element(json) {
      const blob = readBlob(json, asked)
      if (typeof blob !== 'object') return drop(blob)
      const weight = blob.data.length + BLOB_OVERHEAD
      if (weight > room) return drop('no-room')
      if (!keep(blob)) return drop('unwanted')
      room -= weight
      blobs.push(blob)
    },
    skipped: () => drop('too-big'),
  }
}

/** Hands the elements of a list to `sink`; null is an empty list. Throws `DA_MALFORMED` when it is no list. */
export function takeList(json: unknown, sink: ListSink): void {
  if (json === null || json === undefined) return
  if (!Array.isArray(json)) throw daError('DA_MALFORMED', `expected a list of blobs, got ${typeof json}`)
  const list: readonly unknown[] = json
  for (const one of list) sink.element(one)
}
