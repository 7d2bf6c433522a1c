import type { Exchange, FetchedRange, HeaderStore } from '../../core/header.ts'
import type { Pace } from '../../core/pace.ts'
import { isEvolveError, verdictOf } from '../../util/errors.ts'
import { createAppender } from './appender.ts'
import { mapAhead } from '../../util/map-ahead.ts'
import { admitChecked, checkAlone, type CheckDeps, type Place } from './check.ts'

/** Parts of {@link fetchRange}. */
export interface FetchDeps<H> extends CheckDeps<H> {
  readonly exchange: Pick<Exchange<H>, 'range'>
  readonly store: Pick<HeaderStore<H>, 'head'>
  /** Stores items that were found good. */
  readonly append: (items: readonly H[]) => Promise<void>
  /** Keeps it from running too far ahead of who works off what it stores. */
  readonly pace?: Pick<Pace, 'wait'> | undefined
}

/**
 * How fetching a range ended.
 *
 * - `complete`: all of it is stored.
 * - `short`: the peers have no more for now.
 * - `wrong`: a peer sent something wrong and was blamed; others may be asked at once.
 * - `doubtful`: what came next cannot be judged yet.
 */
export type FetchEnd =
  | { readonly type: 'complete' }
  | { readonly type: 'short' }
  | { readonly type: 'wrong' | 'doubtful'; readonly error: unknown }

/** Pieces whose items are checked at the same time, where that happens on other threads. */
const CHECKED_AHEAD = 8

/**
 * Fetches heights `from` up to and without `to`, the ones that follow the head of the store, checks them and
 * stores what is good, the next pieces being checked while the last is written. Whatever way it ends, everything
 * found good is stored. Rejects with what exchange or store say, or the signal's reason.
 */
export async function fetchRange<H>(
  deps: FetchDeps<H>,
  { from, to }: { readonly from: number; readonly to: number },
  { signal }: { readonly signal: AbortSignal },
): Promise<FetchEnd> {
  const { exchange, store, kind } = deps
  const appender = createAppender(deps.append, (item) => kind.encode(item).length)
  /** Where the next piece is to stand, if those before it are good; their checks may still run. */
  let place: Place<H> = { below: await store.head(), from }
  const pieces = mapAhead({
    open: (inner) => exchange.range(from, to, { signal: inner }),
    async map(piece: FetchedRange<H>) {
      const own = place
      place = { below: piece.items.at(-1) ?? own.below, from: own.from + piece.items.length }
      return { piece, place: own, checked: await checkAlone(deps, piece.items, own, { signal }) }
    },
    depth: kind.validateAll === undefined ? 1 : CHECKED_AHEAD,
    signal,
  })
  let next = from
  let end: FetchEnd | undefined
  try {
    for await (const { piece, place: own, checked } of pieces) {
      const { good, error } = await admitChecked(deps, piece.items, checked, own, { signal })
      if (good > 0) {
        next += good
        await deps.pace?.wait(next, { signal })
        await appender.push(good === piece.items.length ? piece.items : piece.items.slice(0, good))
      }
      if (error !== undefined) {
        const verdict = verdictOf(error, 'retry')
        if (verdict !== 'reject' && verdict !== 'ignore') throw error
        if (verdict === 'reject') piece.blame(error)
        else if (!isEvolveError(error, 'FROM_FUTURE')) piece.doubt?.(error)
        end = { type: verdict === 'reject' ? 'wrong' : 'doubtful', error }
        break
      }
    }
  } catch (error) {
    await appender.flush()
    throw error
  }
  await appender.flush()
  return end ?? { type: next >= to ? 'complete' : 'short' }
}
