import type { Block } from './block-store.ts'
import type { Service } from './lifecycle.ts'

/** A candidate block for a height. */
export interface HeightEvent extends Block {
  readonly height: number
  /** Where it came from: `p2p`, `da`. */
  readonly source: string
  /** The DA height at which the later half was found; undefined for blocks that did not come from DA. */
  readonly daHeight: number | undefined
  /** Header and data lie in the header and data stores already. */
  readonly stored: boolean
  /** The source proved the header's signature before it stored these bytes; counts only together with `stored`. */
  readonly proven?: boolean
  /**
   * Told when the block turned out wrong, so that the source forgets it and looks for another. No other block is
   * taken until it resolves.
   */
  rejected?(reason: unknown): Promise<void>
  /** Told when the block was let go of for want of room; nothing is wrong with it, and it may be offered again. */
  dropped?(): void
}

/** What a source feeds. */
export interface BlockSink {
  /** The height that is executed next. */
  readonly nextHeight: number
  /** Hands over a block, waiting while the queue is full. Blocks of executed heights are dropped. */
  offer(event: HeightEvent, options: { readonly signal: AbortSignal }): Promise<void>
  /** Calls `listener` with the next height after each executed block until the returned function is called. */
  onNextHeight(listener: (height: number) => void): () => void
}

/** Brings candidate blocks to a {@link BlockSink}: the stores filled by peers, or DA. */
export interface BlockSource extends Service {
  readonly name: string
}
