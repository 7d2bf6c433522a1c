/** What a node is for its chain. */
export type NodeRole = 'follower' | 'aggregator' | 'light'

/**
 * What a node is doing: as its follower says; `waiting-peers` while neither peers nor DA have shown it a header; and, once an
 * aggregator has taken over, `producing`, `paused` while too many blocks wait for DA, `waiting-executor`.
 */
export type NodePhase =
  | 'stopped'
  | 'replaying'
  | 'waiting-genesis'
  | 'catching-up'
  | 'following'
  | 'halted'
  | 'waiting-peers'
  | 'producing'
  | 'paused'
  | 'waiting-executor'

/** How a node stands with DA. */
export interface DaStatus {
  /** The DA height that is read next. */
  readonly next: number
  /** Highest DA height that is known to exist; 0 while none is. */
  readonly head: number
  readonly reachable: boolean
  /** Blocks of an aggregator that are not posted yet. */
  readonly pending: number
}

/** A node at one moment, for people and programs that watch it. */
export interface NodeStatus {
  readonly role: NodeRole
  readonly phase: NodePhase
  /** Height of the last executed block. */
  readonly height: number
  readonly headerHeight: number
  readonly dataHeight: number
  /** Highest height known to exist. */
  readonly targetHeight: number
  /** Highest height both halves of which are on DA; one below the first block when there is none. */
  readonly finalHeight: number
  /** First height whose block is still here. */
  readonly earliestHeight: number
  readonly peers: number
  /** Undefined for a node without DA. */
  readonly da: DaStatus | undefined
  /** Unix nanoseconds; 0n before the first block. */
  readonly lastBlockTime: bigint
  readonly stateRoot: Uint8Array
  /** Hash of the last executed header; empty before the first. */
  readonly lastHeaderHash: Uint8Array
  readonly rates: NodeRates
  /** Milliseconds until it has caught up, at its present pace. Undefined when it has, or when nobody can tell. */
  readonly estimate: number | undefined
}

/** How fast a node goes, over the last seconds; each per second. */
export interface NodeRates {
  readonly blocks: number
  readonly transactions: number
  readonly headers: number
  readonly daHeights: number
}
