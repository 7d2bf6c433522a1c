/*
 * The contracts of header synchronisation, for any kind of item H: what go-header's interface.go is for Go.
 */
import type { PeerId } from './network.ts'
import type { Service } from './lifecycle.ts'

/**
 * What the header library must know of an item type H. All functions are pure. Decode and the checks throw an
 * EvolveError and nothing else.
 */
export interface ItemKind<H> {
  /** `headerSync` or `dataSync`: part of protocol and topic names. */
  readonly name: string
  chainId(item: H): string
  /** Height, from 1. */
  height(item: H): number
  /** Unix nanoseconds. */
  time(item: H): bigint
  hash(item: H): Uint8Array
  /** Bytes as they travel between peers and lie in the store. */
  encode(item: H): Uint8Array
  decode(bytes: Uint8Array): H
  /** Bytes of memory that a decoded item takes, roughly; about as many as it has encoded when left out. */
  memory?(item: H): number
  /** What can be said of an item alone: well formed, signed by its own signer. */
  validate(item: H): void
  /**
   * As `validate` of each, off the caller's thread where that pays: how many at the front are good, and what is wrong
   * with the next. The items are looked at before it returns its promise; rejects never. Where it is missing, `validate`
   * is called.
   */
  validateAll?(items: readonly H[]): Promise<{ readonly good: number; readonly error?: unknown }>
  /** Whether `untrusted` links to `trusted`, the item right below it. Only called for adjacent items. */
  verifyAdjacent(trusted: H, untrusted: H): void
  /**
   * What can be said of `untrusted` from a trusted item further below it, if anything. A failure is soft: it proves
   * nothing, and the items between are asked for.
   */
  verifyNonAdjacent?(trusted: H, untrusted: H): void
}

/**
 * Decides whether items may enter, beyond what they say of themselves (proven proposer, a header that vouches).
 * `items` ascend without gap; `previous` is the stored item below the first, if there is one. Returns nothing
 * when all are admitted; otherwise throws an EvolveError whose verdict says how to treat it: `ignore` when it
 * cannot be judged yet, `reject` when it is wrong. `data.admitted` (number) tells how many at the front are good.
 */
export type Admit<H> = (
  items: readonly H[],
  previous: H | undefined,
  options: { readonly signal: AbortSignal },
) => Promise<void>

/** Items by height without gaps from tail to head, on disk. */
export interface HeaderStore<H> extends Service {
  /** Height of the head; 0 when empty. */
  readonly height: number
  /** Height of the lowest item; 0 when empty. */
  readonly tailHeight: number
  head(): Promise<H | undefined>
  tail(): Promise<H | undefined>
  get(hash: Uint8Array): Promise<H | undefined>
  /** The item at a height, or undefined at once if it is not there. */
  at(height: number): Promise<H | undefined>
  /** The item at a height, waiting until it is appended. Rejects with the signal's reason when aborted. */
  waitFor(height: number, options: { readonly signal: AbortSignal }): Promise<H>
  /** Items from `from` up to and without `to`: the part without gap that is there. */
  range(from: number, to: number): Promise<H[]>
  /**
   * As `range`, but the stored bytes. With `maxBytes` it stops after the item that brings the sum of the bytes to
   * that or above: never more than one item too many is read.
   */
  rangeBytes(from: number, to: number, options?: { readonly maxBytes: number }): Promise<Uint8Array[]>
  has(hash: Uint8Array): Promise<boolean>
  /**
   * Adds items that ascend without gap. The first call on an empty store sets the tail; later ones must begin at
   * or below head + 1: `NON_ADJACENT_APPEND` otherwise. Items that are there already are passed over; a different
   * item at a stored height is refused with `CONFLICTING_ITEM`. When it resolves they survive the end of the
   * process, and a power cut once anything that was written later survives it. With `saved` they lie under their heights
   * in the same database already: they are not written again, and belong to the store.
   */
  append(items: readonly H[], options?: { readonly saved?: boolean }): Promise<void>
  /** Removes everything above `height`. */
  truncate(height: number): Promise<void>
  /** Removes everything up to `height`, but never the head: the tail moves up. */
  prune(height: number): Promise<void>
  /** Calls `listener` with the new height after each append and truncate until the returned function is called. */
  onHeight(listener: (height: number) => void): () => void
}

/** A store that takes items which did not come from peers. */
export interface ItemSink<H> {
  /** What is in it, proven. */
  store(): HeaderStore<H>
  /**
   * Stores items that ascend without gap and continue the store: validated, linked and admitted as if peers had sent
   * them. Those that are there already are passed over; a different one at a stored height is `CONFLICTING_ITEM`
   * (`ignore`). With `broadcast` what is new is handed to the peers too; with `own` we made them, and their time is not
   * compared with our clock; with `saved` they lie in the database already, saved with their blocks; with `validated` each
   * passed {@link ItemKind.validate} since it was decoded, and does not again. Rejects with what
   * validation or admission says; what is good in front of a wrong item is stored all the same.
   */
  insert(
    items: readonly H[],
    options: {
      readonly signal: AbortSignal
      readonly broadcast: boolean
      readonly own?: boolean
      readonly saved?: boolean
      readonly validated?: boolean
    },
  ): Promise<void>
}

/** Options of an {@link Exchange} call. */
export interface ExchangeOptions {
  readonly signal: AbortSignal
}

/** Asks peers for items. */
export interface Exchange<H> extends Service {
  /**
   * The peers' head: equal answers of a quorum, or the highest that passes `check`. undefined when nobody has one.
   */
  head(options: ExchangeOptions): Promise<H | undefined>
  get(hash: Uint8Array, options: ExchangeOptions): Promise<H>
  at(height: number, options: ExchangeOptions): Promise<H>
  /**
   * Items from `from` up to and without `to`, in order, in pieces as they become available: each piece continues
   * the one before. Each item decodes and has the asked height and our chain id; whoever takes it validates it and
   * blames the piece if it is wrong. Ends early (without error) where the peers' chain ends. Rejects with `NO_PEERS` when nobody is left to ask.
   */
  range(from: number, to: number, options: ExchangeOptions): AsyncIterable<FetchedRange<H>>
}

/** A piece of a fetched range, and who answered it. */
export interface FetchedRange<H> {
  readonly items: readonly H[]
  readonly peer: PeerId | undefined
  /** Tells the exchange that the items were wrong: the peer is penalised. The range must be asked again. */
  blame(reason: unknown): void
  /**
   * Tells the exchange, if it wants to know, that the items could not be judged: nobody is punished, but others
   * should be asked first for a while.
   */
  doubt?(reason: unknown): void
}

/** What the subscriber's verifier says by returning (accept) or throwing an EvolveError (by its verdict). */
export type GossipVerifier<H> = (
  item: H,
  context: { readonly from: PeerId; readonly signal: AbortSignal },
) => Promise<void>

/** New items by gossip. */
export interface Subscriber<H> extends Service {
  /** Sets what judges incoming items. Once only; messages that come before it wait. */
  setVerifier(verifier: GossipVerifier<H>): void
  /** Hands an item to the peers of the topic. Rejects with `BROADCAST_FAILED`. */
  broadcast(item: H): Promise<void>
}

/** Where a sync run stands. */
export interface SyncState {
  /** Counts runs, from 1; 0 before the first. */
  readonly id: number
  readonly fromHeight: number
  readonly toHeight: number
  /** Height of the store. */
  readonly height: number
  /** Unix nanoseconds, 0n when not yet. */
  readonly start: bigint
  readonly end: bigint
  readonly error: unknown
}
