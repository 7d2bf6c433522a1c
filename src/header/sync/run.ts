/*
 * One sync run: from the head of the store to the target, over the gaps that the peers fill and the items that
 * gossip brought before their turn.
 */
import { createBreathing } from '../../core/breathing.ts'
import { linkSignals } from '../../util/async.ts'
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError, isEvolveError, verdictOf } from '../../util/errors.ts'
import { checkItems } from './check.ts'
import { fetchRange } from './fetch.ts'
import type { SyncerDeps, SyncerSettings } from './options.ts'
import type { PendingItems } from './pending.ts'

/**
 * How a run ended.
 *
 * - `done`: the target is reached.
 * - `waiting`: what comes next cannot be judged yet; nothing is wrong.
 * - `short`: the peers have no more for now.
 * - `failed`: something went wrong.
 */
export type RunEnd =
  | { readonly type: 'done' | 'waiting' }
  | { readonly type: 'short' | 'failed'; readonly error: unknown }

/** Runs, one at a time. */
export interface Runner {
  run(options: { readonly signal: AbortSignal }): Promise<RunEnd>
  /** The store's height moved, whoever moved it. */
  moved(height: number): void
}

/** Parts of a {@link createRunner}. */
export interface RunnerDeps<H> extends SyncerDeps<H> {
  readonly pending: PendingItems<H>
  /** Height to be reached. */
  readonly target: () => number
  /** Two different admitted items of one height. */
  readonly conflict: (stored: H, incoming: H) => void
}

/** Wrong answers without any good item between them after which a run rests. */
const MAX_FAULTS = 16
/** Items from gossip that are stored together. */
const PENDING_BATCH = 256

const OVERTAKEN = new EvolveError('OVERTAKEN', 'the items came by another way', { verdict: 'retry' })
const TRUNCATED = new EvolveError('TRUNCATED', 'the store was truncated', { verdict: 'retry' })

/** Makes a {@link Runner}. */
export function createRunner<H>(
  deps: RunnerDeps<H>,
  { initialHeight, pace }: Pick<SyncerSettings<H>, 'initialHeight' | 'pace'>,
): Runner {
  const { store, kind, pending, metrics, logger } = deps
  const checking = { ...deps, pace, breathing: createBreathing(deps.env) }
  let fetching: { readonly last: number; readonly abort: (reason: unknown) => void } | undefined
  let truncated = false
  let lastHeight = store.height

  const nextHeight = (): number => (store.height === 0 ? initialHeight : store.height + 1)

  async function append(items: readonly H[], via: 'range' | 'gossip'): Promise<void> {
    try {
      await store.append(items)
    } catch (error) {
      if (isEvolveError(error, 'CONFLICTING_ITEM')) await reportConflict(items)
      throw error
    }
    metrics.count('header_sync_items_total', items.length, { kind: kind.name, via })
    await settlePending()
  }

  async function reportConflict(items: readonly H[]): Promise<void> {
    for (const item of items) {
      const stored = await store.at(kind.height(item))
      if (stored !== undefined) compare(stored, item)
    }
  }

  function compare(stored: H, other: H): void {
    if (!equalBytes(kind.hash(stored), kind.hash(other))) deps.conflict(stored, other)
  }

  /** Items of gossip whose heights are stored now have done their duty. */
  async function settlePending(): Promise<void> {
    for (const item of pending.take(store.height)) {
      const stored = await store.at(kind.height(item))
      if (stored !== undefined) compare(stored, item)
    }
  }

  /** Stores what gossip brought for the next heights; says how it ended if it cannot go on. */
  async function usePending(from: number, signal: AbortSignal): Promise<RunEnd | undefined> {
    const items = pending.run(from, PENDING_BATCH)
    const { good, error } = await checkItems(checking, items, { below: await store.head(), from }, { signal })
    try {
      if (good > 0) await append(items.slice(0, good), 'gossip')
    } catch (failure) {
      if (!isEvolveError(failure, 'CONFLICTING_ITEM')) throw failure
      for (let height = from; height < from + good; height++) pending.misfit(height)
      return undefined
    }
    if (error === undefined) return undefined
    if (verdictOf(error, 'retry') === 'ignore') return { type: 'waiting' }
    if (verdictOf(error, 'retry') !== 'reject') throw error
    logger.debug('a gossiped item does not fit onto the chain', { height: from + good, error })
    pending.misfit(from + good)
    return undefined
  }

  /** Asks the peers for what is missing below the next pending item, or the target. */
  async function closeGap(
    from: number,
    to: number,
    signal: AbortSignal,
  ): Promise<RunEnd | 'wrong' | undefined> {
    const over = linkSignals(signal)
    fetching = { last: to - 1, abort: (reason) => over.abort(reason) }
    try {
      const end = await fetchRange(
        { ...checking, append: async (items) => await append(items, 'range') },
        { from, to },
        { signal: over.signal },
      )
      if (end.type === 'complete') return undefined
      if (end.type === 'short') return { type: 'short', error: endedEarly(nextHeight(), to) }
      const fields = { height: nextHeight(), error: end.error }
      if (end.type === 'doubtful') {
        logger.debug('the next item cannot be judged yet', fields)
        return { type: 'waiting' }
      }
      metrics.count('header_sync_faults_total', 1, { kind: kind.name })
      logger.info('a peer sent a wrong item', fields)
      return nextHeight() > from ? undefined : 'wrong'
    } catch (error) {
      if (over.signal.reason === OVERTAKEN && !signal.aborted) return undefined
      throw error
    } finally {
      fetching = undefined
      over.release()
    }
  }

  async function attempt(signal: AbortSignal): Promise<RunEnd> {
    let faults = 0
    while (store.height < deps.target()) {
      signal.throwIfAborted()
      await settlePending()
      const from = nextHeight()
      const kept = pending.next(from)
      if (kept === from) {
        const end = await usePending(from, signal)
        if (end !== undefined) return end
        continue
      }
      const to = Math.min(deps.target() + 1, kept ?? Number.MAX_SAFE_INTEGER)
      if (to <= from) break
      const end = await closeGap(from, to, signal)
      if (end === 'wrong') {
        faults++
        if (faults >= MAX_FAULTS) return { type: 'failed', error: tooManyFaults(from, faults) }
      } else if (end === undefined || (end.type === 'short' && nextHeight() > from)) faults = 0
      else return end
    }
    return { type: 'done' }
  }

  return {
    async run({ signal }) {
      truncated = false
      try {
        return await attempt(signal)
      } catch (error) {
        signal.throwIfAborted()
        return truncated ? { type: 'waiting' } : { type: 'failed', error }
      }
    },
    moved(now) {
      const wentDown = now < lastHeight
      lastHeight = now
      if (wentDown) {
        truncated = true
        fetching?.abort(TRUNCATED)
        return
      }
      // What gossip brings need not be waited for.
      const overtaken = fetching !== undefined && (now >= fetching.last || pending.next(now + 1) === now + 1)
      if (overtaken) fetching?.abort(OVERTAKEN)
    },
  }
}

function endedEarly(height: number, to: number): EvolveError {
  return new EvolveError(
    'RANGE_ENDED_EARLY',
    `the peers have nothing from ${height} on, expected up to ${to - 1}`,
    {
      verdict: 'retry',
      data: { height, expected: to - 1 },
    },
  )
}

function tooManyFaults(height: number, faults: number): EvolveError {
  return new EvolveError('NO_HONEST_PEER', `${faults} wrong answers in a row for height ${height}`, {
    verdict: 'retry',
    data: { height },
  })
}
