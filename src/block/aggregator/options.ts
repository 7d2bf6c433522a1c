import type { Block, BlockStore } from '../../core/block-store.ts'
import type { Env } from '../../core/env.ts'
import type { Executor } from '../../core/executor.ts'
import type { HeldWrites, KvPart } from '../../core/kv.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Proposers } from '../../core/proposers.ts'
import type { Sequencer } from '../../core/sequencer.ts'
import type { Signer, SignLedger } from '../../core/signer.ts'
import type { Tracing } from '../../core/tracing.ts'
import type { Genesis } from '../../types/genesis.ts'
import type { ExecutionPolicy } from '../execute.ts'
import type { PersistenceOptions } from '../persistence.ts'

/** What a producer needs. Sequencer and ledger are started before it and stopped after it. */
export interface ProducerDeps {
  readonly blockStore: BlockStore
  readonly executor: Executor
  /** Writes of the executor, which go into the batch of the block; none where it has a database of its own. */
  readonly executorWrites?: HeldWrites | undefined
  readonly proposers: Proposers
  readonly genesis: Genesis
  readonly sequencer: Sequencer
  readonly signer: Signer
  readonly ledger: SignLedger
  /** Where the block under way is kept: a part of the database that holds the block store and the sequencer too. */
  readonly kv: KvPart
  /**
   * Puts consecutive saved blocks before the peers, headers first, and whatever lies between them and what they were
   * given last. Repeatable. A rejection with verdict `halt` ends the production, any other is logged.
   */
  readonly publish: (blocks: readonly Block[], options: { readonly signal: AbortSignal }) => Promise<void>
  /** Height of the header store. A header above our chain is by our key, and was not made here. */
  readonly storedHeaderHeight: () => number
  /** How many blocks wait for DA. */
  readonly pendingDa: () => number
  /** Told of the transactions of each saved block. */
  readonly committed?: (txs: readonly Uint8Array[]) => void
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracing?: Tracing
}

/** How a producer works. Defaults in brackets; waiting times in milliseconds. */
export interface ProducerOptions extends PersistenceOptions {
  /** Between two blocks; 0 makes them one right after the other. */
  readonly blockTime: number
  /** Whether blocks without transactions are only made every `lazyBlockInterval` [false]. */
  readonly lazyMode?: boolean
  /** Longest time between two blocks in lazy mode [60,000]. */
  readonly lazyBlockInterval?: number
  /** Blocks that may wait for DA before production pauses [0: any number]. */
  readonly maxPending?: number
  /** Bytes of a block's data as it lies on DA and travels between peers [5,242,880]. */
  readonly maxBlockBytes?: number
  /** How long blocks may take to be published [10,000]. */
  readonly publishTimeout?: number
  /** How long `stop` waits for the block under way [5,000]. */
  readonly stopTimeout?: number
  readonly execution?: ExecutionPolicy
}
