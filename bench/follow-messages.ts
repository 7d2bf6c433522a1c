/** What a catching-up node is to do. */
export interface FollowOrder {
  readonly home: string
  /** Genesis file as text. */
  readonly genesis: string
  readonly peers: readonly string[]
  /** Height at which it has caught up. */
  readonly target: number
}

/** What it ended on, and milliseconds from the beginning of its process. */
export interface FollowResult {
  readonly done: true
  readonly height: number
  /** Hex. */
  readonly stateRoot: string
  readonly lastHeaderHash: string
  /** Started, whatever there is to catch up. */
  readonly readyMs: number
  readonly headersMs: number
  readonly firstBlockMs: number
  readonly blocksMs: number
}
