import { EvolveError } from '../../src/util/errors.ts'

/** Our codes, and reasons where codes are coarser, for the kinds of error that the file names. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  // A signed header by itself.
  'no-proposer-address': ['INVALID_HEADER no-proposer-address'],
  'invalid-timestamp': ['INVALID_HEADER zero-time', 'FROM_FUTURE'],
  'signature-empty': ['INVALID_SIGNATURE empty-signature'],
  'signer-pub-key-missing': ['INVALID_SIGNATURE no-public-key'],
  'signer-address-mismatch': ['INVALID_SIGNATURE signer-address'],
  'proposer-address-mismatch': ['INVALID_HEADER proposer-address'],
  'signature-verification-failed': ['INVALID_SIGNATURE wrong-signature'],
  // A header against a trusted one.
  'known-header': ['KNOWN_HEADER'],
  'wrong-chain-id': ['WRONG_CHAIN_ID'],
  'unordered-time': ['UNORDERED_TIME'],
  'from-future': ['FROM_FUTURE'],
  'last-header-hash-mismatch': ['LAST_HEADER_HASH_MISMATCH'],
  // A block against the state below it.
  'unexpected-proposer': ['UNEXPECTED_PROPOSER'],
  'invalid-chain-id': ['WRONG_CHAIN_ID'],
  'invalid-block-height': ['UNEXPECTED_HEIGHT'],
  'invalid-block-time': ['UNORDERED_TIME'],
  'invalid-last-header-hash': ['LAST_HEADER_HASH_MISMATCH'],
  'invalid-last-app-hash': ['APP_HASH_MISMATCH'],
  'header-data-mismatch': ['DATA_MISMATCH metadata'],
  'data-hash-mismatch': ['DATA_MISMATCH data-hash'],
}

/** What went wrong, in our words: code and reason; that of the cause where a failed verification has one. */
function ours(error: unknown): string {
  if (!(error instanceof EvolveError)) return `error ${String(error)}`
  if (error.code === 'VERIFY_FAILED' && error.cause !== undefined) return ours(error.cause)
  const { reason } = error.data
  return typeof reason === 'string' ? `${error.code} ${reason}` : error.code
}

/**
 * Compares a kind of error that the file names (undefined: none) with what our check throws. Returns the same name
 * when they agree, else what happened here.
 */
export function kindOf(expected: string | undefined, check: () => void): string {
  try {
    check()
    return 'null'
  } catch (error) {
    const found = ours(error)
    if (expected !== undefined && KINDS[expected]?.includes(found) === true) return expected
    return found
  }
}
