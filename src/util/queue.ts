import { abortable, type Deferred, deferred } from './async.ts'

/**
 * A first-in first-out queue of at most `capacity` items. `push` waits while it is full, `offer` refuses,
 * `take` waits while it is empty.
 */
export class BoundedQueue<T> {
  readonly capacity: number
  readonly #items: T[] = []
  readonly #takers: Deferred<void>[] = []
  readonly #pushers: Deferred<void>[] = []

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get size(): number {
    return this.#items.length
  }

  get full(): boolean {
    return this.#items.length >= this.capacity
  }

  /** Adds `item` unless the queue is full; says whether it did. */
  offer(item: T): boolean {
    if (this.full) return false
    this.#items.push(item)
    this.#takers.shift()?.resolve()
    return true
  }

  /** Adds `item`, waiting for a free place. */
  async push(item: T, signal: AbortSignal): Promise<void> {
    while (!this.offer(item)) await this.#wait(this.#pushers, signal)
  }

  /** Removes and returns the oldest item, waiting for one. */
  async take(signal: AbortSignal): Promise<T> {
    for (;;) {
      signal.throwIfAborted()
      if (this.#items.length > 0) {
        const [item] = this.#items.splice(0, 1)
        this.#pushers.shift()?.resolve()
        if (item !== undefined) return item
      }
      await this.#wait(this.#takers, signal)
    }
  }

  async #wait(waiters: Deferred<void>[], signal: AbortSignal): Promise<void> {
    const own = deferred<void>()
    waiters.push(own)
    try {
      await abortable(own.promise, signal)
    } catch (error) {
      const index = waiters.indexOf(own)
      // A wake that came together with the abort belongs to the next in line.
      if (index === -1) waiters.shift()?.resolve()
      else waiters.splice(index, 1)
      throw error
    }
  }
}
