/** What ties data to its place in the chain. */
export interface Metadata {
  readonly chainId: string
  readonly height: number
  /** Unix nanoseconds, below 2^63. */
  readonly time: bigint
  /** Hash of the data below; empty at the first height. */
  readonly lastDataHash: Uint8Array
}

/** A block's transactions. */
export interface Data {
  /** Absent only in what is hashed for the DA commitment and in malformed messages. */
  readonly metadata?: Metadata
  readonly txs: readonly Uint8Array[]
}

/** Data as peers send it. */
export interface P2PData extends Data {
  readonly daHeightHint?: number
}
