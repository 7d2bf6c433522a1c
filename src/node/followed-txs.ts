import { sha256Name } from '#crypto'
import type { BlockStore } from '../core/block-store.ts'
import type { Sequencer } from '../core/sequencer.ts'

/** Most transactions of blocks that are held in memory at once. */
const MAX_NAMES = 100_000
/** Most blocks that are looked at before the progress is written down. */
const MAX_BLOCKS = 10_000

/**
 * Takes out of the queue what came to rest in blocks that the node followed rather than made: after an old copy of the
 * database was put back, say. To be called between the end of following, at height `tip`, and the first block of ours.
 * Resolves with how many transactions left. When it is cut short, the next call goes on where this one was.
 */
export async function dropFollowedTxs(
  { sequencer, blocks }: { readonly sequencer: Sequencer; readonly blocks: Pick<BlockStore, 'data'> },
  { initialHeight, tip }: { readonly initialHeight: number; readonly tip: number },
  { signal }: { readonly signal: AbortSignal },
): Promise<number> {
  let dropped = 0
  while (sequencer.settledHeight < tip) {
    signal.throwIfAborted()
    const names = new Set<string>()
    let height = Math.max(sequencer.settledHeight, initialHeight - 1)
    // With nothing waiting there is nothing to look for.
    const to = sequencer.size === 0 ? height : Math.min(tip, height + MAX_BLOCKS)
    while (height < to && names.size < MAX_NAMES) {
      signal.throwIfAborted()
      height++
      for (const tx of (await blocks.data(height))?.txs ?? []) names.add(sha256Name(tx))
    }
    const reached = sequencer.size === 0 ? tip : height
    dropped += await sequencer.drop((tx) => names.has(sha256Name(tx)), reached, { signal })
  }
  return dropped
}
