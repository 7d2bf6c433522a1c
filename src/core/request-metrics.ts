import type { Metrics } from './metrics.ts'

/** Names under which servers that others ask measure. */
export const REQUEST_METRICS = {
  /** Histogram, labels `method` and `code`: seconds from the head of a request to the end of its answer. */
  seconds: 'rpc_request_duration_seconds',
  /** Gauge, label `kind`: subscriptions that are open. */
  subscribers: 'rpc_subscribers',
  /** Counter, label `reason`: subscriptions that the server ended. */
  dropped: 'rpc_subscribers_dropped_total',
  /** Gauge: connections that are open. */
  connections: 'rpc_open_connections',
} as const

/** One request that was answered. */
export interface RequestOutcome {
  /** One of the methods or paths that the server knows, or `other`: never what a client made up. */
  readonly method: string
  /** `ok`, or the error's code as the protocol names it. */
  readonly code: string
  readonly seconds: number
}

/** Counts and times a request. */
export function observeRequest(metrics: Metrics, { method, code, seconds }: RequestOutcome): void {
  metrics.observe(REQUEST_METRICS.seconds, seconds, { method, code })
}
