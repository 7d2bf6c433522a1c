/*
 * What an aggregator posted to DA, as JSON: paths and shapes are those that tools for ev-node v1.2.3 read.
 */
import type { DaSubmission, NodeView } from '../core/node-view.ts'
import { fromHex, toHex } from '../util/bytes.ts'
import { isEvolveError } from '../util/errors.ts'

/** An answer in JSON. */
export interface JsonAnswer {
  readonly status: number
  readonly body: unknown
}

/** What {@link createDaPages} needs. */
export interface DaPagesDeps {
  readonly node: NodeView
  /** Unix nanoseconds. */
  readonly now: () => bigint
}

const STATUS: Readonly<Record<string, string>> = {
  DA_NOT_FOUND: 'Not Found',
  DA_NOT_INCLUDED: 'Not Included In Block',
  DA_IN_MEMPOOL: 'Already In Mempool',
  DA_TOO_BIG: 'Too Big',
  DA_TIMEOUT: 'Context Deadline',
  DA_SEQUENCE: 'Incorrect Account Sequence',
  DA_FROM_FUTURE: 'Height From Future',
}

/** Bytes of a blob that are shown as text. */
const PREVIEW = 200

/** Bytes of a namespace. */
const NAMESPACE_BYTES = 29

/** Bytes of a height in front of a blob's id. */
const HEIGHT_BYTES = 8

/** Latest submissions that say how it stands with DA. */
const RECENT = 10

/** Milliseconds without a success after which it stands badly. */
const LONG = 600_000

/** Part of the latest submissions that may fail. */
const TOLERABLE = 0.2

/** Answers `/da/submissions`, `/da/blob`, `/da/stats` and `/da/health`; undefined for other paths. */
export function createDaPages({
  node,
  now,
}: DaPagesDeps): (
  path: string,
  query: URLSearchParams,
  options: { readonly signal: AbortSignal },
) => Promise<JsonAnswer | undefined> {
  const submissions = (): readonly DaSubmission[] => node.da?.submissions() ?? []
  const isAggregator = (): boolean => node.status().role === 'aggregator'

  async function blob(query: URLSearchParams, signal: AbortSignal): Promise<JsonAnswer> {
    const id = hexOf(query.get('id') ?? '')
    if (node.da === undefined) return failure(503, 'this node knows of no DA')
    if (id === undefined || id.length <= HEIGHT_BYTES) {
      return failure(400, 'id must be the hex of a DA height (8 bytes, little endian) and a commitment')
    }
    const height = Number(new DataView(id.buffer, id.byteOffset).getBigUint64(0, true))
    const commitment = id.subarray(HEIGHT_BYTES)
    const wanted = toHex(commitment)
    const asked = query.get('namespace')
    const namespace = asked === null ? namespaceOf(height, wanted) : hexOf(asked)
    if (namespace?.length !== NAMESPACE_BYTES) return failure(400, 'namespace must be the hex of 29 bytes')
    try {
      const blobs = await node.da.client.getAll(height, [namespace], { signal })
      const found = blobs.find((one) => toHex(one.commitment) === wanted)
      if (found === undefined) return failure(404, 'there is no such blob at this DA height')
      return {
        status: 200,
        body: {
          id: toHex(id),
          height,
          commitment: wanted,
          size: found.data.length,
          content: toHex(found.data),
          content_preview: new TextDecoder().decode(found.data.subarray(0, PREVIEW)),
        },
      }
    } catch (error) {
      if (signal.aborted || !isEvolveError(error)) throw error
      return failure(error.code === 'DA_NOT_FOUND' ? 404 : 502, error.message)
    }
  }

  function namespaceOf(height: number, commitment: string): Uint8Array | undefined {
    const known = submissions().find(
      ({ daHeight, commitments }) =>
        daHeight === height && commitments.some((one) => toHex(one) === commitment),
    )
    return known?.namespace ?? node.da?.headerNamespace
  }

  return async (path, query, { signal }) => {
    switch (path) {
      case '/da/submissions':
        return { status: 200, body: listed(submissions(), isAggregator()) }
      case '/da/blob':
        return await blob(query, signal)
      case '/da/stats':
        return { status: 200, body: stats(submissions()) }
      case '/da/health':
        return { status: 200, body: health(submissions(), node.da?.client.reachable === true, now()) }
      default:
        return undefined
    }
  }
}

