import type { Service } from './lifecycle.ts'

/** One change of a {@link Kv.batch}. */
export type KvOp =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

/** A part of the key space in byte order: from `gte`, below `lt`. */
export interface KvRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
  /** Highest keys first. */
  readonly reverse?: boolean
  readonly limit?: number
}

/**
 * An ordered key-value database with atomic batches. Keys and values are bytes; nobody changes them after they
 * were given. Used before start or after stop, everything rejects with `KV_CLOSED`.
 */
export interface Kv extends Service {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  /** Values in the order of the keys. */
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /**
   * All changes or none, also after a crash. With `sync` it resolves only when the changes survive a power cut,
   * and with them every batch written before.
   */
  batch(ops: readonly KvOp[], options?: { readonly sync?: boolean }): Promise<void>
  /** Entries of a range, as they were when the iteration began. */
  range(range: KvRange): AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>
  /** Keys of a range. */
  keys(range: KvRange): AsyncIterable<Uint8Array>
  /** Gives the disk back what was deleted in a range. Missing where nothing is kept of it. */
  compact?(range: Pick<KvRange, 'gte' | 'lt'>): Promise<void>
}

/** A part of a database, with keys of its own. Starting and stopping is left to whoever owns the whole. */
export interface KvPart extends Kv {
  /** The same changes as the whole database sees them, to be written in one batch with changes of other parts. */
  whole(ops: readonly KvOp[]): KvOp[]
}

/** Writes to one part of a database that are held back, so that they go into a batch of somebody else. */
export interface HeldWrites {
  /** From now on writes without `sync` are held back. */
  hold(): void
  /** What is held back, as changes of the whole database, one a key. It stays held. */
  held(): { readonly ops: readonly KvOp[]; readonly mark: number }
  /** What was held back up to a mark is written. Nothing is held back any longer; what came after the mark is written now. */
  written(mark: number): Promise<void>
}
