import { verifyEd25519 } from '#crypto'
import { equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError, type Verdict } from '../util/errors.ts'
import { type DAHeaderEnvelope, encodeData, encodeSignedHeader } from './codec.ts'
import { type Data, dataCommitment, type SignedData } from './data.ts'
import { encodedHeaderView, encodeLegacyHeader, type Header, type SignedHeader } from './header.ts'
import { proposerAddressOf, rawPublicKey, type Signer } from './signer.ts'
import type { State } from './state.ts'

/** What the errors of this file say in `data.reason`, finer than their code. */
export type InvalidReason =
  | 'no-proposer-address'
  | 'zero-time'
  | 'zero-height'
  | 'no-chain-id'
  | 'no-metadata'
  | 'empty-signature'
  | 'no-public-key'
  | 'bad-public-key'
  | 'signer-address'
  | 'proposer-address'
  | 'wrong-signature'
  | 'metadata'
  | 'data-hash'

function invalid(
  code: string,
  reason: InvalidReason,
  message: string,
  data: Readonly<Record<string, unknown>> = {},
): EvolveError {
  return new EvolveError(code, message, { verdict: 'reject', data: { reason, ...data } })
}

/**
 * What can be said of a header alone: it names its proposer, time, height and chain. Throws `INVALID_HEADER`.
 * Part of {@link validateHeader}.
 */
export function validateHeaderFields(header: Header): void {
  const { height, proposerAddress, time, chainId } = header
  const fail = (reason: InvalidReason, what: string): EvolveError =>
    invalid('INVALID_HEADER', reason, `header ${height} has no ${what}`, { height })
  if (proposerAddress.length === 0) throw fail('no-proposer-address', 'proposer address')
  if (time === 0n) throw fail('zero-time', 'time')
  if (height === 0) throw fail('zero-height', 'height')
  if (chainId === '') throw fail('no-chain-id', 'chain id')
}

/**
 * Who signed a header: its signer's key gives the signer's address, and that is the proposer's. Returns the raw
 * key. Throws `INVALID_SIGNATURE` or `INVALID_HEADER`. Part of {@link validateHeader}.
 */
export function validateSigner({ header, signature, signer }: SignedHeader): Uint8Array {
  const what = `header ${header.height}`
  const key = checkedKey(what, signature, signer)
  if (!equalBytes(header.proposerAddress, signer.address)) {
    throw invalid(
      'INVALID_HEADER',
      'proposer-address',
      `${what} names the proposer ${toHex(header.proposerAddress)}, but is signed by ${toHex(signer.address)}`,
      { height: header.height },
    )
  }
  return key
}

function checkedKey(what: string, signature: Uint8Array, signer: Signer): Uint8Array {
  if (signature.length === 0) {
    throw invalid('INVALID_SIGNATURE', 'empty-signature', `${what} has no signature`)
  }
  const key = rawPublicKey(signer)
  const address = proposerAddressOf(key)
  if (!equalBytes(address, signer.address)) {
    throw invalid(
      'INVALID_SIGNATURE',
      'signer-address',
      `${what}: the key of the signer gives address ${toHex(address)}, the signer says ${toHex(signer.address)}`,
    )
  }
  return key
}

/**
 * A signed header by itself: complete, and signed by the proposer it names, over its canonical or its legacy
 * encoding. Checks in this order: proposer, time, height, chain id, signature present, key, address of the key,
 * proposer is signer, signature. Throws `INVALID_HEADER` or `INVALID_SIGNATURE`, with an {@link InvalidReason}.
 * Its time may still be in the future: {@link assertNotFromFuture}.
 */
export function validateHeader(signed: SignedHeader): void {
  validateHeaderFields(signed.header)
  const key = validateSigner(signed)
  const { header, signature } = signed
  if (verifyEd25519(key, encodedHeaderView(header), signature)) return
  if (verifyEd25519(key, encodeLegacyHeader(header), signature)) return
  throw invalid(
    'INVALID_SIGNATURE',
    'wrong-signature',
    `the signature of header ${header.height} is not by its proposer ${toHex(header.proposerAddress)}`,
    { height: header.height },
  )
}

/** A header from DA: a valid header whose signer also signed the whole. Throws as {@link validateHeader}. */
export function validateEnvelope({ header, envelopeSignature }: DAHeaderEnvelope): void {
  validateHeader(header)
  const { height } = header.header
  if (envelopeSignature.length === 0) {
    throw invalid('INVALID_SIGNATURE', 'empty-signature', `the envelope of header ${height} is not signed`)
  }
  if (!verifyEd25519(rawPublicKey(header.signer), encodeSignedHeader(header), envelopeSignature)) {
    throw invalid(
      'INVALID_SIGNATURE',
      'wrong-signature',
      `the envelope of header ${height} is not signed by its proposer`,
      { height },
    )
  }
}

/** Data by itself: it names its chain, height and time. Throws `INVALID_DATA`. */
export function validateData({ metadata }: Data): void {
  if (metadata === undefined) throw invalid('INVALID_DATA', 'no-metadata', 'data without metadata')
  const fail = (reason: InvalidReason, what: string): EvolveError =>
    invalid('INVALID_DATA', reason, `data ${metadata.height} has no ${what}`, { height: metadata.height })
  if (metadata.chainId === '') throw fail('no-chain-id', 'chain id')
  if (metadata.height === 0) throw fail('zero-height', 'height')
  if (metadata.time === 0n) throw fail('zero-time', 'time')
}

