import type { KvOp } from './kv.ts'
import type { Service } from './lifecycle.ts'

/** The transactions of a block to come. */
export interface Batch {
  readonly txs: readonly Uint8Array[]
  /** Names what the batch covers: everything up to here leaves the sequencer once its block is committed. */
  readonly upTo: number
}

/**
 * Orders transactions. What `submit` took is durable and comes in a batch exactly once, in the order it came, whatever
 * moment the process ends at: entries leave only together with the block that holds them.
 * Source: ev-node v1.2.3 core/sequencer, pkg/sequencers/single.
 */
export interface Sequencer extends Service {
  /** Transactions waiting, and their bytes. */
  readonly size: number
  readonly bytes: number
  /**
   * Takes transactions behind those that wait; durable when it resolves. Those that wait already are passed over.
   * Rejects with `QUEUE_FULL` (`retry`) when there is no room for all that are new: then none was taken.
   */
  submit(txs: readonly Uint8Array[], options: { readonly signal: AbortSignal }): Promise<void>
  /**
   * The transactions that come next, at most `maxBytes` together; none when none wait. They stay until
   * {@link Sequencer.committed}: asked again before that, it gives a batch that begins the same.
   */
  next(options: { readonly maxBytes: number; readonly signal: AbortSignal }): Promise<Batch>
  /** The changes that take out everything up to `upTo`, to be written in one batch with the block. */
  removal(upTo: number): readonly KvOp[]
  /** The block that holds everything up to `upTo` is committed, and so are the changes of `removal`. */
  committed(upTo: number): void
  /** Calls `listener` when transactions were taken, until the returned function is called. */
  onTxs(listener: () => void): () => void
}
