/*
 * When what is pending is posted. Source: ev-node v1.2.3 block/internal/submitting/batching_strategy.go.
 */

/** Names of the strategies. */
export type StrategyName = 'immediate' | 'size' | 'time' | 'adaptive'

/** What a strategy decides by. */
export interface StrategyOptions {
  readonly strategy: StrategyName
  /** Part of `maxBlobBytes` that must be full, for `size` and `adaptive`; out of (0, 1] it counts as 0.8. */
  readonly sizeThreshold: number
  readonly maxBlobBytes: number
  /** Longest milliseconds between submissions, for `time` and `adaptive`. */
  readonly maxDelay: number
  /** Items that must be there, for all but `immediate`. */
  readonly minItems: number
}

/** What could be posted now. */
export interface Ready {
  readonly items: number
  readonly bytes: number
  /** There is more than one submission takes. */
  readonly full: boolean
  /** Milliseconds since the last submission, or since the start. */
  readonly sinceLast: number
}

/**
 * Milliseconds until what is ready should be posted, when nothing comes to it; Infinity while more must come. A full
 * submission never waits: after an outage the backlog goes out one submission after the other.
 */
export type Strategy = (ready: Ready) => number

const DEFAULT_THRESHOLD = 0.8

/** Makes a {@link Strategy}. */
export function createStrategy(options: StrategyOptions): Strategy {
  const { strategy, maxDelay, minItems, sizeThreshold } = options
  const part = sizeThreshold > 0 && sizeThreshold <= 1 ? sizeThreshold : DEFAULT_THRESHOLD
  const enough = Math.floor(options.maxBlobBytes * part)
  const bySize = strategy === 'size' || strategy === 'adaptive'
  const byTime = strategy === 'time' || strategy === 'adaptive'
  return ({ items, bytes, full, sinceLast }) => {
    if (items === 0) return Infinity
    if (full || strategy === 'immediate') return 0
    if (items < Math.max(1, minItems)) return Infinity
    if (bySize && bytes >= enough) return 0
    return byTime ? Math.max(0, maxDelay - sinceLast) : Infinity
  }
}
