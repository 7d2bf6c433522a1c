/** How a chain begins. */
export interface Genesis {
  readonly chainId: string
  /** Time of the first block, unix nanoseconds. */
  readonly startTime: bigint
  /** Height of the first block, from 1. */
  readonly initialHeight: number
  /** SHA-256 of the first proposer's raw public key. */
  readonly proposerAddress: Uint8Array
  /** DA height from which blocks can be found; 0 when unknown. */
  readonly daStartHeight: number
  /** Length of a forced-inclusion epoch in DA heights. */
  readonly daEpochForcedInclusion: number
}
