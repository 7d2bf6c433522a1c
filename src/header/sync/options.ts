import type { Env } from '../../core/env.ts'
import type { Admit, Exchange, HeaderStore, ItemKind } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Pace } from '../../core/pace.ts'

/** Parts a syncer works with. */
export interface SyncerDeps<H> {
  readonly store: HeaderStore<H>
  readonly exchange: Exchange<H>
  readonly kind: ItemKind<H>
  readonly admit: Admit<H>
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Options of a syncer. Durations are milliseconds. */
export interface SyncerOptions<H = unknown> {
  /** Height of the chain's first item: an empty store begins there. Default 1. */
  readonly initialHeight?: number
  /** Time between items. Default 1,000. */
  readonly blockTime?: number
  /** A head younger than this is taken for the network's. Default three times `blockTime`. */
  readonly recency?: number
  /** A head older than this is not believed; the peers must show a newer one. Default 99 years. */
  readonly trustingPeriod?: number
  /** How long peers have to show their head. Default 2,000. */
  readonly headTimeout?: number
  /** Waiting time after a failed run, the first and the longest; it doubles in between. Default 1,000 and 30,000. */
  readonly retryFirst?: number
  readonly retryLast?: number
  /** Items from gossip that may wait for the gap below them to be closed. Default 1,024. */
  readonly maxPending?: number
  /** Encoded bytes of those items. Default 32 MiB. */
  readonly maxPendingBytes?: number
  /** An item further above the store than this only says how far the chain goes; it is not kept. Default 100,000. */
  readonly maxAhead?: number
  /** Items from the near future that are kept until their time comes. Default 64. */
  readonly maxEarly?: number
  /** Told of two different admitted items of one height: the one in the chain and the other. */
  readonly onConflict?: (stored: H, incoming: H) => void
  /** Keeps ranges from running too far ahead of who works them off. Nobody waits when left out. */
  readonly pace?: Pick<Pace, 'wait'>
}

/** Options with nothing left open. */
export interface SyncerSettings<H> {
  readonly initialHeight: number
  readonly recency: number
  readonly trustingPeriod: number
  readonly headTimeout: number
  readonly retryFirst: number
  readonly retryLast: number
  readonly maxPending: number
  readonly maxPendingBytes: number
  readonly maxAhead: number
  readonly maxEarly: number
  readonly onConflict: ((stored: H, incoming: H) => void) | undefined
  readonly pace: Pick<Pace, 'wait'> | undefined
}

const YEAR = 365 * 24 * 60 * 60 * 1000

/** Fills in the defaults. */
export function settle<H>(options: SyncerOptions<H>): SyncerSettings<H> {
  return {
    initialHeight: options.initialHeight ?? 1,
    recency: options.recency ?? 3 * (options.blockTime ?? 1_000),
    trustingPeriod: options.trustingPeriod ?? 99 * YEAR,
    headTimeout: options.headTimeout ?? 2_000,
    retryFirst: options.retryFirst ?? 1_000,
    retryLast: options.retryLast ?? 30_000,
    maxPending: options.maxPending ?? 1_024,
    maxPendingBytes: options.maxPendingBytes ?? 32 * 1024 * 1024,
    maxAhead: options.maxAhead ?? 100_000,
    maxEarly: options.maxEarly ?? 64,
    onConflict: options.onConflict,
    pace: options.pace,
  }
}
