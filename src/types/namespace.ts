import { sha256 } from '#crypto'
import { utf8 } from '../util/bytes.ts'

const LENGTH = 29
const ID_BYTES = 10

/**
 * The DA namespace (29 bytes) of a configured string: version 0, 18 zero bytes, and the first 10 bytes of the
 * string's SHA-256. Always hashed, also when the string looks like the hex of a namespace.
 */
export function namespaceBytes(configured: string): Uint8Array {
  const out = new Uint8Array(LENGTH)
  out.set(sha256(utf8(configured)).subarray(0, ID_BYTES), LENGTH - ID_BYTES)
  return out
}
