import { sha256Name } from '#crypto'
import { EvolveError } from '../util/errors.ts'

/** Limits of a {@link Mempool}; defaults in brackets. */
export interface MempoolOptions {
  /** Transactions [100,000]. */
  readonly maxTxs?: number
  /** Bytes of all transactions together [64 MiB]. */
  readonly maxBytes?: number
  /** Bytes of one transaction [1 MiB]. */
  readonly maxTxBytes?: number
}

/** Transactions waiting to be put into a block, in the order they came. Kept in memory only. */
export interface Mempool {
  readonly size: number
  /**
   * Adds a transaction. One that waits already is passed over. Throws `TX_NO_ROOM`, verdict `retry`, and
   * `TX_REFUSED`, verdict `reject`, with the `limit` of its bytes in `data`, when it is too big.
   */
  add(tx: Uint8Array): void
  /** All that wait; they stay. A transaction is the same array each time, so that who follows it need not read it. */
  all(): Uint8Array[]
  /** Takes out transactions that were executed, as far as they are here. */
  remove(txs: readonly Uint8Array[]): void
  /** Calls `listener`, which must not throw, after each that was added, until the returned function is called. */
  onTxs(listener: () => void): () => void
}

/** Makes a {@link Mempool}. */
export function createMempool({
  maxTxs = 100_000,
  maxBytes = 64 * 1024 * 1024,
  maxTxBytes = 1024 * 1024,
}: MempoolOptions = {}): Mempool {
  const waiting = new Map<string, Uint8Array>()
  const listeners = new Set<{ readonly listener: () => void }>()
  let bytes = 0
  return {
    get size() {
      return waiting.size
    },
    add(tx) {
      if (tx.length > maxTxBytes) {
        throw new EvolveError('TX_REFUSED', `a transaction may have ${maxTxBytes} bytes, got ${tx.length}`, {
          verdict: 'reject',
          data: { bytes: tx.length, limit: maxTxBytes },
        })
      }
      const name = sha256Name(tx)
      if (waiting.has(name)) return
      if (waiting.size >= maxTxs || bytes + tx.length > maxBytes) {
        throw new EvolveError(
          'TX_NO_ROOM',
          `the mempool holds ${waiting.size} of ${maxTxs} transactions and ${bytes} of ${maxBytes} bytes: no room for ${tx.length} more`,
          { verdict: 'retry', data: { txs: waiting.size, bytes } },
        )
      }
      waiting.set(name, tx.slice())
      bytes += tx.length
      for (const { listener } of listeners) listener()
    },
    all: () => [...waiting.values()],
    remove(txs) {
      if (waiting.size === 0) return
      for (const tx of txs) if (waiting.delete(sha256Name(tx))) bytes -= tx.length
    },
    onTxs(listener) {
      const entry = { listener }
      listeners.add(entry)
      return () => listeners.delete(entry)
    },
  }
}
