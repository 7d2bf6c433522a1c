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

/** Items and pieces that may wait while a batch is being stored: they make the next one. */
const MAX_ITEMS = 1024
const MAX_PIECES = 8

/** Makes an {@link Appender} over `append`, which is never called while it runs. */
export function createAppender<H>(append: (items: readonly H[]) => Promise<void>): Appender<H> {
  let queued: H[] = []
  let pieces = 0
  let running: Promise<void> | undefined
  let failure: { readonly error: unknown } | undefined

  async function drain(): Promise<void> {
    try {
      while (queued.length > 0) {
        const batch = queued
        queued = []
        pieces = 0
        await append(batch)
      }
    } catch (error) {
      failure = { error }
    } finally {
      running = undefined
    }
  }

  function check(): void {
    if (failure !== undefined) throw failure.error
  }

  return {
    async push(items) {
      check()
      queued.push(...items)
      pieces++
      running ??= drain()
      if (queued.length < MAX_ITEMS && pieces < MAX_PIECES) return
      await running
      check()
    },
    async flush() {
      await running
      check()
    },
  }
}
