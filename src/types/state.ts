import type { Version } from './header.ts'

/** State of the chain after a block. */
export interface State {
  readonly version: Version
  readonly chainId: string
  readonly initialHeight: number
  /** Height of the last executed block; `initialHeight - 1` before the first. */
  readonly lastBlockHeight: number
  /** Unix nanoseconds. */
  readonly lastBlockTime: bigint
  /** Highest DA height a block was taken from. */
  readonly daHeight: number
  /** State root after the last block. */
  readonly appHash: Uint8Array
  /** Hash of the last block's header; empty before the first. */
  readonly lastHeaderHash: Uint8Array
  /** Address of the signer of the next block. */
  readonly nextProposerAddress: Uint8Array
}
