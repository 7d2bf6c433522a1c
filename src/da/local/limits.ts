/** Bounds of what clients of the local DA may take. */
export interface Limits {
  /** Bytes of a request's body and of a WebSocket message. */
  readonly maxRequestBytes: number
  /** Open connections, WebSockets among them; more are not accepted. */
  readonly maxConnections: number
  /** Calls of one WebSocket that have no answer yet. */
  readonly maxCalls: number
  /** Subscriptions of one WebSocket. */
  readonly maxSubscriptions: number
  /** Bytes written to a WebSocket that its client has not read. With more, it is dropped at the next write. */
  readonly maxBacklogBytes: number
}

/** Bounds for one developer's machine. */
export const DEFAULT_LIMITS: Limits = {
  maxRequestBytes: 32 * 1024 * 1024,
  maxConnections: 256,
  maxCalls: 128,
  maxSubscriptions: 64,
  maxBacklogBytes: 16 * 1024 * 1024,
}
