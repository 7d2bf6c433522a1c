import type { ItemKind } from '../../core/header.ts'

/**
 * Admitted items that cannot be stored yet because others below them are missing. In ascending order, one a
 * height; bounded, and what is furthest from being stored leaves first.
 */
export interface PendingItems<H> {
  readonly size: number
  /** Encoded bytes of all. */
  readonly bytes: number
  /** Height of the highest; 0 when there is none. */
  readonly highest: number
  at(height: number): H | undefined
  /** The highest item below a height. */
  below(height: number): H | undefined
  /** The lowest height at or above `height` whose item may fit onto the chain. */
  next(height: number): number | undefined
  /** Items from `height` on without gap, at most `limit`, that may fit onto the chain. */
  run(height: number, limit: number): H[]
  /** Keeps an item, unless its height is taken or there is no room below what is kept; says whether it did. */
  add(item: H): boolean
  /** An item turned out not to link to the chain below it: it only waits to be compared with the one that does. */
  misfit(height: number): void
  /** Removes and returns what is at or below a height. */
  take(height: number): H[]
  clear(): void
}

interface Entry<H> {
  readonly height: number
  readonly item: H
  readonly bytes: number
  fits: boolean
}

/** Makes {@link PendingItems} of at most `maxItems` items and `maxBytes` encoded bytes. */
export function createPendingItems<H>(
  kind: ItemKind<H>,
  { maxItems, maxBytes }: { readonly maxItems: number; readonly maxBytes: number },
): PendingItems<H> {
  const entries: Entry<H>[] = []
  let held = 0

  /** Index of the first entry at or above a height. */
  function indexOf(height: number): number {
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((entries[middle]?.height ?? 0) < height) low = middle + 1
      else high = middle
    }
    return low
  }

  return {
    get size() {
      return entries.length
    },
    get bytes() {
      return held
    },
    get highest() {
      return entries.at(-1)?.height ?? 0
    },
    at(height) {
      const entry = entries[indexOf(height)]
      return entry?.height === height ? entry.item : undefined
    },
    below: (height) => entries[indexOf(height) - 1]?.item,
    next: (height) => entries.slice(indexOf(height)).find(({ fits }) => fits)?.height,
    run(height, limit) {
      const items: H[] = []
      for (let index = indexOf(height); items.length < limit; index++) {
        const entry = entries[index]
        if (entry === undefined || !entry.fits || entry.height !== height + items.length) break
        items.push(entry.item)
      }
      return items
    },
    add(item) {
      const height = kind.height(item)
      const index = indexOf(height)
      if (entries[index]?.height === height) return false
      const bytes = kind.encode(item).length
      entries.splice(index, 0, { height, item, bytes, fits: true })
      held += bytes
      let kept = true
      while (entries.length > maxItems || held > maxBytes) {
        const furthest = entries.pop()
        if (furthest === undefined) break
        held -= furthest.bytes
        if (furthest.height === height) kept = false
      }
      return kept
    },
    misfit(height) {
      const entry = entries[indexOf(height)]
      if (entry?.height === height) entry.fits = false
    },
    take(height) {
      const taken = entries.splice(0, indexOf(height + 1))
      for (const { bytes } of taken) held -= bytes
      return taken.map(({ item }) => item)
    },
    clear() {
      entries.length = 0
      held = 0
    },
  }
}
