/*
 * Keys of a header store: items by height, heights by hash, and the pointers to its ends.
 */
import { nameKey, parseHeight as parseAnyHeight } from '../../core/record-keys.ts'
import { concatBytes, uint64BigEndian } from '../../util/bytes.ts'

export { hashKey, heightKey } from '../../core/record-keys.ts'

/** First bytes of a header store's keys; each 0 to 254, all different from one another and from other users'. */
export interface StorePrefixes {
  /** height → encoded item */
  readonly items: number
  /** hash → height */
  readonly hashes: number
  /** name → pointer */
  readonly meta: number
}

/** Height, from 1, in eight bytes, big endian; undefined when they are no height of an item. */
export function parseHeight(bytes: Uint8Array): number | undefined {
  const height = parseAnyHeight(bytes)
  return height === 0 ? undefined : height
}

/** Height, from 1, in the key of an item; undefined when it is no such key. */
export function heightOfKey(key: Uint8Array): number | undefined {
  return key.length === 9 ? parseHeight(key.subarray(1)) : undefined
}

/** Key of a named pointer under a prefix. */
export function pointerKey(prefix: number, name: 'head' | 'tail'): Uint8Array {
  return nameKey(prefix, name)
}

/** Where the head or tail is: its height and, to notice when the record is another, its hash. */
export interface Pointer {
  readonly height: number
  readonly hash: Uint8Array
}

/** Bytes of a pointer: the height, eight bytes big endian, then the hash. */
export function encodePointer({ height, hash }: Pointer): Uint8Array {
  return concatBytes(uint64BigEndian(height), hash)
}

/** Reads a pointer; undefined when the bytes are none. */
export function decodePointer(bytes: Uint8Array): Pointer | undefined {
  const height = parseHeight(bytes.subarray(0, 8))
  return height === undefined ? undefined : { height, hash: bytes.subarray(8) }
}
