/** Names under which the reading of DA measures. */
export const FOLLOW_METRICS = {
  /** Gauge: highest DA height that was read and dealt with. */
  consumed: 'da_consumed_height',
  /** Gauge: highest DA height known. */
  head: 'da_head_height',
  /** Counter, label `kind`: headers and data of our chain found on DA. */
  found: 'da_halves_found_total',
  /** Counter, label `reason`: blobs that are nothing of ours. */
  dropped: 'da_blobs_ignored_total',
  /** Counter, label `kind`: halves let go of for want of room. */
  letGo: 'da_halves_let_go_total',
  /** Gauge: halves that wait for their turn or for the other half. */
  waiting: 'da_halves_waiting',
  /** Gauge: bytes of those. */
  waitingBytes: 'da_halves_waiting_bytes',
  /** Counter: times the reading went back, label `reason`. */
  rewinds: 'da_rewinds_total',
} as const