/**
 * Data from DA: complete and signed by the signer it names. Whether that is the proposer, the caller must know.
 * Throws `INVALID_DATA` or `INVALID_SIGNATURE`.
 */
export function validateSignedData({ data, signature, signer }: SignedData): void {
  validateData(data)
  const what = `data ${data.metadata?.height}`
  const key = checkedKey(what, signature, signer)
  if (!verifyEd25519(key, encodeData(data), signature)) {
    throw invalid('INVALID_SIGNATURE', 'wrong-signature', `the signature of ${what} is not by its signer`)
  }
}

/**
 * Header and data are of one block: same chain, height and time, and the header commits to the transactions.
 * Throws `DATA_MISMATCH`, or `INVALID_DATA` when there is no metadata.
 */
export function validatePair({ header }: SignedHeader, data: Data): void {
  const { metadata } = data
  if (metadata === undefined) throw invalid('INVALID_DATA', 'no-metadata', 'data without metadata')
  const { height, chainId, time } = header
  if (metadata.chainId !== chainId || metadata.height !== height || metadata.time !== time) {
    throw invalid(
      'DATA_MISMATCH',
      'metadata',
      `expected data of chain ${chainId}, height ${height}, time ${time}; ` +
        `got chain ${metadata.chainId}, height ${metadata.height}, time ${metadata.time}`,
      { height },
    )
  }
  const commitment = dataCommitment(data)
  if (!equalBytes(commitment, header.dataHash)) {
    throw invalid(
      'DATA_MISMATCH',
      'data-hash',
      `header ${height} commits to data ${toHex(header.dataHash)}, the data's commitment is ${toHex(commitment)}`,
      { height },
    )
  }
}

/** The header's proposer is the one that the state names for the next block. Throws `UNEXPECTED_PROPOSER`. */
export function validateProposer(state: State, { header }: SignedHeader): void {
  const expected = state.nextProposerAddress
  if (equalBytes(header.proposerAddress, expected)) return
  throw mismatch('UNEXPECTED_PROPOSER', 'reject', header.height, 'proposer', expected, header.proposerAddress)
}

function mismatch(
  code: string,
  verdict: Verdict,
  height: number,
  what: string,
  expected: Uint8Array | string | number | bigint,
  found: Uint8Array | string | number | bigint,
): EvolveError {
  const text = (value: typeof expected): string => {
    if (!(value instanceof Uint8Array)) return String(value)
    return value.length === 0 ? 'none' : toHex(value)
  }
  return new EvolveError(
    code,
    `expected ${what} ${text(expected)} for height ${height}, got ${text(found)}`,
    { verdict, data: { height, expected: text(expected), found: text(found) } },
  )
}

/**
 * The header follows the state: chain id, height, time, link to the last header, state root, in this order. The
 * first block links to nothing, so its link says nothing. Throws `WRONG_CHAIN_ID`, `UNEXPECTED_HEIGHT` or
 * `UNORDERED_TIME` (reject); `LAST_HEADER_HASH_MISMATCH` or `APP_HASH_MISMATCH` (halt): such a header by the
 * proven proposer means that our state and the proposer's are not the same.
 */
export function validateSequence(state: State, { header }: SignedHeader): void {
  const { height } = header
  if (header.chainId !== state.chainId) {
    throw mismatch('WRONG_CHAIN_ID', 'reject', height, 'chain id', state.chainId, header.chainId)
  }
  const next = state.lastBlockHeight + 1
  if (height !== next) throw mismatch('UNEXPECTED_HEIGHT', 'reject', next, 'height', next, height)
  if (header.time < state.lastBlockTime) {
    throw mismatch('UNORDERED_TIME', 'reject', height, 'a time from', state.lastBlockTime, header.time)
  }
  const { lastHeaderHash, appHash } = state
  if (lastHeaderHash.length > 0 && !equalBytes(header.lastHeaderHash, lastHeaderHash)) {
    throw mismatch(
      'LAST_HEADER_HASH_MISMATCH',
      'halt',
      height,
      'last header hash',
      lastHeaderHash,
      header.lastHeaderHash,
    )
  }
  if (!equalBytes(header.appHash, appHash)) {
    throw mismatch('APP_HASH_MISMATCH', 'halt', height, 'app hash', appHash, header.appHash)
  }
}

const NANOSECONDS_PER_MILLISECOND = 1_000_000n

/**
 * A time is not later than now by more than an allowance in milliseconds. `now` and `time` in unix nanoseconds.
 * Throws `FROM_FUTURE` (reject).
 */
export function assertNotFromFuture(time: bigint, now: bigint, allowanceMs: number): void {
  const latest = now + BigInt(Math.round(allowanceMs)) * NANOSECONDS_PER_MILLISECOND
  if (time <= latest) return
  throw new EvolveError('FROM_FUTURE', `expected a time until ${latest}, got ${time}`, {
    verdict: 'reject',
    data: { time: String(time), now: String(now), allowanceMs },
  })
}
