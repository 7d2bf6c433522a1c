import { sha256 } from '#crypto'
import { toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'

/** Limits of a {@link Mempool}; defaults in brackets. */
export interface MempoolOptions {
  /** Transactions [100,000]. */
  readonly maxTxs?: number
  /** Bytes of all transactions together [64 MiB]. */
  readonly maxBytes?: number
}

/** Transactions waiting to be put into a block, in the order they came. Kept in memory only. */
export interface Mempool {
  readonly size: number
  /** Adds a transaction. One that waits already is passed over. Throws `MEMPOOL_FULL`, verdict `retry`. */
  add(tx: Uint8Array): void
  /** All that wait; they stay. */
  all(): Uint8Array[]
  /** Takes out transactions that were executed, as far as they are here. */
  remove(txs: readonly Uint8Array[]): void
}

/** Makes a {@link Mempool}. */
export function createMempool({
  maxTxs = 100_000,
  maxBytes = 64 * 1024 * 1024,
}: MempoolOptions = {}): Mempool {
  const waiting = new Map<string, Uint8Array>()
  let bytes = 0
  const nameOf = (tx: Uint8Array): string => toHex(sha256(tx))
  return {
    get size() {
      return waiting.size
    },
    add(tx) {
      const name = nameOf(tx)
      if (waiting.has(name)) return
      if (waiting.size >= maxTxs || bytes + tx.length > maxBytes) {
        throw new EvolveError(
          'MEMPOOL_FULL',
          `the mempool holds ${waiting.size} of ${maxTxs} transactions and ${bytes} of ${maxBytes} bytes: no room for ${tx.length} more`,
          { verdict: 'retry', data: { txs: waiting.size, bytes } },
        )
      }
      waiting.set(name, tx.slice())
      bytes += tx.length
    },
    all: () => [...waiting.values()],
    remove(txs) {
      if (waiting.size === 0) return
      for (const tx of txs) if (waiting.delete(nameOf(tx))) bytes -= tx.length
    },
  }
}
