/*
 * Keys of a header store: one prefix byte, then a height (big endian, so that order of keys is order of heights),
 * a hash, or the name of a pointer.
 */
import { concatBytes, uint64BigEndian, utf8 } from '../../util/bytes.ts'

/** First bytes of a header store's keys; each 0 to 254, all different from one another and from other users'. */
export interface StorePrefixes {
  /** height → encoded item */
  readonly items: number
  /** hash → height */
  readonly hashes: number
  /** name → pointer */
  readonly meta: number
}

/** Key of a height under a prefix. */
export function heightKey(prefix: number, height: number): Uint8Array {
  const key = new Uint8Array(9)
  key[0] = prefix
  const view = new DataView(key.buffer)
  view.setUint32(1, Math.floor(height / 2 ** 32))
  view.setUint32(5, height % 2 ** 32)
  return key
}

/** Height in a key made by {@link heightKey}; undefined when it is no such key. */
export function heightOfKey(key: Uint8Array): number | undefined {
  return key.length === 9 ? parseHeight(key.subarray(1)) : undefined
}

/** Height in eight bytes, big endian; undefined when they are no height. */
export function parseHeight(bytes: Uint8Array): number | undefined {
  if (bytes.length !== 8) return undefined
  const height = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0))
  return Number.isSafeInteger(height) && height > 0 ? height : undefined
}

/** Key of a hash under a prefix. */
export function hashKey(prefix: number, hash: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + hash.length)
  key[0] = prefix
  key.set(hash, 1)
  return key
}

/** Key of a named pointer under a prefix. */
export function pointerKey(prefix: number, name: 'head' | 'tail'): Uint8Array {
  return concatBytes(Uint8Array.of(prefix), utf8(name))
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
