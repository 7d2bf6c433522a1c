import type { FollowerPhase } from '../block/follower/status.ts'

/** What a node is doing: as its follower says, or `waiting-peers` while nobody has shown it a header. */
export type NodePhase = FollowerPhase | 'waiting-peers'

/** A node at one moment, for people and programs that watch it. */
export interface NodeStatus {
  readonly phase: NodePhase
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

/** So many heights behind what is known to exist still counts as following. */
const FOLLOW_DISTANCE = 3

/** Phase of a node whose follower, which knows only of blocks that are whole, is in `phase`. */
export function nodePhase(
  phase: FollowerPhase,
  { height, targetHeight }: Pick<NodeStatus, 'height' | 'targetHeight'>,
): NodePhase {
  if (phase !== 'following') return phase
  if (targetHeight === 0) return 'waiting-peers'
  return targetHeight - height > FOLLOW_DISTANCE ? 'catching-up' : 'following'
}
