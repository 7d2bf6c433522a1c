import { sha256Name } from '#crypto'

/** A transaction in the executor's list. */
export interface ListedTx {
  readonly name: string
  readonly tx: Uint8Array
  /** It is with the sequencer, or was refused by it: not to be handed over again while it is listed. */
  handed: boolean
  /** The last list that held it. */
  seenIn: number
  /** Whether it is among those remembered. */
  remembered: boolean
}

/**
 * Which transactions of an executor's list are new: each stay in the list counts once. One that is committed, or is
 * gone from the list, counts again when it is there later.
 *
 * An executor that keeps giving the same arrays for the same transactions is cheap to follow: each is hashed once.
 */
export class ListedTxs {
  readonly #limit: number
  readonly #byName = new Map<string, ListedTx>()
  readonly #byBytes = new WeakMap<Uint8Array, ListedTx>()
  /** Committed since the list was asked for; undefined while none is looked at. */
  #committed: Set<string> | undefined
  #overflown = false
  #list = 0

  /** Remembers at most `limit` transactions; those behind them in the list wait until others have left it. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#byName.size
  }

  /** A list is asked for: what is committed from now on may still be in it. */
  begin(): void {
    this.#committed = new Set()
    this.#overflown = false
  }

  /** The list is dealt with. */
  end(): void {
    this.#committed = undefined
  }

  /** The new ones of the list that was asked for, in its order. */
  fresh(txs: readonly Uint8Array[]): ListedTx[] {
    const found: ListedTx[] = []
    if (this.#overflown) return found
    const list = ++this.#list
    let listed = 0
    for (const tx of txs) {
      const one = this.#entry(tx)
      if (one === undefined || one.seenIn === list) continue
      one.seenIn = list
      listed++
      if (!one.handed) found.push(one)
    }
    if (listed < this.#byName.size) {
      for (const one of this.#byName.values()) if (one.seenIn !== list) this.#forget(one)
    }
    return found
  }

  /** Whether it was committed after the list was asked for. */
  isCommitted({ name }: ListedTx): boolean {
    return this.#overflown || this.#committed?.has(name) === true
  }

  committed(txs: readonly Uint8Array[]): void {
    for (const tx of txs) {
      const name = this.#byBytes.get(tx)?.name ?? sha256Name(tx)
      const one = this.#byName.get(name)
      if (one !== undefined) this.#forget(one)
      if (this.#committed === undefined) continue
      if (this.#committed.size < this.#limit) this.#committed.add(name)
      else this.#overflown = true
    }
  }

  #entry(tx: Uint8Array): ListedTx | undefined {
    const known = this.#byBytes.get(tx)
    if (known?.remembered === true) return known
    const name = known?.name ?? sha256Name(tx)
    const same = this.#byName.get(name)
    const isNew = same === undefined
    if (isNew && (this.#committed?.has(name) === true || this.#byName.size >= this.#limit)) return undefined
    const one = same ?? { name, tx, handed: false, seenIn: 0, remembered: true }
    this.#byName.set(name, one)
    this.#byBytes.set(tx, one)
    return one
  }

  #forget(one: ListedTx): void {
    one.remembered = false
    this.#byName.delete(one.name)
  }
}
