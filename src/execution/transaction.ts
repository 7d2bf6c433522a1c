/*
 * Transactions of the embedded executors: `key=value`.
 */

/** What a transaction says. */
export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

const EQUALS = 0x3d

/** White space by Unicode's White_Space property, each character as its UTF-8 bytes. */
const SPACES: readonly (readonly number[])[] = [
  ...[0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x20].map((byte) => [byte]),
  [0xc2, 0x85],
  [0xc2, 0xa0],
  [0xe1, 0x9a, 0x80],
  ...Array.from({ length: 11 }, (_, i) => [0xe2, 0x80, 0x80 + i]),
  [0xe2, 0x80, 0xa8],
  [0xe2, 0x80, 0xa9],
  [0xe2, 0x80, 0xaf],
  [0xe2, 0x81, 0x9f],
  [0xe3, 0x80, 0x80],
]

/**
 * Reads a transaction: what stands before the first `=` and what stands behind it, both without white space around
 * them. undefined when there is no `=` or no key. An empty value is a value. Bytes need not be UTF-8.
 */
export function parseTransaction(tx: Uint8Array): KeyValue | undefined {
  const equals = tx.indexOf(EQUALS)
  if (equals < 0) return undefined
  const key = trimSpace(tx.subarray(0, equals))
  return key.length === 0 ? undefined : { key, value: trimSpace(tx.subarray(equals + 1)) }
}

function trimSpace(bytes: Uint8Array): Uint8Array {
  let [start, end] = [0, bytes.length]
  for (let length = spaceAt(bytes, start, end); length > 0; length = spaceAt(bytes, start, end))
    start += length
  for (let length = spaceBefore(bytes, start, end); length > 0; length = spaceBefore(bytes, start, end)) {
    end -= length
  }
  return bytes.subarray(start, end)
}

/** Length of the white space character that begins at `start`; 0 when there is none. */
function spaceAt(bytes: Uint8Array, start: number, end: number): number {
  const space = SPACES.find(
    (one) => start + one.length <= end && one.every((byte, i) => bytes[start + i] === byte),
  )
  return space?.length ?? 0
}

/** Length of the white space character that ends at `end`; 0 when there is none. */
function spaceBefore(bytes: Uint8Array, start: number, end: number): number {
  const space = SPACES.find(
    (one) => end - one.length >= start && one.every((byte, i) => bytes[end - one.length + i] === byte),
  )
  return space?.length ?? 0
}
