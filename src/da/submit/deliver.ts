/*
 * One submission with its repetitions. Source: ev-node v1.2.3 block/internal/submitting/da_submitter.go.
 */
import type { DaClient, DaSubmitOptions } from '../../core/da.ts'
import { createBackoff, type Env, sleep } from '../../core/env.ts'
import type { Metrics } from '../../core/metrics.ts'
import { abortable } from '../../util/async.ts'
import { isEvolveError } from '../../util/errors.ts'
import type { HalfName } from '../records.ts'
import type { Attempt } from './attempt-log.ts'
import { type FailureReason, SUBMIT_METRICS } from './metrics.ts'
import { type Item, itemTooBig } from './window.ts'

/** Milliseconds after the first failure of a submission. */
export const FIRST_BACKOFF = 100

/** How a submission ended, and for which items: fewer than were given when they had to be halved. */
export type Delivery =
  | { readonly outcome: 'posted'; readonly items: readonly Item[]; readonly daHeight: number }
  /** DA has them although it did not say so. */
  | { readonly outcome: 'found'; readonly items: readonly Item[] }
  /** All attempts failed. */
  | { readonly outcome: 'exhausted'; readonly items: readonly Item[] }

/** What {@link deliver} needs. */
export interface DeliveryDeps {
  readonly client: DaClient
  readonly env: Env
  readonly metrics: Metrics
  readonly payment: () => DaSubmitOptions
  /** Whether an item was seen on DA. */
  readonly included: (name: HalfName) => Promise<boolean>
  /** Told of each call to DA, once it has ended. */
  readonly onAttempt: (attempt: Attempt) => void
  /** Told of each failure and of how many attempts there were. */
  readonly onFailure: (error: unknown, attempts: number) => void
}

/** Patience of {@link deliver}. */
export interface DeliveryOptions {
  readonly maxAttempts: number
  /** Milliseconds of a DA block: the longest waiting time. */
  readonly blockTime: number
}

/** When to stop: `waiting` ends waiting and repeating, `calling` ends the call under way as well. */
export interface StopSignals {
  readonly waiting: AbortSignal
  readonly calling: AbortSignal
}

function reasonOf(error: unknown): FailureReason {
  if (isEvolveError(error, 'DA_TOO_BIG')) return 'too_big'
  if (isEvolveError(error, 'DA_NOT_INCLUDED')) return 'not_included_in_block'
  if (isEvolveError(error, 'DA_IN_MEMPOOL')) return 'already_in_mempool'
  if (isEvolveError(error, 'DA_TIMEOUT')) return 'timeout'
  return 'unknown'
}

/** Whether DA may have taken a submission that failed like this: the answer is missing, or it says so. */
function isOnItsWay(error: unknown): boolean {
  const codes = ['DA_IN_MEMPOOL', 'DA_NOT_INCLUDED', 'DA_UNREACHABLE', 'DA_TIMEOUT']
  return codes.some((code) => isEvolveError(error, code))
}

/** Counts a failure of a submission. */
export function countFailure(
  { env, metrics }: Pick<DeliveryDeps, 'env' | 'metrics'>,
  reason: FailureReason,
): void {
  metrics.count(SUBMIT_METRICS.failures, 1, { reason })
  metrics.gauge(SUBMIT_METRICS.lastFailure, Number(env.now() / 1_000_000_000n), { reason })
}

/**
 * Posts items together until DA has taken them, or attempts run out. What is too big is halved; what may still be on
 * its way, since DA said so or gave no answer, gets a DA block's time; everything else is repeated after 100 ms,
 * doubling up to a DA block's time, each attempt paid for by the next account. Before a repetition, and before giving
 * up what may be on its way, it is looked whether DA has them by now. Rejects with
 * `DA_ITEM_TOO_BIG` (`halt`) when DA refuses a single item for its size, with a signal's reason, and with failures
 * of `included`.
 */
export async function deliver(
  deps: DeliveryDeps,
  batch: readonly Item[],
  options: DeliveryOptions,
  { waiting, calling }: StopSignals,
): Promise<Delivery> {
  const { client, env, metrics, payment, included, onAttempt, onFailure } = deps
  const { maxAttempts, blockTime } = options
  const backoff = createBackoff(FIRST_BACKOFF, Math.max(FIRST_BACKOFF, blockTime))
  let items = batch

  async function found(): Promise<readonly Item[]> {
    let count = 0
    for (const { name } of items) {
      if (!(await included(name))) break
      count++
    }
    return items.slice(0, count)
  }

  for (let attempt = 1; ; attempt++) {
    waiting.throwIfAborted()
    let pause: number
    let onItsWay: boolean
    const began = env.monotonic()
    try {
      const call = client.submit(
        items.map(({ blob }) => blob),
        { signal: calling, submit: payment() },
      )
      const daHeight = await abortable(call, calling)
      onAttempt({ items, began, end: { daHeight } })
      return { outcome: 'posted', items, daHeight }
    } catch (error) {
      onAttempt({ items, began, end: { error } })
      const reason = calling.aborted ? 'context_canceled' : reasonOf(error)
      countFailure(deps, reason)
      calling.throwIfAborted()
      const [only] = items
      if (reason === 'too_big' && items.length === 1 && only !== undefined) {
        throw itemTooBig(only.name, only.blob.data.length, 'what the DA node takes')
      }
      onFailure(error, attempt)
      if (reason === 'too_big') items = items.slice(0, Math.floor(items.length / 2))
      onItsWay = isOnItsWay(error)
      pause = onItsWay ? blockTime : backoff.next()
    }
    const exhausted = attempt >= maxAttempts
    if (!exhausted || onItsWay) {
      await sleep(env, pause, waiting)
      const already = await found()
      if (already.length > 0) return { outcome: 'found', items: already }
    }
    if (exhausted) {
      countFailure(deps, 'timeout')
      return { outcome: 'exhausted', items }
    }
    metrics.count(SUBMIT_METRICS.resends)
  }
}
