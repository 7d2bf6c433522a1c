/*
 * The way out: the transactions of the block to come.
 */
import type { FilterStatus } from '../core/executor.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Batch, Sequencer } from '../core/sequencer.ts'
import { abortable } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { SEQUENCER_METRICS } from './metrics.ts'
import type { TxQueue } from './queue.ts'

/** Says what to do with transactions offered for a block of at most `maxBytes`; one answer each. */
export type BatchFilter = (
  txs: readonly Uint8Array[],
  maxBytes: number,
  options: { readonly signal: AbortSignal },
) => Promise<readonly FilterStatus[]>

/** The next transactions with their numbers. */
interface Prefix {
  readonly txs: readonly Uint8Array[]
  readonly numbers: readonly number[]
  /** Numbers of those that no block can hold. */
  readonly tooBig: readonly number[]
  /** All up to here are among `txs` or too big. */
  readonly upTo: number
}

/** The longest run of transactions behind the number `after` that fits. */
function prefix(queue: TxQueue, after: number, maxBytes: number, maxTxBytes: number): Prefix {
  const [txs, numbers, tooBig]: [Uint8Array[], number[], number[]] = [[], [], []]
  let room = maxBytes
  let upTo = after
  for (let tx = queue.at(upTo + 1); tx !== undefined; tx = queue.at(upTo + 1)) {
    if (tx.length > maxTxBytes) {
      tooBig.push(upTo + 1)
    } else {
      if (tx.length > room) break
      room -= tx.length
      txs.push(tx)
      numbers.push(upTo + 1)
    }
    upTo++
  }
  return { txs, numbers, tooBig, upTo }
}

/** Makes the `next` of a sequencer over its queue. */
export function createOutlet(
  deps: {
    readonly queue: TxQueue
    readonly logger: Logger
    readonly metrics: Metrics
    readonly filter: BatchFilter | undefined
  },
  { maxTxBytes }: { readonly maxTxBytes: number },
): Sequencer['next'] {
  const { queue, logger, metrics, filter } = deps
  /** What is up to here was reported if it was dropped. */
  let reported = queue.done

  function report(upTo: number, dropped: readonly number[], reason: string): void {
    const count = dropped.filter((number) => number > reported && number <= upTo).length
    if (count === 0) return
    metrics.count(SEQUENCER_METRICS.dropped, count)
    logger.warn('transactions are left out of blocks', { count, reason })
  }

  async function filtered(found: Prefix, maxBytes: number, signal: AbortSignal): Promise<Batch> {
    if (filter === undefined || found.txs.length === 0) return found
    const statuses = await abortable(filter(found.txs, maxBytes, { signal }), signal)
    if (statuses.length !== found.txs.length) {
      throw new EvolveError(
        'FILTER_FAILED',
        `the filter was asked about ${found.txs.length} transactions and answered for ${statuses.length}`,
        { verdict: 'retry' },
      )
    }
    const postponed = statuses.indexOf('postpone')
    const before = <T>(items: readonly T[]): readonly T[] =>
      postponed < 0 ? items : items.slice(0, postponed)
    const upTo = postponed < 0 ? found.upTo : (found.numbers[postponed] ?? found.upTo + 1) - 1
    const removed = before(found.numbers).filter((_, index) => statuses[index] === 'remove')
    report(upTo, removed, 'the application does not want them')
    return { txs: before(found.txs).filter((_, index) => statuses[index] === 'ok'), upTo }
  }

  return async ({ maxBytes, after: behind = 0, signal }) => {
    signal.throwIfAborted()
    let after = Math.max(queue.done, behind)
    for (;;) {
      const found = prefix(queue, after, maxBytes, maxTxBytes)
      const { txs, upTo } = await filtered(found, maxBytes, signal)
      report(upTo, found.tooBig, 'they are larger than a block may be')
      reported = Math.max(reported, upTo)
      // While all are dropped there is room for those behind them.
      if (txs.length > 0 || upTo < found.upTo || found.txs.length === 0) return { txs, upTo }
      after = upTo
    }
  }
}
