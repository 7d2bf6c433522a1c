import { CHAIN_METRICS } from './chain.ts'
import { DA_METRICS } from './da.ts'
import type { MetricDefinition } from './definition.ts'
import { NODE_METRICS } from './node.ts'
import { SYNC_METRICS } from './sync.ts'

/** Every metric that this package reports, by what it is about. */
export const METRIC_GROUPS: readonly {
  readonly title: string
  readonly metrics: readonly MetricDefinition[]
}[] = [
  { title: 'Blocks', metrics: CHAIN_METRICS },
  { title: 'Peers and sync', metrics: SYNC_METRICS },
  { title: 'DA', metrics: DA_METRICS },
  { title: 'Node, database and RPC', metrics: NODE_METRICS },
]

/** The same in one list. */
export const METRICS: readonly MetricDefinition[] = METRIC_GROUPS.flatMap(({ metrics }) => metrics)
