import type { FollowerPhase } from '../block/follower/status.ts'

/** A node at one moment, for people and programs that watch it. */
export interface NodeStatus {
  readonly phase: FollowerPhase
  /** Height of the last executed block. */
  readonly height: number
  readonly headerHeight: number
  readonly dataHeight: number
  /** Highest height known to exist. */
  readonly targetHeight: number
  readonly peers: number
  /** Unix nanoseconds; 0n before the first block. */
  readonly lastBlockTime: bigint
  readonly stateRoot: Uint8Array
  /** Hash of the last executed header; empty before the first. */
  readonly lastHeaderHash: Uint8Array
}
