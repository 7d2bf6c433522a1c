/** A transaction that waits. */
export interface Entry {
  readonly tx: Uint8Array
  /** By which it is told from others: `sha256Name`. */
  readonly name: string
}

/** Places that entries have left are given back once there are this many, and more than half are such. */
const COMPACT_FROM = 1_024

/** A list of which the first leave and behind which others come, both in constant time. */
class Line<T> {
  #items: T[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  at(index: number): T | undefined {
    return this.#items[this.#head + index]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  toArray(): T[] {
    return this.#items.slice(this.#head)
  }

  drop(count: number): void {
    this.#head += count
    if (this.#head < COMPACT_FROM || this.#head * 2 < this.#items.length) return
    this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }
}

/**
 * What waits, as memory knows it: transactions numbered one by one, without gap, and the records that hold them, each
 * known by the number of its first. Numbers only grow, also over restarts: one that has left names nothing else later.
 */
export class TxQueue {
  readonly #entries = new Line<Entry>()
  readonly #names = new Set<string>()
  readonly #records = new Line<number>()
  #done: number
  #settledHeight: number
  #bytes = 0

  constructor(done: number, settledHeight: number) {
    this.#done = done
    this.#settledHeight = settledHeight
  }

  get size(): number {
    return this.#entries.length
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Number of the last transaction that has left; 0 before the first. */
  get done(): number {
    return this.#done
  }

  /** Height of the last block whose transactions have left; 0 before the first. */
  get settledHeight(): number {
    return this.#settledHeight
  }

  /** Number of the last that waits; {@link TxQueue.done} when none does. */
  get last(): number {
    return this.#done + this.#entries.length
  }

  has(name: string): boolean {
    return this.#names.has(name)
  }

  /** The transaction with a number; undefined when none that waits has it. */
  at(number: number): Uint8Array | undefined {
    return number <= this.#done ? undefined : this.#entries.at(number - this.#done - 1)?.tx
  }

  /** All that wait, in order. */
  waiting(): Entry[] {
    return this.#entries.toArray()
  }

  /** Adds the transactions of one record, the first of which has the number `first`; those that have left are skipped. */
  append(first: number, entries: readonly Entry[]): void {
    this.#records.push(first)
    for (const entry of entries.slice(this.last + 1 - first)) {
      this.#entries.push(entry)
      this.#names.add(entry.name)
      this.#bytes += entry.tx.length
    }
  }

  /** First numbers of the records all of whose transactions have a number up to `upTo`. */
  recordsUpTo(upTo: number): number[] {
    const firsts: number[] = []
    for (let index = 0; ; index++) {
      const first = this.#records.at(index)
      const end = (this.#records.at(index + 1) ?? this.last + 1) - 1
      if (first === undefined || end > upTo) return firsts
      firsts.push(first)
    }
  }

  /** Takes out everything up to `upTo`, for the block of `height`. */
  leave(upTo: number, height: number): void {
    this.#settledHeight = height
    const count = Math.min(upTo, this.last) - this.#done
    if (count <= 0) return
    this.#records.drop(this.recordsUpTo(upTo).length)
    for (let index = 0; index < count; index++) {
      const entry = this.#entries.at(index)
      if (entry === undefined) break
      this.#names.delete(entry.name)
      this.#bytes -= entry.tx.length
    }
    this.#entries.drop(count)
    this.#done += count
  }
}
