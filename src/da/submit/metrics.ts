/** Names under which submission measures: those of ev-node v1.2.3, without its configurable namespace. */
export const SUBMIT_METRICS = {
  /** Gauge: headers and data that are not posted yet. */
  pending: 'sequencer_da_submitter_pending_blobs',
  /** Counter: submissions that were tried once more. */
  resends: 'sequencer_da_submitter_resends_total',
  /** Counter, label `reason`: submissions that failed. */
  failures: 'sequencer_da_submitter_failures_total',
  /** Gauge, label `reason`: unix seconds of the last failure. */
  lastFailure: 'sequencer_da_submitter_last_failure_timestamp',
} as const

/** Why a submission failed, as the label `reason` says it. */
export type FailureReason =
  | 'timeout'
  | 'already_in_mempool'
  | 'not_included_in_block'
  | 'too_big'
  | 'context_canceled'
  | 'unknown'
