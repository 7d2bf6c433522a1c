import { sha256 } from '#crypto'

/** SHA-256 of `bytes` as a string of 32 characters, one a byte: the smallest key of a map or set. Not for people. */
export function sha256Name(bytes: Uint8Array): string {
  return String.fromCharCode(...sha256(bytes))
}
