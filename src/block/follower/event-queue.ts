import type { HeightEvent } from '../../core/block-source.ts'
import { abortable, type Deferred, deferred } from '../../util/async.ts'
import { blockBytes } from '../block-bytes.ts'

/**
 * Events on their way to the consumer, first in first out, bounded in number and bytes. `push` waits while it is
 * full; one event is always taken, however large. Once closed it hands out what it holds and takes nothing more.
 */
export class EventQueue {
  readonly #limit: number
  readonly #maxBytes: number
  readonly #items: HeightEvent[] = []
  #bytes = 0
  #closed: Error | undefined
  #taker: Deferred<void> | undefined
  readonly #pushers: Deferred<void>[] = []

  constructor(limit: number, maxBytes: number) {
    this.#limit = limit
    this.#maxBytes = maxBytes
  }

  get size(): number {
    return this.#items.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Adds an event, waiting for room. Rejects with the closing error, or the signal's reason. */
  async push(event: HeightEvent, signal: AbortSignal): Promise<void> {
    const bytes = blockBytes(event)
    signal.throwIfAborted()
    // Who waits already goes first.
    let turn = this.#pushers.length === 0
    while (this.#closed === undefined && !(turn && this.#hasRoom(bytes))) {
      await this.#waitForRoom(signal)
      turn = true
    }
    if (this.#closed !== undefined) throw this.#closed
    this.#items.push(event)
    this.#bytes += bytes
    this.#taker?.resolve()
    // Room may be left for the next in line.
    this.#pushers.shift()?.resolve()
  }

  /** Removes the oldest event if there is one. */
  poll(): HeightEvent | undefined {
    const event = this.#items.shift()
    if (event === undefined) return undefined
    this.#bytes -= blockBytes(event)
    this.#pushers.shift()?.resolve()
    return event
  }

  /** Removes the oldest event, waiting for one; undefined once closed and empty. For one consumer. */
  async take(signal: AbortSignal): Promise<HeightEvent | undefined> {
    for (;;) {
      signal.throwIfAborted()
      const event = this.poll()
      if (event !== undefined) return event
      if (this.#closed !== undefined) return undefined
      this.#taker = deferred()
      try {
        await abortable(this.#taker.promise, signal)
      } finally {
        this.#taker = undefined
      }
    }
  }

  /** Takes nothing more; whoever waits for room is rejected with `error`. */
  close(error: Error): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#taker?.resolve()
    for (const pusher of this.#pushers.splice(0)) pusher.resolve()
  }

  #hasRoom(bytes: number): boolean {
    return this.size === 0 || (this.size < this.#limit && this.#bytes + bytes <= this.#maxBytes)
  }

  async #waitForRoom(signal: AbortSignal): Promise<void> {
    const own = deferred<void>()
    this.#pushers.push(own)
    try {
      await abortable(own.promise, signal)
      signal.throwIfAborted()
    } catch (error) {
      const index = this.#pushers.indexOf(own)
      // A wake that came together with the abort belongs to the next in line.
      if (index === -1) this.#pushers.shift()?.resolve()
      else this.#pushers.splice(index, 1)
      throw error
    }
  }
}
