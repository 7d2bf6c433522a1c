/*
 * A private key as text: seed and public key, 64 bytes in hex. In this form operators keep it and move it between
 * programs.
 */
import { concatBytes, equalBytes, fromHex, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { type SigningKey, signingKeyOf } from './file.node.ts'

const SEED_BYTES = 32
const PAIR_BYTES = 64

function invalid(found: string): EvolveError {
  return new EvolveError(
    'INVALID_KEY',
    `expected a private key of ${PAIR_BYTES * 2} hex digits, the seed and behind it its public key, got ${found}`,
  )
}

/** A private key as 128 hex digits. Not encrypted: for the eyes of its owner. */
export function formatPrivateKey({ seed, publicKey }: SigningKey): string {
  return toHex(concatBytes(seed, publicKey))
}

/**
 * Reads what {@link formatPrivateKey} wrote, blanks around it aside. Throws `INVALID_KEY`, also when the public key is
 * not that of the seed, as after a typing error; the message does not quote the text.
 */
export function parsePrivateKey(text: string): SigningKey {
  const trimmed = text.trim()
  const bytes = fromHex(trimmed)
  if (bytes === undefined) throw invalid(`${trimmed.length} characters that are not hex`)
  if (bytes.length !== PAIR_BYTES) throw invalid(`${trimmed.length} digits`)
  const key = signingKeyOf(bytes.slice(0, SEED_BYTES))
  if (!equalBytes(bytes.subarray(SEED_BYTES), key.publicKey))
    throw invalid('a public key that is not that of the seed')
  return key
}
