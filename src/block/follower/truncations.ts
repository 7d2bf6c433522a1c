/** A store as far as this goes. */
interface Shrinking {
  readonly height: number
  onHeight(listener: (height: number) => void): () => void
}

/** Tells whether what was read from stores still lies in them, as far as truncation goes. */
export interface Truncations {
  /** This moment, to be taken before reading. */
  mark(): number
  /** Whether nothing at `height` was removed since `mark`. When that is too long ago to know: false. */
  holds(mark: number, height: number): boolean
  /** Watches no longer. */
  close(): void
}

/** Truncations that are remembered. */
const REMEMBERED = 64

/** Makes {@link Truncations} of some stores. */
export function createTruncations(stores: readonly Shrinking[]): Truncations {
  /** Heights above which everything was removed; the last one has number `count`. */
  const kept: number[] = []
  let count = 0
  const undo = stores.map((store) => {
    let last = store.height
    return store.onHeight((height) => {
      if (height < last) {
        count++
        kept.push(height)
        if (kept.length > REMEMBERED) kept.shift()
      }
      last = height
    })
  })
  return {
    mark: () => count,
    holds(mark, height) {
      const since = count - mark
      if (since === 0) return true
      return since <= kept.length && kept.slice(-since).every((removedAbove) => height <= removedAbove)
    },
    close() {
      for (const stop of undo) stop()
    },
  }
}
