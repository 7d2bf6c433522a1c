import type { HeaderStore } from '../../core/header.ts'

/** Tells whether what was read from stores is still what lies in them. */
export interface Truncations {
  /** From now on: the returned function says whether nothing at or below `height` was removed since. */
  watch(height: number): () => boolean
  close(): void
}

/** Watches stores for the removal of items. */
export function createTruncations(
  stores: readonly Pick<HeaderStore<unknown>, 'height' | 'onHeight'>[],
): Truncations {
  /** Heights the stores were cut to, in order. Cuts are rare: a wrong block, a new proposer. */
  const cuts: number[] = []
  const undo = stores.map((store) => {
    let last = store.height
    return store.onHeight((height) => {
      if (height < last) cuts.push(height)
      last = height
    })
  })
  return {
    watch(height) {
      const since = cuts.length
      return () => !cuts.slice(since).some((cut) => cut < height)
    },
    close() {
      for (const detach of undo) detach()
    },
  }
}
