/**
 * Names under which the block layer measures. Those that ev-node v1.2.3 has too are `height`, `blocksSynchronized`
 * and `operationDuration`, without its configurable namespace.
 */
export const BLOCK_METRICS = {
  /** Gauge: height of the last executed block. */
  height: 'sequencer_height',
  /** Counter, label `source`: blocks executed and saved. */
  blocksSynchronized: 'sequencer_blocks_synchronized_total',
  /** Histogram, label `operation`: `block_validation`, `block_execution`, `state_update`. */
  operationDuration: 'sequencer_operation_duration_seconds',
  /** Counter, label `code`: blocks that turned out wrong. */
  blocksRejected: 'sequencer_blocks_rejected_total',
  /** Counter: blocks let go of because the parking was full. */
  blocksDropped: 'sequencer_blocks_dropped_total',
  /** Counter, label `operation`: calls to the executor and saves that had to be repeated. */
  retries: 'sequencer_retries_total',
  /** Gauge: 1 while the executor answers, 0 while it does not. */
  executorReachable: 'sequencer_executor_reachable',
  /** Gauge: blocks waiting in the queue. */
  queued: 'sequencer_queued_blocks',
  /** Gauge: blocks whose turn has not come. */
  parked: 'sequencer_parked_blocks',
  /** Gauge: 1 once a critical error ended the following. */
  halted: 'sequencer_halted',
  /** Counter: heights for which the proposer signed two headers. */
  equivocations: 'sequencer_equivocations_total',
} as const
