import type { BlockSink } from '../../core/block-source.ts'
import type { BlockStore } from '../../core/block-store.ts'
import type { Env } from '../../core/env.ts'
import type { Executor } from '../../core/executor.ts'
import type { HeldWrites } from '../../core/kv.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Proposers } from '../../core/proposers.ts'
import type { Tracing } from '../../core/tracing.ts'
import type { Genesis } from '../../types/genesis.ts'
import type { EvolveError } from '../../util/errors.ts'
import type { ExecutionPolicy } from '../execute.ts'
import type { AppliedBlock } from '../../core/applied-block.ts'
import type { FollowerStatus } from './status.ts'

/** What a {@link Follower} needs. */
export interface FollowerDeps {
  readonly blockStore: BlockStore
  readonly executor: Executor
  /** What the executor writes into this node's database: saved in one batch with the blocks that brought it. */
  readonly executorWrites?: HeldWrites
  readonly proposers: Proposers
  readonly genesis: Genesis
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracing?: Tracing
}
/** Bounds and patience of a {@link Follower}. Defaults in brackets. */
export interface FollowerOptions {
  /** Blocks in the queue [100], and their bytes [32 MiB]: sources wait beyond. */
  readonly queueLimit?: number
  readonly queueBytes?: number
  /** Heights above the next one that are parked [1,000], their bytes [64 MiB], and blocks per height [4]. */
  readonly parkedHeights?: number
  readonly parkedBytes?: number
  readonly candidatesPerHeight?: number
  /** Milliseconds to work off the queue when stopping [5,000]. */
  readonly drainTimeout?: number
  /**
   * Blocks that are saved together while more of them wait [64, as far as the executor can go back], their bytes
   * [8 MiB], and milliseconds from the execution of the first to the saving of all [100]. At the tip each block is saved
   * by itself.
   */
  readonly groupBlocks?: number
  readonly groupBytes?: number
  readonly groupAge?: number
  /** First and last waiting time in milliseconds after a failure of the store [100, 10,000]. */
  readonly retryFirst?: number
  readonly retryLast?: number
  /** How many heights behind the highest block seen still counts as following [3]. */
  readonly followDistance?: number
  /** Whether two headers by the proposer for one height end the following [false: they are kept and reported]. */
  readonly haltOnEquivocation?: boolean
  readonly execution?: ExecutionPolicy
}

/**
 * Follows the chain: sources offer blocks, the next height is validated, executed and saved. Blocks that are wrong
 * are dropped and their source told; only a header by the right proposer that contradicts our state, or an executor
 * that fails for good, ends the following.
 *
 * `start` resolves when the stored state is loaded and fits genesis; the executor is then brought to it, and genesis
 * time waited for, in the background, while `offer` takes what fits the queue. It rejects with `GENESIS_MISMATCH` or
 * `STORE_INCONSISTENT`, and after a critical error with that error. `offer` rejects with `FOLLOWER_STOPPED` when the
 * follower does not run. Source: ev-node v1.2.3 block/internal/syncing.
 */
export interface Follower extends Service, BlockSink {
  /** Resolves, once, with the critical error that ended the following. Never rejects. */
  readonly failed: Promise<EvolveError>
  status(): FollowerStatus
  /** Calls `listener` after each saved block until the returned function is called. */
  onBlock(listener: (block: AppliedBlock) => void): () => void
}
