/**
 * Told of each saved block, in order. Blocks that were saved together are told one after another: `status` speaks of the
 * last of them already.
 */
export interface AppliedBlock {
  readonly height: number
  /** Number of transactions. */
  readonly txs: number
  /** Unix nanoseconds. */
  readonly time: bigint
  /** Hash of its header. */
  readonly hash: Uint8Array
  /** State root after it. */
  readonly stateRoot: Uint8Array
  /** Where the block came from: `p2p`, `da`. */
  readonly source: string
}
