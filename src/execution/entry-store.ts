/*
 * How an embedded executor keeps its entries: by key, with what is needed to go back block by block. Everything a
 * block changes is written in one batch. Nothing is synced: what a power cut takes is executed again from the
 * stored blocks.
 */
import type { Kv, KvOp } from '../core/kv.ts'
import { concatBytes, EMPTY_BYTES, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { WireReader, WireWriter } from '../util/wire.ts'
import type { EntryChange } from './commitment.ts'

/** First bytes of the keys. */
const PREFIX = { entry: 0x65, undo: 0x75 } as const

const GENESIS_KEY = utf8('genesis')
const HEIGHT_KEY = utf8('height')
const FINAL_KEY = utf8('final')
const COMMITMENT_KEY = utf8('commitment')

/** What an entry was before a block; undefined when there was none. */
export type Undo = Pick<EntryChange, 'key' | 'before'>

/** What lies in the database beside the entries. */
export interface StoredHead {
  /** Bytes of the genesis that was initialised; undefined before. */
  readonly genesis: Uint8Array | undefined
  /** Height of the last executed block, or the one below the first. */
  readonly height: number
  /** Highest height that is final; 0 when none. */
  readonly final: number
  readonly commitment: Uint8Array | undefined
  /** Lowest height whose undo record is kept; `height + 1` when none is. */
  readonly oldestUndo: number
}

/** Reads what lies beside the entries. Throws `STORE_CORRUPT`, also when the record of a block is missing. */
export async function readHead(kv: Kv): Promise<StoredHead> {
  const [genesis, height, final, commitment] = await kv.getMany([
    GENESIS_KEY,
    HEIGHT_KEY,
    FINAL_KEY,
    COMMITMENT_KEY,
  ])
  const last = readHeight(height)
  return {
    genesis,
    height: last,
    final: readHeight(final),
    commitment,
    oldestUndo: await oldestUndo(kv, last),
  }
}

async function oldestUndo(kv: Kv, height: number): Promise<number> {
  let oldest = height + 1
  for await (const key of kv.keys({ ...prefixRange(PREFIX.undo), reverse: true })) {
    if (readHeight(key.subarray(1)) !== oldest - 1) {
      throw corrupt(`lack the block of height ${oldest - 1}, but have one below or above it`)
    }
    oldest--
  }
  return oldest
}

function prefixRange(prefix: number): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  return { gte: Uint8Array.of(prefix), lt: Uint8Array.of(prefix + 1) }
}

function readHeight(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return 0
  const height =
    bytes.length === 8 ? new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0) : undefined
  if (height !== undefined && height <= Number.MAX_SAFE_INTEGER) return Number(height)
  throw corrupt('have a height that is none')
}

/** The error of executor records that cannot have been written by one. */
export function corrupt(what: string, cause?: unknown): EvolveError {
  return new EvolveError(
    'STORE_CORRUPT',
    `the executor's records ${what}: remove them, and the stored blocks will be executed again`,
    { cause, verdict: 'halt' },
  )
}

function entryKey(key: Uint8Array): Uint8Array {
  return concatBytes(Uint8Array.of(PREFIX.entry), key)
}

function undoKey(height: number): Uint8Array {
  return concatBytes(Uint8Array.of(PREFIX.undo), uint64BigEndian(height))
}

/** Values of entries, in the order of the keys. */
export async function readEntries(kv: Kv, keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
  return keys.length === 0 ? [] : await kv.getMany(keys.map(entryKey))
}

/** All entries in byte order of their keys. */
export async function* allEntries(
  kv: Kv,
): AsyncGenerator<readonly [key: Uint8Array, value: Uint8Array], void> {
  for await (const [key, value] of kv.range(prefixRange(PREFIX.entry))) yield [key.subarray(1), value]
}

/** What a height changed. Throws `STORE_CORRUPT` when that is not kept or unreadable. */
export async function readUndo(kv: Kv, height: number): Promise<Undo[]> {
  const bytes = await kv.get(undoKey(height))
  if (bytes === undefined) throw corrupt(`lack the block of height ${height}`)
  try {
    return decodeUndo(bytes)
  } catch (error) {
    throw corrupt(`have an unreadable block of height ${height}`, error)
  }
}

/** Message: repeated field 1 { 1: key, 2: what it was, absent when there was none }. */
function encodeUndo(undo: readonly Undo[]): Uint8Array {
  const writer = new WireWriter()
  for (const { key, before } of undo) {
    const entry = new WireWriter().presentBytes(1, key)
    if (before !== undefined) entry.presentBytes(2, before)
    writer.presentBytes(1, entry.finish())
  }
  return writer.finish()
}

function decodeUndo(bytes: Uint8Array): Undo[] {
  const undo: Undo[] = []
  const reader = new WireReader(bytes)
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    undo.push(decodeUndoEntry(reader.bytes(field, 'entry')))
  }
  return undo
}

function decodeUndoEntry(bytes: Uint8Array): Undo {
  const reader = new WireReader(bytes)
  let key: Uint8Array = EMPTY_BYTES
  let before: Uint8Array | undefined
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 1) key = reader.bytes(field, 'key').slice()
    else before = reader.bytes(field, 'before').slice()
  }
  return { key, before }
}

/** Changes of the entries. */
export function entryOps(changes: readonly EntryChange[]): KvOp[] {
  return changes.map(({ key, after }) =>
    after === undefined
      ? { type: 'del', key: entryKey(key) }
      : { type: 'put', key: entryKey(key), value: after },
  )
}

/** Keeps what is needed to go back from `height`. */
export function undoOp(height: number, undo: readonly Undo[]): KvOp {
  return { type: 'put', key: undoKey(height), value: encodeUndo(undo) }
}

/** Drops what is needed to go back from heights `from` up to and without `to`. */
export function forgetOps(from: number, to: number): KvOp[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => ({ type: 'del', key: undoKey(from + i) }))
}

/** Sets the height of the last executed block. */
export function heightOp(height: number): KvOp {
  return { type: 'put', key: HEIGHT_KEY, value: uint64BigEndian(height) }
}

/** Sets the highest final height. */
export function finalOp(height: number): KvOp {
  return { type: 'put', key: FINAL_KEY, value: uint64BigEndian(height) }
}

/** Keeps the genesis. */
export function genesisOp(genesis: Uint8Array): KvOp {
  return { type: 'put', key: GENESIS_KEY, value: genesis }
}

/** Keeps what the state root is computed from, where that is not the entries alone. */
export function commitmentOps(record: Uint8Array | undefined): KvOp[] {
  return record === undefined ? [] : [{ type: 'put', key: COMMITMENT_KEY, value: record }]
}
