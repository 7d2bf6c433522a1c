/** Decoded items by height, the recently used of them, bounded by count and by the bytes they take. */
export interface ItemCache<H> {
  readonly size: number
  /** Bytes of the items held. */
  readonly bytes: number
  get(height: number): H | undefined
  /** Keeps an item that takes `bytes` bytes. */
  set(height: number, item: H, bytes: number): void
  delete(height: number): void
  clear(): void
}

/** The part of the room that is made free at once: to find the oldest entry of a map costs more than to drop it. */
const FREED = 1 / 8

/** Makes an {@link ItemCache} of at most `maxItems` items and `maxBytes` bytes. */
export function createItemCache<H>(maxItems: number, maxBytes: number): ItemCache<H> {
  const entries = new Map<number, { readonly item: H; readonly bytes: number }>()
  let held = 0

  function remove(height: number): void {
    held -= entries.get(height)?.bytes ?? 0
    entries.delete(height)
  }

  return {
    get size() {
      return entries.size
    },
    get bytes() {
      return held
    },
    get(height) {
      const entry = entries.get(height)
      if (entry === undefined) return undefined
      entries.delete(height)
      entries.set(height, entry)
      return entry.item
    },
    set(height, item, bytes) {
      remove(height)
      entries.set(height, { item, bytes })
      held += bytes
      if (entries.size <= maxItems && held <= maxBytes) return
      const leftItems = maxItems - Math.floor(maxItems * FREED)
      const leftBytes = maxBytes - Math.floor(maxBytes * FREED)
      for (const oldest of entries.keys()) {
        if (entries.size <= leftItems && held <= leftBytes) return
        remove(oldest)
      }
    },
    delete: remove,
    clear() {
      entries.clear()
      held = 0
    },
  }
}
