import { DURATIONS, type MetricDefinition, SHORT_DURATIONS } from './definition.ts'

/** Blocks: how they come, are executed and made. */
export const CHAIN_METRICS: readonly MetricDefinition[] = [
  {
    name: 'sequencer_height',
    type: 'gauge',
    help: 'Height of the last executed block.',
    known: true,
  },
  {
    name: 'sequencer_latest_block_height',
    type: 'gauge',
    help: 'Height of the last block made by this node.',
    known: true,
  },
  {
    name: 'sequencer_num_txs',
    type: 'gauge',
    help: 'Transactions of the last block made by this node.',
    known: true,
  },
  {
    name: 'sequencer_total_txs',
    type: 'gauge',
    help: 'Transactions of all blocks made by this node since it was started.',
    known: true,
  },
  {
    name: 'sequencer_block_size_bytes',
    type: 'gauge',
    help: 'Bytes of the transactions of the last block made by this node.',
    known: true,
  },
  {
    name: 'sequencer_txs_per_block',
    type: 'histogram',
    help: 'Transactions of the blocks made by this node.',
    buckets: [0, 1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000],
    known: true,
  },
  {
    name: 'sequencer_operation_duration_seconds',
    type: 'histogram',
    help: 'Time of the steps of a block.',
    labels: {
      operation: '`block_production`, `block_validation`, `block_execution`, `state_update`',
    },
    buckets: DURATIONS,
    known: true,
  },
  {
    name: 'sequencer_blocks_synchronized_total',
    type: 'counter',
    help: 'Blocks of others that were executed and saved.',
    labels: { source: 'where they came from: `p2p` or `da`' },
    known: true,
  },
  {
    name: 'sequencer_blocks_rejected_total',
    type: 'counter',
    help: 'Blocks that turned out wrong.',
    labels: { code: 'why' },
  },
  {
    name: 'sequencer_blocks_dropped_total',
    type: 'counter',
    help: 'Blocks let go of because too many waited for their turn.',
  },
  { name: 'sequencer_queued_blocks', type: 'gauge', help: 'Blocks that wait to be executed.' },
  {
    name: 'sequencer_parked_blocks',
    type: 'gauge',
    help: 'Blocks above the next height, kept until it is theirs.',
  },
  {
    name: 'sequencer_retries_total',
    type: 'counter',
    help: 'Calls to the executor, and writes, that had to be repeated.',
    labels: { operation: 'what was repeated' },
  },
  {
    name: 'sequencer_executor_reachable',
    type: 'gauge',
    initial: 1,
    help: '1 while the executor answers, 0 while it does not.',
  },
  {
    name: 'sequencer_halted',
    type: 'gauge',
    initial: 0,
    help: '1 once a critical error ended following or production.',
  },
  {
    name: 'sequencer_equivocations_total',
    type: 'counter',
    help: 'Heights for which the proposer signed two headers.',
  },
  {
    name: 'sequencer_production_paused',
    type: 'gauge',
    initial: 0,
    help: '1 while production pauses because too many blocks wait for DA.',
  },
  { name: 'sequencer_queue_txs', type: 'gauge', help: 'Transactions that wait for a block.' },
  { name: 'sequencer_queue_bytes', type: 'gauge', help: 'Bytes of the transactions that wait for a block.' },
  { name: 'sequencer_queue_taken_total', type: 'counter', help: 'Transactions taken by the sequencer.' },
  {
    name: 'sequencer_queue_full_total',
    type: 'counter',
    help: 'Submissions refused because too many transactions wait.',
  },
  {
    name: 'sequencer_queue_dropped_total',
    type: 'counter',
    help: 'Transactions left out of blocks for good.',
  },
  {
    name: 'sequencer_reaper_listed_txs',
    type: 'gauge',
    help: 'Transactions that the executor lists for blocks.',
  },
  {
    name: 'sequencer_reaper_txs_total',
    type: 'counter',
    help: 'Transactions of the executor handed to the sequencer.',
  },
  {
    name: 'sequencer_reaper_refused_total',
    type: 'counter',
    help: 'Transactions of the executor that the sequencer refuses.',
  },
  {
    name: 'transactions_submitted_total',
    type: 'counter',
    help: 'Transactions that were handed to this node.',
    labels: {
      from: '`here` (by RPC or the program) or `peer`',
      outcome: '`taken`, or the code of the error',
    },
  },
  {
    name: 'executor_call_duration_seconds',
    type: 'histogram',
    help: 'Time of calls to the executor.',
    labels: {
      method: 'the call, such as `executeTxs`',
      outcome: '`ok`, `cancelled`, or the code of the error',
    },
    buckets: SHORT_DURATIONS,
  },
]
