import type { NodeView } from './node-view.ts'
import type { Env } from './env.ts'

/** When a node counts as ready. */
export interface ReadinessOptions {
  /** Seconds: a follower whose last block is older is not ready, unless it has all that is known to exist. */
  readonly windowSeconds: number
  /** Blocks behind the best known head. */
  readonly maxBlocksBehind: number
}

/** One thing that a ready node must fulfil. */
export interface Criterion {
  readonly name: string
  /** What is wrong; undefined when nothing is. */
  readonly problem: string | undefined
}

/** Whether a node is ready, and why not. */
export interface Readiness {
  readonly ready: boolean
  /** `READY`, or `UNREADY: ` and the first problem. */
  readonly text: string
  /** In the order they are looked at; those after a problem are looked at too. */
  readonly criteria: readonly Criterion[]
}

const NANOS_PER_MS = 1_000_000n

/** An aggregator's last block may be so many block times old. */
const BLOCK_TIMES = 5

/** In lazy mode its last block may be so many intervals old. */
const LAZY_INTERVALS = 2

/**
 * Whether a node is ready to be asked. Order and texts are those of ev-node v1.2.3; a node that follows DA alone, a chain
 * with rare blocks and a light node can be ready:
 *
 * - who follows DA needs no peers as long as DA answers;
 * - a last block may be old on a follower that has every block known to exist and hears from somebody;
 * - a light node is judged by its headers.
 */
export function readiness(
  {
    env,
    node,
  }: {
    readonly env: Pick<Env, 'now'>
    readonly node: Pick<NodeView, 'status' | 'addresses' | 'genesis' | 'blockTime' | 'lazy'>
  },
  { windowSeconds, maxBlocksBehind }: ReadinessOptions,
): Readiness {
  const status = node.status()
  const { role, peers, da, targetHeight, phase } = status
  const aggregator = role === 'aggregator'
  const height = role === 'light' ? status.headerHeight : status.height
  const hearsDa = da?.reachable === true && da.head > 0
  const first = node.genesis.initialHeight
  const age = Number((env.now() - status.lastBlockTime) / NANOS_PER_MS)

  const criteria: readonly Criterion[] = [
    check('listening', node.addresses().length > 0 || peers > 0, 'P2P not listening for connections'),
    check('peers', aggregator || peers > 0 || hearsDa, 'no peers connected'),
    check('state', phase !== 'stopped', 'state unavailable'),
    check('blocks', height >= first, 'no blocks yet'),
    check('running', phase !== 'halted', 'node halted by an error'),
    aggregator
      ? check(
          'production',
          age <= oldest(node, BLOCK_TIMES),
          'aggregator not producing blocks at expected rate',
        )
      : check(
          'execution',
          role === 'light' ||
            age <= Math.max(windowSeconds * 1_000, oldest(node, BLOCK_TIMES)) ||
            (height >= targetHeight && (peers > 0 || hearsDa)),
          'node not executing blocks',
        ),
    check('best-known', targetHeight >= first, 'best-known height unknown'),
    check('behind', targetHeight - height <= maxBlocksBehind, 'behind best-known head'),
  ]
  const problem = criteria.find((one) => one.problem !== undefined)?.problem
  return {
    ready: problem === undefined,
    text: problem === undefined ? 'READY' : `UNREADY: ${problem}`,
    criteria,
  }
}

function check(name: string, fulfilled: boolean, problem: string): Criterion {
  return { name, problem: fulfilled ? undefined : problem }
}

/** Milliseconds that a last block may be old. */
function oldest({ blockTime, lazy }: Pick<NodeView, 'blockTime' | 'lazy'>, times: number): number {
  return lazy === undefined ? times * blockTime : Math.max(times * blockTime, LAZY_INTERVALS * lazy.interval)
}
