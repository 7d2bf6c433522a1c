import type { Block, BlockStore } from '../core/block-store.ts'
import type { ItemSink } from '../core/header.ts'
import type { P2PData } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'

/** What {@link createPublish} needs. */
export interface PublishDeps {
  readonly blocks: Pick<BlockStore, 'header' | 'data'>
  readonly headers: ItemSink<P2PSignedHeader>
  readonly data: ItemSink<P2PData>
  readonly initialHeight: number
}

/**
 * Makes what puts consecutive saved blocks of ours before the peers: headers, then data, each behind those that could
 * not be published before. Rejects with `FOREIGN_BLOCK` (`halt`) where another block with our signature is in the way.
 */
export function createPublish({
  blocks,
  headers,
  data,
  initialHeight,
}: PublishDeps): (made: readonly Block[], options: { readonly signal: AbortSignal }) => Promise<void> {
  async function enter<H>(
    sink: ItemSink<H>,
    height: number,
    items: readonly H[],
    missed: (height: number) => Promise<H | undefined>,
    signal: AbortSignal,
  ): Promise<void> {
    const how = { signal, broadcast: true, own: true, saved: true }
    for (let at = Math.max(sink.store().height + 1, initialHeight); at < height; at++) {
      const late = await missed(at)
      if (late !== undefined) await sink.insert([late], how)
    }
    await sink.insert(items, how)
  }

  return async (made, { signal }) => {
    const height = made[0]?.header.header.height
    if (height === undefined) return
    const [madeHeaders, madeData] = [made.map(({ header }) => header), made.map((block) => block.data)]
    try {
      await enter(headers, height, madeHeaders, async (at) => await blocks.header(at), signal)
      await enter(data, height, madeData, async (at) => await blocks.data(at), signal)
    } catch (error) {
      throw isEvolveError(error, 'CONFLICTING_ITEM') ? foreignBlock(height, error) : error
    }
  }
}

/** What is said when a block turns up that has our signature and that we did not make. */
export function foreignBlock(height: number, cause?: unknown): EvolveError {
  return new EvolveError(
    'FOREIGN_BLOCK',
    `there is a block ${height} signed with our key that this node did not make: another aggregator runs with this key, or this home is an old copy. Stop the other one, then start this one again: it follows the chain to its end first`,
    { verdict: 'halt', data: { height }, cause },
  )
}
