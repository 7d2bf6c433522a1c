/*
 * How fast the chain went during the last minutes: columns, one entry a second or so, for the charts.
 */
import type { BlockSummary } from 'evolve-node/client'
import { milliseconds } from '../format.ts'

/** Columns of equal length, oldest first. `times` are seconds since 1970; null where nothing is known. */
export interface History {
  readonly times: readonly number[]
  /** Blocks a second. */
  readonly blocks: readonly (number | null)[]
  /** Transactions a second. */
  readonly transactions: readonly (number | null)[]
  /** Executed blocks that are not final. */
  readonly lag: readonly (number | null)[]
}

/** One entry of a {@link History}. */
export interface Sample {
  readonly time: number
  readonly blocks: number | null
  readonly transactions: number | null
  readonly lag: number | null
}

/** Seconds that are kept. */
export const HISTORY_SECONDS = 300
/** Seconds without an entry after which the line is interrupted. */
const GAP = 4
/** Seconds over which rates are taken from the times of blocks. */
const SPAN = 5

/** Nothing yet. */
export const EMPTY_HISTORY: History = { times: [], blocks: [], transactions: [], lag: [] }

/** The history with one more entry; what is too old falls off. */
export function withSample(history: History, sample: Sample): History {
  const last = history.times.at(-1)
  if (last !== undefined && sample.time <= last) return history
  const added: Sample[] = [sample]
  if (last !== undefined && sample.time - last > GAP) {
    added.unshift({ time: last + 1, blocks: null, transactions: null, lag: null })
  }
  const from = history.times.findIndex((time) => time >= sample.time - HISTORY_SECONDS)
  const kept = <T>(column: readonly T[]): readonly T[] => (from < 0 ? [] : column.slice(from))
  return {
    times: [...kept(history.times), ...added.map(({ time }) => time)],
    blocks: [...kept(history.blocks), ...added.map(({ blocks }) => blocks)],
    transactions: [...kept(history.transactions), ...added.map(({ transactions }) => transactions)],
    lag: [...kept(history.lag), ...added.map(({ lag }) => lag)],
  }
}

/**
 * A history from the times of blocks without a gap, highest first, up to `end` (seconds since 1970). The lag behind
 * finality cannot be known from them.
 */
export function historyOf(blocks: readonly BlockSummary[], end: number): History {
  const lowest = blocks.at(-1)
  if (lowest === undefined) return EMPTY_HISTORY
  const made = blocks
    .map(({ time, txCount }) => ({ second: milliseconds(time) / 1_000, txCount }))
    .toReversed()
  const start = Math.max(
    Math.ceil(milliseconds(lowest.time) / 1_000) + SPAN,
    Math.floor(end) - HISTORY_SECONDS,
  )
  let history = EMPTY_HISTORY
  // `begin` and `stop` enclose the blocks of the seconds before each entry.
  let [begin, stop, transactions] = [0, 0, 0]
  for (let time = start; time < end; time++) {
    for (let next = made[stop]; next !== undefined && next.second <= time; next = made[++stop]) {
      transactions += next.txCount
    }
    for (let first = made[begin]; first !== undefined && first.second <= time - SPAN; first = made[++begin]) {
      transactions -= first.txCount
    }
    history = withSample(history, {
      time,
      blocks: (stop - begin) / SPAN,
      transactions: transactions / SPAN,
      lag: null,
    })
  }
  return history
}
