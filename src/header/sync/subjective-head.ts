/*
 * What this node takes for the head of the chain: its own while that is recent, otherwise what the peers show.
 * Source: go-header sync (networkHead, subjectiveHead).
 */
import { withTimeout } from '../../core/env.ts'
import { abortable } from '../../util/async.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import type { Incoming } from './incoming.ts'
import type { SyncerDeps, SyncerSettings } from './options.ts'
import type { PendingItems } from './pending.ts'

/** Parts of {@link createSubjectiveHead}. */
export interface SubjectiveHeadDeps<H>
  extends Pick<SyncerDeps<H>, 'store' | 'exchange' | 'kind' | 'env' | 'logger' | 'metrics'> {
  readonly pending: PendingItems<H>
  /** Judges the peers' head, and keeps it when it is good. */
  readonly incoming: Incoming<H>
}

/** The head as this node sees it. */
export interface SubjectiveHead<H> {
  /** The highest item that is stored or waits to be; undefined when there is none. */
  local(): Promise<H | undefined>
  /** Milliseconds for which an item counts as recent; not positive when it no longer does. */
  recentFor(item: H): number
  /**
   * The local head if it is recent, otherwise the higher of it and what the peers show within the time they have.
   * Calls at the same time share one question. Rejects with `HEAD_EXPIRED` when nothing younger than the trusting
   * period is known, and with the signal's reason.
   */
  get(options: { readonly signal: AbortSignal }): Promise<H | undefined>
}

const NS_PER_MS = 1_000_000n

/** Makes a {@link SubjectiveHead}; questions under way end with `lifetime`. */
export function createSubjectiveHead<H>(
  deps: SubjectiveHeadDeps<H>,
  settings: Pick<SyncerSettings<H>, 'recency' | 'trustingPeriod' | 'headTimeout'>,
  lifetime: AbortSignal,
): SubjectiveHead<H> {
  const { store, exchange, kind, env, pending, logger, metrics } = deps
  let asking: Promise<H | undefined> | undefined

  const ageOf = (item: H): number => Number((env.now() - kind.time(item)) / NS_PER_MS)
  const expired = (item: H): boolean => ageOf(item) > settings.trustingPeriod

  async function local(): Promise<H | undefined> {
    return pending.highest > store.height ? pending.at(pending.highest) : await store.head()
  }

  async function fromPeers(): Promise<H | undefined> {
    try {
      return await withTimeout(
        env,
        settings.headTimeout,
        lifetime,
        'asking the peers for their head',
        async (signal) => {
          const head = await exchange.head({ signal })
          if (head === undefined) return undefined
          if (expired(head)) {
            logger.warn("the peers' head is too old to be believed", { height: kind.height(head) })
            return undefined
          }
          await deps.incoming(head, { signal })
          return head
        },
      )
    } catch (error) {
      lifetime.throwIfAborted()
      if (!isEvolveError(error, 'KNOWN_HEADER')) {
        logger.debug('no newer head from the peers', { error })
      }
      return undefined
    }
  }

  async function ask(): Promise<H | undefined> {
    const before = await local()
    metrics.count('header_sync_head_requests_total', 1, { kind: kind.name })
    const fetched = await fromPeers()
    const after = await local()
    const head =
      fetched !== undefined && (after === undefined || kind.height(fetched) > kind.height(after))
        ? fetched
        : after
    if (before === undefined || head === undefined || !expired(head)) return head
    throw new EvolveError(
      'HEAD_EXPIRED',
      `the head ${kind.height(head)} is ${ageOf(head)} ms old, expected at most ${settings.trustingPeriod} ms`,
      { verdict: 'retry', data: { height: kind.height(head) } },
    )
  }

  function recentFor(item: H): number {
    return settings.recency - ageOf(item)
  }

  return {
    local,
    recentFor,
    async get({ signal }) {
      const head = await local()
      if (head !== undefined && recentFor(head) >= 0 && !expired(head)) return head
      signal.throwIfAborted()
      asking ??= ask().finally(() => {
        asking = undefined
      })
      return await abortable(asking, signal)
    },
  }
}
