/** An entry of the state that changes; undefined where there is none before or after. */
export interface EntryChange {
  readonly key: Uint8Array
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array | undefined
}

/** What a state root is computed from. Never changes: a change gives another one. */
export interface Commitment {
  readonly root: Uint8Array
  /** The commitment to the entries after `changes`, each of another key. */
  after(changes: readonly EntryChange[]): Commitment
  /** Bytes from which it can be made again; undefined when the entries alone are enough. */
  readonly record: Uint8Array | undefined
}

/** A way to commit to entries. */
export interface CommitmentKind {
  /** The commitment to no entries. */
  readonly empty: Commitment
  /** Makes the commitment again from its record and the entries, which come in byte order of their keys. */
  load(
    record: Uint8Array | undefined,
    entries: AsyncIterable<readonly [key: Uint8Array, value: Uint8Array]>,
  ): Promise<Commitment>
}
