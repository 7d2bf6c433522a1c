import { abortable, type Deferred, deferred } from '../../util/async.ts'

/** Those who wait for items by height. */
export interface HeightSub<H> {
  /** Heights somebody waits for. */
  readonly size: number
  /** Resolves with the item delivered for `height`, or rejects with the signal's reason. */
  wait(height: number, signal: AbortSignal): Promise<H>
  /** Hands consecutive items, the first at `from`, to whoever waits for them. */
  deliver(from: number, items: readonly H[]): void
  /** Ends all waiting with `reason`. */
  close(reason: unknown): void
}

/** Makes a {@link HeightSub}. */
export function createHeightSub<H>(): HeightSub<H> {
  const waiting = new Map<number, Set<Deferred<H>>>()

  function settle(height: number, how: (waiter: Deferred<H>) => void): void {
    const waiters = waiting.get(height)
    if (waiters === undefined) return
    waiting.delete(height)
    for (const waiter of waiters) how(waiter)
  }

  return {
    get size() {
      return waiting.size
    },
    async wait(height, signal) {
      const own = deferred<H>()
      const waiters = waiting.get(height) ?? new Set()
      waiting.set(height, waiters.add(own))
      try {
        return await abortable(own.promise, signal)
      } finally {
        waiters.delete(own)
        if (waiters.size === 0 && waiting.get(height) === waiters) waiting.delete(height)
      }
    },
    deliver(from, items) {
      if (waiting.size === 0) return
      for (const [index, item] of items.entries()) settle(from + index, ({ resolve }) => resolve(item))
    },
    close(reason) {
      for (const height of waiting.keys()) settle(height, ({ reject }) => reject(reason))
    },
  }
}
