/** Names under which the sequencer measures. */
export const SEQUENCER_METRICS = {
  /** Gauge: transactions waiting. */
  waiting: 'sequencer_queue_txs',
  /** Gauge: their bytes. */
  waitingBytes: 'sequencer_queue_bytes',
  /** Counter: transactions taken. */
  taken: 'sequencer_queue_taken_total',
  /** Counter: submissions for which there was no room. */
  full: 'sequencer_queue_full_total',
  /** Counter: transactions left out of blocks for good, because they are too large or the filter says so. */
  dropped: 'sequencer_queue_dropped_total',
} as const
