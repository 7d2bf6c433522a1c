import type { Follower } from '../block/follower/follower.ts'
import type { FollowerPhase } from '../block/follower/status.ts'
import type { Network } from '../core/network.ts'
import type { NodePhase, NodeRates, NodeStatus } from '../core/status.ts'
import type { Aggregator } from './aggregator.ts'
import type { DaParts } from './da-parts.ts'

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
  readonly earliestHeight: number
  readonly rates: NodeRates
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
  const { follower, aggregator, da, host, headerSync, dataSync, initialHeight, rates } = deps
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
    earliestHeight: deps.earliestHeight,
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
    rates,
    estimate: estimate(targetHeight - height, rates.blocks),
  }
}

/** Milliseconds for so many blocks at so many a second. */
function estimate(blocks: number, perSecond: number): number | undefined {
  if (blocks <= FOLLOW_DISTANCE || perSecond <= 0) return undefined
  return Math.round((blocks / perSecond) * 1_000)
}
