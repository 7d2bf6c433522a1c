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
   * Height up to which nothing waits that lies in a block: of the last block that came with `removal`, or that `drop`
   * was told. 0 before the first.
   */
  readonly settledHeight: number
  /**
   * Takes transactions behind those that wait; durable when it resolves. Those that wait already are passed over.
   * Rejects with `QUEUE_FULL` (`retry`) when there is no room for all that are new: then none was taken.
   */
  submit(txs: readonly Uint8Array[], options: { readonly signal: AbortSignal }): Promise<void>
  /**
   * The transactions that come next, at most `maxBytes` together; none when none wait. They stay until
   * {@link Sequencer.committed}: asked again before that, it gives a batch that begins the same. With `after`, the
   * `upTo` of a batch before, those behind that batch, whose block is about to be committed.
   */
  next(options: {
    readonly maxBytes: number
    readonly after?: number
    readonly signal: AbortSignal
  }): Promise<Batch>
  /**
   * The changes that take out everything up to `upTo` and say that the block of `height` did, to be written in one
   * batch with that block. What has left already takes nothing with it again.
   */
  removal(upTo: number, height: number): readonly KvOp[]
  /** The block of `height` is committed, and so are the changes of `removal`. */
  committed(upTo: number, height: number): void
  /**
   * Takes out for good what waits and lies in blocks already, as `holds` says of each; the rest keeps its order. From
   * then on `settledHeight` is `height`, the last of those blocks. Resolves with how many were taken out, when that is
   * durable. Not between `next` and `committed`: a batch would come again, in part.
   *
   * Rejects with what the database says when it does not write. Only the disk then knows whether it happened: the
   * sequencer has to be started again. Aborted, it may have happened too.
   */
  drop(
    holds: (tx: Uint8Array) => boolean,
    height: number,
    options: { readonly signal: AbortSignal },
  ): Promise<number>
  /** Calls `listener` when transactions were taken, until the returned function is called. */
  onTxs(listener: () => void): () => void
}
