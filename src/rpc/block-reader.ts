import type { Block } from '../core/block-store.ts'
import type { NodeView } from '../core/node-view.ts'
import { EvolveError } from '../util/errors.ts'
import type { SummaryParts } from './messages.ts'

/** Reads blocks for those who ask from outside. */
export interface BlockReader {
  /** Height of the last executed block; one below the first when there is none. */
  latest(): Promise<number>
  /** A block. Rejects with `BLOCK_PRUNED` or `BLOCK_NOT_FOUND`, both with `data.nextHeight` where one is known. */
  block(height: number): Promise<Block>
  /** A block with what is known beside it; rejects as `block`. */
  whole(height: number): Promise<SummaryParts>
  /** The height that is meant: 0 stands for the latest. Rejects with `BLOCK_NOT_FOUND` when there is no block yet. */
  resolve(height: number): Promise<number>
  /** Why there is no block at a height. */
  missing(height: number): EvolveError
}

/** Makes a {@link BlockReader}. */
export function createBlockReader(node: NodeView): BlockReader {
  const { blocks, genesis } = node

  function missing(height: number): EvolveError {
    const { height: latest, earliestHeight } = node.status()
    if (height < genesis.initialHeight) {
      return new EvolveError(
        'BLOCK_NOT_FOUND',
        `the chain begins with block ${genesis.initialHeight}, asked was ${height}`,
        { data: { height, nextHeight: genesis.initialHeight } },
      )
    }
    if (height < earliestHeight) {
      return new EvolveError(
        'BLOCK_PRUNED',
        `this node keeps blocks from ${earliestHeight} on, asked was ${height}`,
        { data: { height, nextHeight: earliestHeight } },
      )
    }
    return new EvolveError('BLOCK_NOT_FOUND', `there is no block ${height}; the latest is ${latest}`, {
      data: { height },
    })
  }

  async function block(height: number): Promise<Block> {
    const found = await blocks.block(height)
    if (found === undefined) throw missing(height)
    return found
  }

  return {
    latest: async () => await blocks.height(),
    block,
    missing,
    async whole(height) {
      const [{ header, data }, state, inclusion] = await Promise.all([
        block(height),
        blocks.stateAt(height),
        blocks.inclusionOf(height),
      ])
      return { header, data, stateRoot: state?.appHash, inclusion }
    },
    async resolve(height) {
      if (height > 0) return height
      const latest = await blocks.height()
      if (latest >= genesis.initialHeight) return latest
      throw new EvolveError('BLOCK_NOT_FOUND', 'there is no block yet')
    },
  }
}
