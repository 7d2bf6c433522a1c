import type { Data } from '../types/data.ts'
import type { SignedHeader } from '../types/header.ts'
import type { State } from '../types/state.ts'
import type { KvOp } from './kv.ts'

/** A whole block. */
export interface Block {
  readonly header: SignedHeader
  readonly data: Data
}

/** A block to be saved with the state after it. */
export interface BlockSave extends Block {
  readonly state: State
  /** Header and data lie in the header and data stores already, byte for byte. */
  readonly stored: boolean
}

/** Where the halves of a block were found on DA. */
export interface BlockInclusion {
  readonly height: number
  /** DA height that holds this very header. */
  readonly headerDaHeight: number
  /** DA height that holds this very data; that of the header for data without transactions, which is not posted. */
  readonly dataDaHeight: number
}

/** Executed blocks and the states after them. */
export interface BlockStore {
  /** Height of the last saved block; `initialHeight - 1` before the first, 0 before {@link BlockStore.saveState}. */
  height(): Promise<number>
  header(height: number): Promise<SignedHeader | undefined>
  data(height: number): Promise<Data | undefined>
  block(height: number): Promise<Block | undefined>
  /** Height of the block whose header has this hash. */
  heightOf(headerHash: Uint8Array): Promise<number | undefined>
  /** State after the last saved block. */
  state(): Promise<State | undefined>
  stateAt(height: number): Promise<State | undefined>
  /** Saves the state before the first block. */
  saveState(state: State): Promise<void>
  /**
   * Saves consecutive blocks, each with its state, indexes and height: all in one atomic, durable batch, together
   * with changes of other parts of the same database.
   */
  saveBlocks(blocks: readonly BlockSave[], options?: { readonly alongside?: readonly KvOp[] }): Promise<void>
  /** Highest final height: it and all below it are on DA, both halves. One below the initial height when there is none. */
  daIncludedHeight(): Promise<number>
  /** Where the halves of a final block are on DA. */
  inclusionOf(height: number): Promise<BlockInclusion | undefined>
  /**
   * Makes consecutive blocks above {@link BlockStore.daIncludedHeight} final, with changes of other parts: one
   * atomic, durable batch. From then on their headers and data carry the DA height as their hint.
   */
  saveInclusion(
    blocks: readonly BlockInclusion[],
    options?: { readonly alongside?: readonly KvOp[] },
  ): Promise<void>
  metadata(key: string): Promise<Uint8Array | undefined>
  saveMetadata(key: string, value: Uint8Array): Promise<void>
}
