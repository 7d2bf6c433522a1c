/** Names under which the DA client measures. */
export const CLIENT_METRICS = {
  /** Counter, labels `method` and `outcome`: calls that ended; the outcome is `ok`, `cancelled` or an error code. */
  calls: 'da_client_calls_total',
  /** Histogram, label `method`: seconds from the moment a call was sent to its end. */
  callSeconds: 'da_client_call_duration_seconds',
  /** Gauge: calls that wait for a free place. */
  waiting: 'da_client_waiting_calls',
  /** Gauge: 1 while the last call got an answer. */
  reachable: 'da_client_reachable',
  /** Gauge: 1 while calls go by WebSocket. */
  webSocket: 'da_client_websocket',
  /** Counter: WebSockets that broke. */
  webSocketLost: 'da_client_websocket_lost_total',
  /** Counter, label `reason`: messages that fit nothing that was asked. */
  messagesIgnored: 'da_client_messages_ignored_total',
  /** Counter: answers with the blobs of a height that were too large for a WebSocket. */
  largeAnswers: 'da_client_large_answers_total',
  /** Counter, label `reason`: blobs in answers that were left out. */
  blobsDropped: 'da_client_blobs_dropped_total',
} as const
