import { DURATIONS, type MetricDefinition, SHORT_DURATIONS } from './definition.ts'

/** The node as a whole, its database and those who ask it. */
export const NODE_METRICS: readonly MetricDefinition[] = [
  {
    name: 'build_info',
    type: 'gauge',
    help: 'Always 1; its labels say what runs.',
    labels: {
      version: 'of this package',
      runtime: 'version of Node',
      role: '`aggregator`, `follower` or `light`',
    },
  },
  {
    name: 'node_phase',
    type: 'gauge',
    help: '1 for what the node is doing, 0 for everything else.',
    labels: {
      phase:
        '`stopped`, `replaying`, `waiting-genesis`, `waiting-peers`, `catching-up`, `following`, `producing`, `paused`, `waiting-executor` or `halted`',
    },
  },
  {
    name: 'node_sync_lag_blocks',
    type: 'gauge',
    help: 'Blocks between the last executed and the best known height.',
  },
  { name: 'node_target_height', type: 'gauge', help: 'Highest height known to exist.' },
  { name: 'node_header_height', type: 'gauge', help: 'Highest height in the header store.' },
  { name: 'node_data_height', type: 'gauge', help: 'Highest height in the data store.' },
  { name: 'node_final_height', type: 'gauge', help: 'Highest final height.' },
  { name: 'node_earliest_height', type: 'gauge', help: 'First height whose block is still here.' },
  {
    name: 'node_last_block_age_seconds',
    type: 'gauge',
    help: 'Time since the time in the last executed block; not there before the first.',
  },
  { name: 'node_da_next_height', type: 'gauge', help: 'DA height that is read next.' },
  {
    name: 'node_ready',
    type: 'gauge',
    help: 'Whether a criterion for being ready is met: 1 or 0.',
    labels: {
      criterion:
        '`listening`, `peers`, `state`, `blocks`, `running`, `production` or `execution`, `best-known`, `behind`: those of `/health/ready`',
    },
  },
  {
    name: 'store_batch_duration_seconds',
    type: 'histogram',
    help: 'Time of writes to the database.',
    labels: { sync: '`true` where the write waits for the disk' },
    buckets: SHORT_DURATIONS,
  },
  {
    name: 'store_batch_operations',
    type: 'histogram',
    help: 'Changes of one write to the database.',
    buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000],
  },
  {
    name: 'store_written_bytes_total',
    type: 'counter',
    help: 'Bytes of keys and values written to the database.',
  },
  {
    name: 'store_read_duration_seconds',
    type: 'histogram',
    help: 'Time of reads from the database, of one key or of many together.',
    labels: { method: '`get` or `getMany`' },
    buckets: SHORT_DURATIONS,
  },
  {
    name: 'store_tx_index_height',
    type: 'gauge',
    help: 'Highest height whose transactions are found by their hash.',
  },
  {
    name: 'store_pruned_height',
    type: 'gauge',
    help: 'Highest height whose block was removed.',
  },
  {
    name: 'rpc_request_duration_seconds',
    type: 'histogram',
    help: 'Time of requests to the RPC server. Its `_count` counts them.',
    labels: {
      method: 'method or path that was asked; `other` for unknown ones',
      code: '`ok`, or the code of the error',
    },
    buckets: DURATIONS,
  },
  { name: 'rpc_open_connections', type: 'gauge', help: 'Open connections to the RPC server.' },
  {
    name: 'rpc_subscribers',
    type: 'gauge',
    help: 'Open subscriptions.',
    labels: { kind: 'what to' },
  },
  {
    name: 'rpc_subscribers_dropped_total',
    type: 'counter',
    help: 'Subscriptions that the server ended.',
    labels: { reason: 'why' },
  },
]
