/*
 * Transactions that came to rest while an aggregator followed its own chain: those that still wait in its queue, as in a
 * database restored from an old copy, must not be put into a block again.
 */
import { sha256Name } from '#crypto'
import type { BlockStore } from '../core/block-store.ts'
import type { FilterStatus } from '../core/executor.ts'

/** Most transactions that are remembered; those of the latest blocks. */
const MAX_TXS = 1_000_000

/** Remembers transactions of followed blocks. */
export interface FollowedTxs {
  /** Reads the blocks from `from` up to and without `to`. */
  read(from: number, to: number): Promise<void>
  /** `statuses` of `txs`, with `remove` for those that were seen. */
  without(txs: readonly Uint8Array[], statuses: readonly FilterStatus[]): readonly FilterStatus[]
}

/** Makes {@link FollowedTxs}. */
export function createFollowedTxs(blocks: Pick<BlockStore, 'data'>): FollowedTxs {
  const seen = new Set<string>()
  return {
    async read(from, to) {
      for (let height = to - 1; height >= from && seen.size < MAX_TXS; height--) {
        for (const tx of (await blocks.data(height))?.txs ?? []) seen.add(sha256Name(tx))
      }
    },
    without(txs, statuses) {
      if (seen.size === 0) return statuses
      return statuses.map((status, index) => {
        const tx = txs[index]
        return status === 'ok' && tx !== undefined && seen.has(sha256Name(tx)) ? 'remove' : status
      })
    },
  }
}
