import type { Executor, FilterStatus } from '../core/executor.ts'

/**
 * Says what to do with transactions offered for a block. Empty ones are removed, so are those that alone exceed
 * `maxBytes` (0 means no limit), and malformed ones when forced transactions are among them: what came from our own
 * mempool was checked when it came. From the first that no longer fits all later ones are postponed, small or not,
 * so that their order stays. Gas is not counted.
 */
export function filterTransactions(
  { txs, maxBytes, hasForcedTransactions }: Parameters<Executor['filterTxs']>[0],
  isMalformed: (tx: Uint8Array) => boolean,
): FilterStatus[] {
  const limit = maxBytes > 0 ? maxBytes : Infinity
  let used = 0
  let full = false
  return txs.map((tx) => {
    const malformed = tx.length === 0 || (hasForcedTransactions && isMalformed(tx))
    if (malformed || tx.length > limit) return 'remove'
    full ||= used + tx.length > limit
    if (full) return 'postpone'
    used += tx.length
    return 'ok'
  })
}
