/*
 * Items that did not come from peers: made by ourselves, or found on DA. They enter by the same checks, a run at a
 * time.
 */
import { createBreathing } from '../../core/breathing.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { checkItems } from './check.ts'
import type { SyncerDeps, SyncerSettings } from './options.ts'

/** Parts of {@link createInsert}. */
export interface InsertDeps<H> extends SyncerDeps<H> {
  /** Two different admitted items of one height. */
  readonly conflict: (stored: H, incoming: H) => void
}

/**
 * Stores items that ascend without gap and continue the store; resolves with those that are new. With `own` their
 * time is not compared with our clock, which may have stepped back since they were made. What is good in front of a
 * wrong item is stored before the promise rejects. One call at a time.
 */
export type Insert<H> = (items: readonly H[], options: InsertOptions) => Promise<readonly H[]>

/** Options of {@link Insert}. */
export interface InsertOptions {
  readonly signal: AbortSignal
  readonly own: boolean
  /** They lie in the database already. */
  readonly saved: boolean
  /** Each passed `validate` since it was decoded. */
  readonly validated?: boolean
}

/** Makes {@link Insert}. */
export function createInsert<H>(
  deps: InsertDeps<H>,
  { initialHeight }: Pick<SyncerSettings<H>, 'initialHeight'>,
): Insert<H> {
  const { store, kind, metrics } = deps
  const checking = { ...deps, breathing: createBreathing(deps.env) }

  /** The items above the store; those at stored heights must be what is there. */
  async function above(items: readonly H[]): Promise<readonly H[]> {
    const head = store.height
    const known = items.filter((item) => kind.height(item) <= head)
    for (const item of known) {
      const stored = await store.at(kind.height(item))
      if (stored !== undefined && !equalBytes(kind.hash(stored), kind.hash(item))) throw clash(stored, item)
    }
    return known.length === 0 ? items : items.slice(known.length)
  }

  function clash(stored: H, item: H): EvolveError {
    deps.conflict(stored, item)
    const height = kind.height(item)
    return new EvolveError('CONFLICTING_ITEM', `another item ${height} is known`, {
      verdict: 'ignore',
      data: { height, known: toHex(kind.hash(stored)), found: toHex(kind.hash(item)) },
    })
  }

  async function append(items: readonly H[], saved: boolean): Promise<void> {
    try {
      await store.append(items, { saved })
    } catch (error) {
      if (!isEvolveError(error, 'CONFLICTING_ITEM')) throw error
      // Peers were faster, with something else.
      await above(items)
      throw error
    }
    metrics.count('header_sync_items_total', items.length, { kind: kind.name, via: 'insert' })
  }

  return async (items, { signal, own, saved, validated = false }) => {
    const fresh = await above(items)
    const last = fresh.at(-1)
    if (last === undefined) return []
    const from = store.height === 0 ? initialHeight : store.height + 1
    const { good, error } = await checkItems(
      { ...checking, validated },
      fresh,
      { below: await store.head(), from, ...(own ? { now: kind.time(last) } : {}) },
      { signal },
    )
    const stored = good === fresh.length ? fresh : fresh.slice(0, good)
    if (good > 0) await append(stored, saved)
    if (error !== undefined) throw error
    return stored
  }
}
