/** Stores items while the next ones are still being checked. */
export interface Appender<H> {
  /**
   * Takes items for storing, behind those given before. Resolves when there is room for more: at once, unless
   * storing lags behind. Rejects when storing failed.
   */
  push(items: readonly H[]): Promise<void>
  /** Resolves when everything given is stored; rejects when storing failed. */
  flush(): Promise<void>
}

/** Items, and bytes by their estimate, that may wait while a batch is being stored: they make the next one. */
const MAX_ITEMS = 512
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Makes an {@link Appender} over `append`, which is never called while it runs. `sizeOf` gives the bytes of an
 * item; it is asked for some of them only.
 */
export function createAppender<H>(
  append: (items: readonly H[]) => Promise<void>,
  sizeOf: (item: H) => number,
): Appender<H> {
  let queued: H[] = []
  let bytes = 0
  let running: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined

  async function drain(): Promise<void> {
    try {
      while (queued.length > 0) {
        const batch = queued
        queued = []
        bytes = 0
        await append(batch)
      }
    } catch (error) {
      failure = { error }
    } finally {
      running = undefined
    }
  }

  /** By the first and the last: items that come together are of a kind. */
  function estimate(items: readonly H[]): number {
    const first = items[0]
    const last = items.at(-1)
    if (first === undefined || last === undefined) return 0
    return Math.max(sizeOf(first), sizeOf(last)) * items.length
  }

  function check(): void {
    if (failure !== undefined) throw failure.error
  }

  return {
    async push(items) {
      check()
      queued.push(...items)
      bytes += estimate(items)
      running ??= drain()
      if (queued.length < MAX_ITEMS && bytes < MAX_BYTES) return
      await running
      check()
    },
    async flush() {
      await running
      check()
    },
  }
}
