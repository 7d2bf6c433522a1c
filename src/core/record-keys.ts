/*
 * How keys of the database are made: one prefix byte, then a height, a hash or a name. The header and data stores and
 * the block store share their records, so there is one layout for all.
 */
import { concatBytes, utf8 } from '../util/bytes.ts'

/** Key of a height under a prefix: eight bytes, big endian, so that order of keys is order of heights. */
export function heightKey(prefix: number, height: number): Uint8Array {
  const key = new Uint8Array(9)
  key[0] = prefix
  let rest = height
  for (let at = 8; at > 0; at--) {
    key[at] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return key
}

/** Height in a key made by {@link heightKey}; undefined when it is no such key. */
export function heightOfKey(key: Uint8Array): number | undefined {
  return key.length === 9 ? parseHeight(key.subarray(1)) : undefined
}

/** Height, 0 included, in eight bytes, big endian; undefined when they are no height. */
export function parseHeight(bytes: Uint8Array): number | undefined {
  if (bytes.length !== 8) return undefined
  const height = Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0))
  return Number.isSafeInteger(height) ? height : undefined
}

/** Key of a hash under a prefix. */
export function hashKey(prefix: number, hash: Uint8Array): Uint8Array {
  const key = new Uint8Array(1 + hash.length)
  key[0] = prefix
  key.set(hash, 1)
  return key
}

/** Key of a name under a prefix. */
export function nameKey(prefix: number, name: string): Uint8Array {
  return concatBytes(Uint8Array.of(prefix), utf8(name))
}