function failure(status: number, error: string): JsonAnswer {
  return { status, body: { error } }
}

function hexOf(text: string): Uint8Array | undefined {
  const digits = text.replace(/^0x/, '')
  return /^(?:[\da-f]{2})+$/i.test(digits) ? fromHex(digits) : undefined
}

function isoTime(nanoseconds: bigint): string {
  return new Date(Number(nanoseconds / 1_000_000n)).toISOString()
}

function listed(all: readonly DaSubmission[], isAggregator: boolean): unknown {
  return {
    is_aggregator: isAggregator,
    submissions: all.map((one) => ({
      id: `submission_${one.daHeight ?? 0}_${one.time / 1_000_000_000n}_${one.number}`,
      height: one.daHeight ?? 0,
      blob_size: one.bytes,
      timestamp: isoTime(one.time),
      gas_price: 0,
      status_code: one.failure === undefined ? 'Success' : (STATUS[one.failure.code] ?? 'Error'),
      ...(one.failure === undefined ? {} : { message: one.failure.message }),
      num_blobs: one.blobs,
      blob_ids: one.daHeight === undefined ? [] : one.commitments.map((each) => blobId(one.daHeight, each)),
      namespace: toHex(one.namespace),
      kind: one.kind,
      first_height: one.firstHeight,
      last_height: one.lastHeight,
    })),
    total: all.length,
    ...(isAggregator ? {} : { message: 'this node posts nothing to DA: it is not the aggregator' }),
  }
}

function blobId(height: number | undefined, commitment: Uint8Array): string {
  const bytes = new Uint8Array(HEIGHT_BYTES)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(height ?? 0), true)
  return toHex(bytes) + toHex(commitment)
}

function stats(all: readonly DaSubmission[]): unknown {
  const good = all.filter(({ failure: failed }) => failed === undefined)
  const size = all.reduce((sum, { bytes }) => sum + bytes, 0)
  const [newest, oldest] = [all[0], all.at(-1)]
  return {
    total_submissions: all.length,
    success_count: good.length,
    error_count: all.length - good.length,
    success_rate: all.length === 0 ? '0.00%' : `${((good.length / all.length) * 100).toFixed(2)}%`,
    total_blob_size: size,
    avg_blob_size: all.length === 0 ? 0 : size / all.length,
    avg_gas_price: 0,
    time_range:
      newest === undefined || oldest === undefined
        ? {}
        : { first: isoTime(oldest.time), last: isoTime(newest.time) },
  }
}

function health(all: readonly DaSubmission[], reachable: boolean, now: bigint): unknown {
  const recent = all.slice(0, RECENT)
  const errors = recent.filter(({ failure: failed }) => failed !== undefined)
  const lastSuccess = all.find(({ failure: failed }) => failed === undefined)
  const lastError = all.find(({ failure: failed }) => failed !== undefined)
  const rate = recent.length === 0 ? 0 : errors.length / recent.length
  const silent = lastSuccess === undefined || Number((now - lastSuccess.time) / 1_000_000n) > LONG
  const issues = [
    ...(reachable ? [] : ['the DA node cannot be reached']),
    ...(rate > TOLERABLE ? [`${errors.length} of the latest ${recent.length} submissions failed`] : []),
    ...(all.length > 0 && silent ? ['no submission was taken for a long time'] : []),
  ]
  const status =
    all.length === 0
      ? reachable
        ? 'warning'
        : 'unknown'
      : silent
        ? 'unhealthy'
        : rate > TOLERABLE
          ? 'degraded'
          : 'healthy'
  return {
    status,
    is_healthy: status === 'healthy' || status === 'warning',
    connection_status: reachable ? 'connected' : 'disconnected',
    connection_healthy: reachable,
    metrics: {
      recent_error_rate: `${(rate * 100).toFixed(1)}%`,
      recent_errors: errors.length,
      recent_successes: recent.length - errors.length,
      recent_sample_size: recent.length,
      total_submissions: all.length,
      ...(all[0] === undefined ? {} : { last_submission_time: isoTime(all[0].time) }),
      ...(lastSuccess === undefined ? {} : { last_success_time: isoTime(lastSuccess.time) }),
      ...(lastError === undefined ? {} : { last_error_time: isoTime(lastError.time) }),
    },
    issues,
    timestamp: isoTime(now),
  }
}
