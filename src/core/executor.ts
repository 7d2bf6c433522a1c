/** What executing a block gave. */
export interface ExecutionResult {
  /** State root after the block. */
  readonly stateRoot: Uint8Array
  /** Address of the signer of the next block; empty means unchanged. */
  readonly nextProposerAddress: Uint8Array
}

/** Limits of the execution layer. */
export interface ExecutionInfo {
  /** Gas of one block; 0n when it has no notion of gas. */
  readonly maxGas: bigint
}

/** What to do with a transaction offered for a block. */
export type FilterStatus = 'ok' | 'remove' | 'postpone'

/** One block to be executed. */
export interface ExecuteRequest {
  readonly txs: readonly Uint8Array[]
  readonly height: number
  /** Unix nanoseconds. */
  readonly time: bigint
  readonly previousStateRoot: Uint8Array
}

/**
 * The application: turns transactions into state. Calls must be deterministic, and repeatable for a height (after
 * a crash the last block is executed again). An unreachable executor rejects with `EXECUTOR_UNREACHABLE`; the
 * node then waits for it. Any other rejection counts as a failed execution.
 * Source: ev-node v1.2.3 core/execution.
 */
export interface Executor {
  /** Prepares the genesis state and returns its root. Repeatable. */
  initChain(
    genesis: { readonly time: bigint; readonly initialHeight: number; readonly chainId: string },
    options: { readonly signal: AbortSignal },
  ): Promise<Uint8Array>
  /** Transactions waiting to be put into a block; does not remove them. */
  getTxs(options: { readonly signal: AbortSignal }): Promise<readonly Uint8Array[]>
  /** Executes a block. Transactions that make no sense are skipped, never an error. */
  executeTxs(request: ExecuteRequest, options: { readonly signal: AbortSignal }): Promise<ExecutionResult>
  /** A height is final on DA. Repeatable. */
  setFinal(height: number, options: { readonly signal: AbortSignal }): Promise<void>
  getExecutionInfo(options: { readonly signal: AbortSignal }): Promise<ExecutionInfo>
  /** One status per transaction. Once the limits are reached, all later ones are postponed. */
  filterTxs(
    request: {
      readonly txs: readonly Uint8Array[]
      readonly maxBytes: number
      readonly maxGas: bigint
      readonly hasForcedTransactions: boolean
    },
    options: { readonly signal: AbortSignal },
  ): Promise<readonly FilterStatus[]>
  /**
   * Takes a transaction among those that `getTxs` gives. Rejects with `TX_REFUSED` (`reject`) when it can never get into
   * a block, and with `TX_NO_ROOM` (`retry`). An aggregator whose executor has none puts transactions that users hand
   * to it straight into its sequencer.
   */
  submitTx?(tx: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>
  /** Calls `listener` when there are new transactions to get, until the returned function is called. */
  onTxs?(listener: () => void): () => void
  /** Height of its last executed block; 0 before the first. */
  latestHeight?(options: { readonly signal: AbortSignal }): Promise<number>
  /**
   * By how many of the last blocks `rollback` can go back at any moment, as far as there are so many; 1 when left out.
   * A follower that is far behind executes up to so many blocks before it saves them together.
   */
  readonly rollbackDepth?: number
  /** Goes back to the state after `height`. */
  rollback?(height: number, options: { readonly signal: AbortSignal }): Promise<void>
  /** Drops what is only needed to go back below `height`. */
  prune?(height: number, options: { readonly signal: AbortSignal }): Promise<void>
}
