/** What a process is to do that takes headers from peers. */
export interface HeadersOrder {
  /** `sync`: the header sync service, into a store on disk. `exchange`: the exchange client alone, without checks. */
  readonly mode: 'sync' | 'exchange'
  readonly home: string
  /** Genesis file as text. */
  readonly genesis: string
  readonly peers: readonly string[]
  /** Last height. */
  readonly target: number
}

/** What it ended on, and what it took from the moment it was connected. */
export interface HeadersResult {
  readonly height: number
  /** Hex, of the last header. */
  readonly hash: string
  readonly milliseconds: number
  /** CPU seconds, of all threads. */
  readonly cpu: number
}
