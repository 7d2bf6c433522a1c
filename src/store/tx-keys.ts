/*
 * Records of the transaction index: one key a transaction, without a value. They are hints: whoever finds one looks at
 * the block, so that one which was left behind harms nobody.
 */
import { sha256 } from '#crypto'
import type { KvOp } from '../core/kv.ts'
import type { TxPlace } from '../core/node-view.ts'
import { EMPTY_BYTES, uint64BigEndian } from '../util/bytes.ts'
import { KEYS, nameKey, parseHeight } from './keys.ts'

/** Bytes of a transaction's hash that are in its key. */
const HASH_BYTES = 16
const HEIGHT_AT = 1 + HASH_BYTES
const INDEX_AT = HEIGHT_AT + 8
const KEY_BYTES = INDEX_AT + 4

/** Key of the pointer to the last indexed height: uint64 big endian. */
const INDEXED_KEY: Uint8Array = nameKey(KEYS.transactionMeta, 'height')

/** Key of a transaction at a place, so that keys of one transaction go by height and index. */
function txKey(hash: Uint8Array, { height, index }: TxPlace): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  const view = new DataView(key.buffer)
  key[0] = KEYS.transactions
  key.set(hash.subarray(0, HASH_BYTES), 1)
  // Heights are safe integers: cheaper in two halves than as a bigint.
  view.setUint32(HEIGHT_AT, Math.floor(height / 2 ** 32))
  view.setUint32(HEIGHT_AT + 4, height % 2 ** 32)
  view.setUint32(INDEX_AT, index)
  return key
}

/** Place in a key of the index; undefined when it is no such key. */
export function placeOfTxKey(key: Uint8Array): TxPlace | undefined {
  if (key.length !== KEY_BYTES) return undefined
  const height = parseHeight(key.subarray(HEIGHT_AT, INDEX_AT))
  const index = new DataView(key.buffer, key.byteOffset + INDEX_AT, 4).getUint32(0)
  return height === undefined ? undefined : { height, index }
}

/** Bounds of the keys of a transaction at `from` and above. */
export function txRange(
  hash: Uint8Array,
  from: number,
): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  return {
    gte: txKey(hash, { height: from, index: 0 }),
    lt: txKey(hash, { height: Number.MAX_SAFE_INTEGER, index: 0 }),
  }
}

/** Change that puts a transaction into the index. */
export function txOp(tx: Uint8Array, place: TxPlace): KvOp {
  return { type: 'put', key: txKey(sha256(tx), place), value: EMPTY_BYTES }
}

/** Changes that take transactions of a block, from the index `first` on, out of the index. */
export function txIndexRemovals(height: number, txs: readonly Uint8Array[], first = 0): KvOp[] {
  return txs.map((tx, at) => ({ type: 'del', key: txKey(sha256(tx), { height, index: first + at }) }))
}

/** Change that makes `height` the last indexed height. */
export function indexedOp(height: number): KvOp {
  return { type: 'put', key: INDEXED_KEY, value: uint64BigEndian(height) }
}

/** The last indexed height; 0 when there is none. */
export async function readIndexed(kv: {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
}): Promise<number> {
  const bytes = await kv.get(INDEXED_KEY)
  return bytes === undefined ? 0 : (parseHeight(bytes) ?? 0)
}
