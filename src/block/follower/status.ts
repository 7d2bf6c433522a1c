/**
 * What a follower is doing: waiting for the chain to begin; bringing the executor to the store's height; behind
 * what sources brought; at the tip; ended by a critical error; not running.
 */
export type FollowerPhase =
  | 'stopped'
  | 'replaying'
  | 'waiting-genesis'
  | 'catching-up'
  | 'following'
  | 'halted'

/** A follower at one moment. */
export interface FollowerStatus {
  readonly phase: FollowerPhase
  /** Height of the last saved block; one below the initial height before the first. */
  readonly height: number
  /** The height that is executed next. */
  readonly next: number
  /** Highest height a well-formed block was seen of. */
  readonly highestSeen: number
  /** Blocks in the queue, and their bytes, roughly. */
  readonly queueSize: number
  readonly queueBytes: number
  /** Blocks whose turn has not come, and their bytes, roughly. */
  readonly parked: number
  readonly parkedBytes: number
  /** Time of the last block, unix nanoseconds; 0n before the first. */
  readonly lastBlockTime: bigint
  /** State root after the last block; empty before there is one. */
  readonly stateRoot: Uint8Array
  /** Hash of the last block's header; empty before the first. */
  readonly lastHeaderHash: Uint8Array
  readonly executorReachable: boolean
  /** What keeps the next block from being saved, or ended the following; undefined when nothing does. */
  readonly lastError: string | undefined
}
