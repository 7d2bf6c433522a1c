import type { Env } from '../core/env.ts'
import type { Metrics } from '../core/metrics.ts'
import type { NodeView } from '../core/node-view.ts'
import type { NodePhase, NodeStatus } from '../core/status.ts'

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

/** What {@link reportNode} looks at. */
export interface NodeGaugesDeps {
  readonly node: Pick<NodeView, 'status' | 'connections'>
  readonly metrics: Metrics
  readonly env: Env
  /** Of the package, and of what runs it. */
  readonly version: string
  readonly runtime: string
}

/** Reports how a node stands at this moment: called when somebody asks for metrics. */
export function reportNode({ node, metrics, env, version, runtime }: NodeGaugesDeps): void {
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
  reportReadiness(status, metrics)
}

function reportConnections(node: Pick<NodeView, 'connections'>, metrics: Metrics): void {
  const open = node.connections()
  for (const direction of ['inbound', 'outbound'] as const) {
    const count = open.filter((one) => one.direction === direction).length
    metrics.gauge('p2p_connections', count, { direction })
  }
}

/** So many blocks behind still counts as synchronised. */
const SYNCHRONISED = 3

/** What must hold before a node serves as one should: each by itself, so that an operator sees which does not. */
function reportReadiness(
  { phase, role, height, targetHeight, peers, da }: NodeStatus,
  metrics: Metrics,
): void {
  const criteria = {
    running: phase !== 'stopped' && phase !== 'halted' && phase !== 'waiting-genesis',
    connected: peers > 0 || da?.reachable === true || role === 'aggregator',
    synchronised: targetHeight - height <= SYNCHRONISED && height > 0,
  }
  for (const [criterion, met] of Object.entries(criteria)) {
    metrics.gauge('node_ready', met ? 1 : 0, { criterion })
  }
}
