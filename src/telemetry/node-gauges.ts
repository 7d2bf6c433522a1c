import type { Env } from '../core/env.ts'
import type { Metrics } from '../core/metrics.ts'
import type { NodeView } from '../core/node-view.ts'
import { readiness, type ReadinessOptions } from '../core/readiness.ts'
import type { NodePhase } from '../core/status.ts'

const PHASES: Readonly<Record<NodePhase, true>> = {
  stopped: true,
  replaying: true,
  'waiting-genesis': true,
  'catching-up': true,
  following: true,
  halted: true,
  'waiting-peers': true,
  producing: true,
  paused: true,
  'waiting-executor': true,
}

/** What is looked at of a node. */
export type ReportedNode = Pick<
  NodeView,
  'status' | 'connections' | 'addresses' | 'genesis' | 'blockTime' | 'lazy'
>

/** What {@link reportNode} looks at. */
export interface NodeGaugesDeps {
  readonly node: ReportedNode
  /** When the node counts as ready. */
  readonly ready: ReadinessOptions
  readonly metrics: Metrics
  readonly env: Env
  /** Of the package, and of what runs it. */
  readonly version: string
  readonly runtime: string
}

/** Reports how a node stands at this moment: called when somebody asks for metrics. */
export function reportNode(deps: NodeGaugesDeps): void {
  const { node, metrics, env, version, runtime } = deps
  const status = node.status()
  const { height, targetHeight, da } = status
  metrics.gauge('build_info', 1, { version, runtime, role: status.role })
  for (const phase of Object.keys(PHASES)) {
    metrics.gauge('node_phase', phase === status.phase ? 1 : 0, { phase })
  }
  metrics.gauge('node_sync_lag_blocks', Math.max(0, targetHeight - height))
  metrics.gauge('node_target_height', targetHeight)
  metrics.gauge('node_header_height', status.headerHeight)
  metrics.gauge('node_data_height', status.dataHeight)
  metrics.gauge('node_final_height', status.finalHeight)
  metrics.gauge('node_earliest_height', status.earliestHeight)
  // What else is only reported when it changes must be there after a restart, too.
  if (height > 0) metrics.gauge('sequencer_height', height)
  if (da !== undefined) {
    metrics.gauge('node_da_next_height', da.next)
    metrics.gauge('da_client_reachable', da.reachable ? 1 : 0)
  }
  if (status.lastBlockTime > 0n) {
    metrics.gauge('node_last_block_age_seconds', Number(env.now() - status.lastBlockTime) / 1e9)
  }
  reportConnections(node, metrics)
  reportReadiness(deps)
}

function reportConnections(node: Pick<NodeView, 'connections'>, metrics: Metrics): void {
  const open = node.connections()
  for (const direction of ['inbound', 'outbound'] as const) {
    const count = open.filter((one) => one.direction === direction).length
    metrics.gauge('p2p_connections', count, { direction })
  }
}

/** What must hold before a node counts as ready: each by itself, so that an operator sees which does not. */
function reportReadiness({ node, env, metrics, ready }: NodeGaugesDeps): void {
  for (const { name, problem } of readiness({ env, node }, ready).criteria) {
    metrics.gauge('node_ready', problem === undefined ? 1 : 0, { criterion: name })
  }
}
