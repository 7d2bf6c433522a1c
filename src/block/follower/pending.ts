import type { HeightEvent } from '../../core/block-source.ts'
import { blockBytes } from '../block-bytes.ts'

/** Bounds of a {@link Pending}. */
export interface PendingOptions {
  /** Heights above the next one that are kept. */
  readonly maxAhead: number
  readonly maxBytes: number
  /** Different blocks of one height. */
  readonly maxPerHeight: number
}

/** A block that waits for its turn. */
interface Parked {
  readonly event: HeightEvent
  /** Tells blocks of one height apart: hex of the header hash. */
  readonly key: string
  /** By the proposer that is expected at its height. */
  readonly expected: boolean
  readonly bytes: number
}

/**
 * Blocks that are well formed but whose turn has not come. Bounded in heights, bytes and candidates per height:
 * what is farthest away goes first, and at one height what the expected proposer did not sign.
 */
export class Pending {
  readonly #options: PendingOptions
  readonly #heights = new Map<number, Parked[]>()
  #size = 0
  #bytes = 0

  constructor(options: PendingOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Puts a block aside while `next` is the next height. Returns those let go of, which may be the block itself. */
  park(
    event: HeightEvent,
    facts: { readonly key: string; readonly expected: boolean; readonly next: number },
  ): HeightEvent[] {
    const { key, expected, next } = facts
    if (event.height > next + this.#options.maxAhead) return [event]
    const dropped: HeightEvent[] = []
    const here = this.#heights.get(event.height) ?? []
    if (here.some((parked) => parked.key === key)) return dropped
    if (here.length >= this.#options.maxPerHeight) {
      const stranger = here.find((parked) => !parked.expected)
      if (!expected || stranger === undefined) return [event]
      this.#remove(stranger)
      dropped.push(stranger.event)
    }
    this.#add({ event, key, expected, bytes: blockBytes(event) })
    while (this.#bytes > this.#options.maxBytes) {
      const farthest = this.#farthest()
      if (farthest === undefined) break
      this.#remove(farthest)
      dropped.push(farthest.event)
    }
    return dropped
  }

  /** Removes and returns a block of a height, one of the expected proposer first. */
  take(height: number): HeightEvent | undefined {
    const here = this.#heights.get(height)
    const parked = here?.find(({ expected }) => expected) ?? here?.[0]
    if (parked === undefined) return undefined
    this.#remove(parked)
    return parked.event
  }

  /** Removes and returns all blocks of a height. */
  takeAll(height: number): HeightEvent[] {
    const here = this.#heights.get(height) ?? []
    for (const parked of here) this.#remove(parked)
    return here.map(({ event }) => event)
  }

  /** Forgets everything. */
  clear(): void {
    this.#heights.clear()
    this.#size = 0
    this.#bytes = 0
  }

  #add(parked: Parked): void {
    const here = this.#heights.get(parked.event.height)
    if (here === undefined) this.#heights.set(parked.event.height, [parked])
    else here.push(parked)
    this.#size++
    this.#bytes += parked.bytes
  }

  #remove(parked: Parked): void {
    const { height } = parked.event
    const rest = (this.#heights.get(height) ?? []).filter((other) => other !== parked)
    if (rest.length === 0) this.#heights.delete(height)
    else this.#heights.set(height, rest)
    this.#size--
    this.#bytes -= parked.bytes
  }

  #farthest(): Parked | undefined {
    let farthest: number | undefined
    for (const height of this.#heights.keys()) {
      if (farthest === undefined || height > farthest) farthest = height
    }
    const here = farthest === undefined ? undefined : this.#heights.get(farthest)
    return here?.find(({ expected }) => !expected) ?? here?.at(-1)
  }
}
