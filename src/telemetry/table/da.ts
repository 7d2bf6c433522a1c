import { DURATIONS, type MetricDefinition } from './definition.ts'

/** The DA layer: asking it, reading it, posting to it, finality. */
export const DA_METRICS: readonly MetricDefinition[] = [
  {
    name: 'sequencer_da_inclusion_height',
    type: 'gauge',
    help: 'Highest height both halves of which are on DA: everything up to it is final.',
    known: true,
  },
  {
    name: 'sequencer_da_submitter_pending_blobs',
    type: 'gauge',
    help: 'Headers and data of blocks made here that are not posted to DA yet.',
    known: true,
  },
  {
    name: 'sequencer_da_submitter_resends_total',
    type: 'counter',
    help: 'Submissions to DA that were tried once more.',
    known: true,
  },
  {
    name: 'sequencer_da_submitter_failures_total',
    type: 'counter',
    help: 'Submissions to DA that failed.',
    labels: {
      reason:
        '`timeout`, `already_in_mempool`, `not_included_in_block`, `too_big`, `context_canceled`, `unknown`',
    },
    known: true,
  },
  {
    name: 'sequencer_da_submitter_last_failure_timestamp',
    type: 'gauge',
    help: 'Unix seconds of the last submission that failed.',
    labels: { reason: 'as above' },
    known: true,
  },
  { name: 'da_consumed_height', type: 'gauge', help: 'Highest DA height that was read and dealt with.' },
  { name: 'da_head_height', type: 'gauge', help: 'Highest DA height that is known to exist.' },
  {
    name: 'da_halves_found_total',
    type: 'counter',
    help: 'Headers and data of this chain found on DA.',
    labels: { kind: '`header` or `data`' },
  },
  {
    name: 'da_blobs_ignored_total',
    type: 'counter',
    help: 'Blobs in the namespaces of this chain that are nothing of it.',
    labels: { reason: 'why' },
  },
  {
    name: 'da_halves_let_go_total',
    type: 'counter',
    help: 'Headers and data from DA let go of for want of room; they are read again when their turn comes.',
    labels: { kind: '`header` or `data`' },
  },
  {
    name: 'da_halves_waiting',
    type: 'gauge',
    help: 'Headers and data from DA that wait for their turn or for their other half.',
  },
  { name: 'da_halves_waiting_bytes', type: 'gauge', help: 'Bytes of those.' },
  {
    name: 'da_rewinds_total',
    type: 'counter',
    help: 'Times the reading of DA went back.',
    labels: { reason: 'why; `reorg`: DA itself did' },
  },
  {
    name: 'da_client_calls_total',
    type: 'counter',
    help: 'Calls to the DA node that ended.',
    labels: { method: 'method of the JSON-RPC', outcome: '`ok`, `cancelled`, or the code of the error' },
  },
  {
    name: 'da_client_call_duration_seconds',
    type: 'histogram',
    help: 'Time of calls to the DA node.',
    labels: { method: 'method of the JSON-RPC' },
    buckets: DURATIONS,
  },
  {
    name: 'da_client_waiting_calls',
    type: 'gauge',
    help: 'Calls to the DA node that wait for a free place.',
  },
  { name: 'da_client_reachable', type: 'gauge', help: '1 while the last call to the DA node got an answer.' },
  { name: 'da_client_websocket', type: 'gauge', help: '1 while calls to the DA node go by WebSocket.' },
  { name: 'da_client_websocket_lost_total', type: 'counter', help: 'WebSockets to the DA node that broke.' },
  {
    name: 'da_client_messages_ignored_total',
    type: 'counter',
    help: 'Messages of the DA node that fit nothing that was asked.',
    labels: { reason: 'why' },
  },
  {
    name: 'da_client_large_answers_total',
    type: 'counter',
    help: 'Answers with the blobs of a DA height that were too large for a WebSocket.',
  },
  {
    name: 'da_client_blobs_dropped_total',
    type: 'counter',
    help: 'Blobs in answers of the DA node that were left out.',
    labels: { reason: 'why' },
  },
]
