import type { PeerId } from '../../core/network.ts'

/** Items that follow one another, from one peer. */
export interface Piece<H> {
  /** Height of the first item. */
  readonly from: number
  readonly items: readonly H[]
  readonly peer: PeerId
  /** What holding it costs, in bytes. */
  readonly cost: number
}

/** A part of the heights: from `from` up to and without `to`. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Puts pieces that come in any order into the order of their heights. */
export class ReorderBuffer<H> {
  readonly #pieces = new Map<number, Piece<H>>()
  #cursor: number
  #front: number
  #cost = 0

  /** `from` is the height that is wanted first. */
  constructor(from: number) {
    this.#cursor = from
    this.#front = from
  }

  /** Height of the next item to be taken. */
  get cursor(): number {
    return this.#cursor
  }

  /** The lowest height that is missing. */
  get front(): number {
    return this.#front
  }

  /** What the held pieces cost together. */
  get cost(): number {
    return this.#cost
  }

  /** Adds a piece of heights that are not here yet; says whether the front moved. */
  add(piece: Piece<H>): boolean {
    this.#pieces.set(piece.from, piece)
    this.#cost += piece.cost
    const before = this.#front
    this.#advance()
    return this.#front > before
  }

  /** Removes and returns the piece at the cursor, if it is here. */
  take(): Piece<H> | undefined {
    const piece = this.#pieces.get(this.#cursor)
    if (piece === undefined) return undefined
    this.#remove(piece)
    this.#cursor += piece.items.length
    return piece
  }

  /** Throws away what came from `peer` and was not taken; the heights are missing again. */
  drop(peer: PeerId): Span[] {
    const dropped: Span[] = []
    for (const piece of this.#pieces.values()) {
      if (piece.peer !== peer) continue
      this.#remove(piece)
      dropped.push({ from: piece.from, to: piece.from + piece.items.length })
    }
    this.#front = this.#cursor
    this.#advance()
    return dropped
  }

  #advance(): void {
    let next = this.#pieces.get(this.#front)
    while (next !== undefined) {
      this.#front += next.items.length
      next = this.#pieces.get(this.#front)
    }
  }

  #remove(piece: Piece<H>): void {
    this.#pieces.delete(piece.from)
    this.#cost -= piece.cost
  }
}
