/*
 * What becomes of a single new item: of gossip, of the peers' head, or made by ourselves.
 */
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { checkTime, isSoftFailure, verify } from '../verify.ts'
import { bifurcate } from './bifurcation.ts'
import type { EarlyItems } from './early-items.ts'
import type { SyncerDeps, SyncerSettings } from './options.ts'
import type { PendingItems } from './pending.ts'

/** Parts of {@link createIncoming}. */
export interface IncomingDeps<H> extends SyncerDeps<H> {
  readonly pending: PendingItems<H>
  readonly early: EarlyItems<H>
  /** The chain goes up to this height at least. */
  readonly heard: (height: number) => void
  /** Two different admitted items of one height. */
  readonly conflict: (stored: H, incoming: H) => void
}

/** Judges a validated item; stores it or keeps it pending when it is good. One call at a time. */
export type Incoming<H> = (item: H, options: { readonly signal: AbortSignal }) => Promise<void>

/** What an item is verified against, if there is anything. */
interface Reference<H> {
  readonly item: H | undefined
  /** Whether it is in the chain; one that only waits to be may be the one that is wrong. */
  readonly stored: boolean
}

/** Makes {@link Incoming}. */
export function createIncoming<H>(
  deps: IncomingDeps<H>,
  settings: Pick<SyncerSettings<H>, 'initialHeight' | 'maxAhead'>,
): Incoming<H> {
  const { store, kind, admit, env, exchange, pending, metrics } = deps

  function known(height: number): EvolveError {
    return new EvolveError('KNOWN_HEADER', `item ${height} is known`, { verdict: 'ignore', data: { height } })
  }

  /** Somebody else's item for a height that is taken. Always throws. */
  async function contradict(stored: H, item: H, signal: AbortSignal): Promise<never> {
    const height = kind.height(item)
    if (equalBytes(kind.hash(stored), kind.hash(item))) throw known(height)
    await admit([item], undefined, { signal })
    deps.conflict(stored, item)
    throw new EvolveError('CONFLICTING_ITEM', `another item ${height} is known`, {
      verdict: 'ignore',
      data: { height, known: toHex(kind.hash(stored)), found: toHex(kind.hash(item)) },
    })
  }

  /** Verifies as far as can be; an item whose time has not come yet is kept until it has. */
  async function check(item: H, against: Reference<H>, signal: AbortSignal): Promise<void> {
    try {
      if (against.item === undefined) checkTime(kind, item, env.now())
      else verify(kind, against.item, item, env.now())
    } catch (error) {
      if (isEvolveError(error, 'FROM_FUTURE') && error.verdict === 'ignore') {
        await admit([item], undefined, { signal })
        deps.early.keep(item)
        throw error
      }
      if (isSoftFailure(error) && against.item !== undefined) {
        await verifyOverOthers(against.item, item, signal)
        return
      }
      if (against.stored || isEvolveError(error, 'WRONG_CHAIN_ID', 'FROM_FUTURE')) throw error
      throw new EvolveError(
        'UNCERTAIN',
        `item ${kind.height(item)} contradicts one that is not proven either`,
        {
          verdict: 'ignore',
          data: { height: kind.height(item) },
          cause: error,
        },
      )
    }
  }

  async function verifyOverOthers(trusted: H, item: H, signal: AbortSignal): Promise<void> {
    metrics.count('header_sync_bifurcations_total', 1, { kind: kind.name })
    const believe = async (candidate: H): Promise<void> => {
      await admit([candidate], undefined, { signal })
      keep(candidate)
    }
    await bifurcate({ kind, exchange, now: () => env.now(), believe }, trusted, item, { signal })
  }

  /** Nothing that would have to wait for so long that it only takes up room. */
  function keep(item: H): void {
    const height = kind.height(item)
    if (height - store.height <= settings.maxAhead) pending.add(item)
    deps.heard(height)
  }

  async function append(item: H, signal: AbortSignal): Promise<void> {
    const height = kind.height(item)
    const below = await store.head()
    await check(item, { item: below, stored: true }, signal)
    await admit([item], below, { signal })
    try {
      await store.append([item])
    } catch (error) {
      const stored = isEvolveError(error, 'CONFLICTING_ITEM') ? await store.at(height) : undefined
      if (stored !== undefined) deps.conflict(stored, item)
      throw error
    }
    metrics.count('header_sync_items_total', 1, { kind: kind.name, via: 'gossip' })
    deps.heard(height)
  }

  return async (item, { signal }) => {
    const height = kind.height(item)
    const next = store.height === 0 ? settings.initialHeight : store.height + 1
    if (height === next) {
      await append(item, signal)
      return
    }
    if (height < next) {
      const stored = await store.at(height)
      if (stored === undefined) throw known(height)
      if (kind.chainId(stored) !== kind.chainId(item)) checkSameChain(stored, item)
      await contradict(stored, item, signal)
      return
    }
    const kept = pending.at(height)
    if (kept !== undefined) {
      checkSameChain(kept, item)
      await contradict(kept, item, signal)
      return
    }
    const below = pending.below(height)
    await check(item, { item: below ?? (await store.head()), stored: below === undefined }, signal)
    await admit([item], undefined, { signal })
    keep(item)
  }

  function checkSameChain(one: H, other: H): void {
    if (kind.chainId(one) === kind.chainId(other)) return
    throw new EvolveError(
      'WRONG_CHAIN_ID',
      `item ${kind.height(other)} is of chain '${kind.chainId(other)}', expected '${kind.chainId(one)}'`,
      { verdict: 'reject', data: { height: kind.height(other) } },
    )
  }
}
