/*
 * What callers hand over, checked before anything is sent.
 */
import { fromHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'

function invalid(message: string): EvolveError {
  return new EvolveError('INVALID_REQUEST', message)
}

/** The base of a node's URLs, from a URL or `host:port`. */
export function nodeUrl(text: string): string {
  const withScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.parse(withScheme)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw invalid(`the node's address must be as http://127.0.0.1:7331, got ${JSON.stringify(text)}`)
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, '')}`
}

/** A height as it travels; 0 for one that is left out. */
export function heightArgument(name: string, height: number | undefined): bigint {
  if (height === undefined) return 0n
  if (!Number.isSafeInteger(height) || height < 1) {
    throw invalid(`${name} must be a height: a whole number from 1 to 2^53 - 1, got ${height}`)
  }
  return BigInt(height)
}

/** A hash of 32 bytes, from bytes or hex, with or without 0x. */
export function hashArgument(hash: Uint8Array | string): Uint8Array {
  const bytes = typeof hash === 'string' ? fromHex(hash.replace(/^0x/i, '')) : hash
  if (bytes?.length !== 32) {
    const got = typeof hash === 'string' ? JSON.stringify(hash) : `${hash.length} bytes`
    throw invalid(`a hash must be of 32 bytes, or 64 characters of hex, got ${got}`)
  }
  return bytes
}

/** What names a block, as it travels. */
export function identifierOf(
  id: number | Uint8Array | string,
):
  | { readonly case: 'height'; readonly value: bigint }
  | { readonly case: 'hash'; readonly value: Uint8Array } {
  if (id === 'latest') return { case: 'height', value: 0n }
  return typeof id === 'number'
    ? { case: 'height', value: heightArgument('height', id) }
    : { case: 'hash', value: hashArgument(id) }
}
