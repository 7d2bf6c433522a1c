import type { Genesis } from './genesis.ts'
import { headerHash, type SignedHeader, type Version } from './header.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'

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

/** The state before the first block. `appHash` is the state root that the application gave for the genesis. */
export function initialState(genesis: Genesis, appHash: Uint8Array): State {
  return {
    version: { block: 0n, app: 0n },
    chainId: genesis.chainId,
    initialHeight: genesis.initialHeight,
    lastBlockHeight: genesis.initialHeight - 1,
    lastBlockTime: genesis.startTime,
    daHeight: genesis.daStartHeight,
    appHash,
    lastHeaderHash: EMPTY_BYTES,
    nextProposerAddress: genesis.proposerAddress,
  }
}

/**
 * The state after a block was executed. An empty next proposer leaves it as it was; `daHeight` is that at which
 * the block was found and only ever raises the state's.
 */
export function nextState(
  state: State,
  { header }: SignedHeader,
  result: { readonly stateRoot: Uint8Array; readonly nextProposerAddress: Uint8Array },
  daHeight = 0,
): State {
  const named = [result.nextProposerAddress, state.nextProposerAddress].find(({ length }) => length > 0)
  return {
    version: state.version,
    chainId: state.chainId,
    initialHeight: state.initialHeight,
    lastBlockHeight: header.height,
    lastBlockTime: header.time,
    daHeight: Math.max(state.daHeight, daHeight),
    appHash: result.stateRoot,
    lastHeaderHash: headerHash(header),
    nextProposerAddress: named ?? header.proposerAddress,
  }
}
