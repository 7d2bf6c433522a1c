/** Bounds of the passing on of transactions. Times in milliseconds. */
export interface SubmissionLimits {
  /** Bytes of one transaction. */
  readonly maxTxBytes: number
  /** Bytes of an answer. */
  readonly maxAnswerBytes: number
  /** Connections that a transaction may travel over: from a follower, over one more, to the aggregator. */
  readonly maxHops: number
  /** Transactions handed to this node that may be under way at once; those that peers pass on have their own room. */
  readonly ownUnderWay: number
  readonly peersUnderWay: number
  /** Requests of one peer that are read or answered at once, and a little less that one is asked at once. */
  readonly streamsPerPeer: number
  readonly requestsPerPeer: number
  /** What one peer may pass on: at once, and each second. Configured peers may ten times as much. */
  readonly peerTxs: number
  readonly peerTxsPerSecond: number
  readonly peerBytes: number
  readonly peerBytesPerSecond: number
  /** Time for a transaction that was handed to this node, and for one peer of those that are asked. */
  readonly ownTimeout: number
  readonly ownAttempt: number
  /** The same for one that a peer passed on: shorter, so that he hears the answer. */
  readonly passedTimeout: number
  readonly passedAttempt: number
  /** Time for a request to arrive and for an answer to be taken. */
  readonly streamTimeout: number
  /** How long a peer that failed is asked after the others. */
  readonly rest: number
}

/** The bounds as a rule. */
export const SUBMISSION_LIMITS: SubmissionLimits = {
  maxTxBytes: 1_048_576,
  maxAnswerBytes: 4_096,
  maxHops: 2,
  ownUnderWay: 1_024,
  peersUnderWay: 256,
  streamsPerPeer: 16,
  requestsPerPeer: 12,
  peerTxs: 2_000,
  peerTxsPerSecond: 1_000,
  peerBytes: 16 * 1_048_576,
  peerBytesPerSecond: 4 * 1_048_576,
  ownTimeout: 15_000,
  ownAttempt: 6_000,
  passedTimeout: 5_000,
  passedAttempt: 2_500,
  streamTimeout: 5_000,
  rest: 30_000,
}

/** Bytes of a request around its transaction. */
export const REQUEST_OVERHEAD = 32
