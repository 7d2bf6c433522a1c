import type { Follower } from '../block/follower/follower.ts'
import type { FollowerPhase } from '../block/follower/status.ts'
import type { Network } from '../core/network.ts'
import type { Aggregator } from './aggregator.ts'
import type { DaParts } from './da-parts.ts'

/**
 * What a node is doing: as its follower says; `waiting-peers` while neither peers nor DA have shown it a header; and, once an
 * aggregator has taken over, `producing`, `paused` while too many blocks wait for DA, `waiting-executor`.
 */
export type NodePhase = FollowerPhase | 'waiting-peers' | 'producing' | 'paused' | 'waiting-executor'

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
  readonly role: 'follower' | 'aggregator'
  readonly phase: NodePhase
  /** Height of the last executed block. */
  readonly height: number
  readonly headerHeight: number
  readonly dataHeight: number
  /** Highest height known to exist. */
  readonly targetHeight: number
  /** Highest height both halves of which are on DA; one below the first block when there is none. */
  readonly finalHeight: number
  readonly peers: number
  /** Undefined for a node without DA. */
  readonly da: DaStatus | undefined
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
  {
    height,
    targetHeight,
    initialHeight,
  }: Pick<NodeStatus, 'height' | 'targetHeight'> & { readonly initialHeight: number },
): NodePhase {
  if (phase !== 'following') return phase
  if (targetHeight < initialHeight) return 'waiting-peers'
  return targetHeight - height > FOLLOW_DISTANCE ? 'catching-up' : 'following'
}

/** Heights of one sync service. */
interface SyncHeights {
  readonly height: number
  readonly targetHeight: number
}

/** Parts that {@link nodeStatus} asks. */
export interface StatusDeps {
  readonly follower: Follower
  readonly aggregator: Aggregator | undefined
  readonly da: DaParts | undefined
  readonly host: Pick<Network, 'peers'>
  readonly headerSync: SyncHeights
  readonly dataSync: SyncHeights
  readonly initialHeight: number
}

const PRODUCER_PHASES = {
  stopped: 'stopped',
  'waiting-genesis': 'waiting-genesis',
  producing: 'producing',
  'paused-da': 'paused',
  'waiting-executor': 'waiting-executor',
  halted: 'halted',
} as const satisfies Record<ReturnType<Aggregator['status']>['phase'], NodePhase>

/** The {@link NodeStatus} of a node made of these parts. */
export function nodeStatus(deps: StatusDeps): NodeStatus {
  const { follower, aggregator, da, host, headerSync, dataSync, initialHeight } = deps
  const maker = aggregator?.producing === true ? aggregator : undefined
  const { height, lastBlockTime, stateRoot, lastHeaderHash } = maker?.status() ?? follower.status()
  const targetHeight = Math.max(
    height,
    headerSync.targetHeight,
    dataSync.targetHeight,
    da?.source.highest ?? 0,
  )
  return {
    role: aggregator === undefined ? 'follower' : 'aggregator',
    phase:
      maker === undefined
        ? nodePhase(follower.status().phase, { height, targetHeight, initialHeight })
        : PRODUCER_PHASES[maker.status().phase],
    height,
    headerHeight: headerSync.height,
    dataHeight: dataSync.height,
    targetHeight,
    finalHeight: da?.inclusion.height ?? initialHeight - 1,
    peers: host.peers().length,
    da:
      da === undefined
        ? undefined
        : {
            next: da.source.next,
            head: da.source.head,
            reachable: da.client.reachable,
            pending: da.submitter?.pending() ?? 0,
          },
    lastBlockTime,
    stateRoot,
    lastHeaderHash,
  }
}
