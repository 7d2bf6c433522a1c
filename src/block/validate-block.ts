/*
 * Whether a block may follow a state, and whose fault it is when it may not.
 */
import type { Block } from '../core/block-store.ts'
import { dataHash, emptyDataFor, isEmptyCommitment, type Data } from '../types/data.ts'
import type { SignedHeader } from '../types/header.ts'
import type { State } from '../types/state.ts'
import { validateHeader, validatePair, validateProposer, validateSequence } from '../types/validate.ts'
import { EMPTY_BYTES, equalBytes, toHex } from '../util/bytes.ts'
import { describeError, EvolveError, verdictOf } from '../util/errors.ts'

/** Which half of a block an error speaks of; `state` when the block and our state cannot both be right. */
export type BlockFault = 'header' | 'data' | 'state'

const DATA_FAULTS: ReadonlySet<string> = new Set(['INVALID_DATA', 'DATA_MISMATCH', 'LAST_DATA_HASH_MISMATCH'])

/** Says whose fault a validation error is. */
export function faultOf(error: unknown): BlockFault {
  if (verdictOf(error, 'reject') === 'halt') return 'state'
  return error instanceof EvolveError && DATA_FAULTS.has(error.code) ? 'data' : 'header'
}

/** The end of the chain as the next block meets it. */
export interface Tip {
  /** State after the last block. */
  readonly state: State
  /** Hash of the last block's data: empty before the first block, undefined when it is not known. */
  readonly lastDataHash: Uint8Array | undefined
}

/** How much of a block was checked before. */
export interface ValidationOptions {
  /** The header's form and signature are known to be right, or will be checked after signing. */
  readonly skipSignature: boolean
}

/**
 * Checks what can be said of a block without the state before it: the header's form and signature, then its data.
 * Throws an EvolveError with verdict `reject`.
 */
export function validateAlone(block: Block, options: ValidationOptions): void {
  guarded(block.header, () => {
    if (!options.skipSignature) validateHeader(block.header)
    validatePair(block.header, block.data)
  })
}

/**
 * Checks that a block may follow `state`, in this order: header and signature; proposer; chain, height, time, last
 * header hash, app hash; data. Throws an EvolveError with verdict `reject`; or `halt` when a header that the right
 * proposer signed does not build on our state. Source: ev-node v1.2.3 block/internal/syncing ValidateBlock.
 */
export function validateBlock(state: State, block: Block, options: ValidationOptions): void {
  const { header, data } = block
  guarded(header, () => {
    if (!options.skipSignature) validateHeader(header)
    validateProposer(state, header)
    try {
      validateSequence(state, header)
    } catch (error) {
      if (verdictOf(error, 'reject') !== 'halt') throw error
      // Nothing may stop a node whose signature was not seen to be right just now.
      if (options.skipSignature) validateHeader(header)
      throw contradiction(state, header, error)
    }
    validatePair(header, data)
  })
}

/**
 * The data as it follows `tip`. A header commits to the transactions only, and everything else of its data follows
 * from the header and the data below: so for blocks that are not in the stores the link to the data below is
 * filled in, whatever was found, and nobody can spoil a block by a wrong one. Data that lies in the stores must
 * carry the right link: `LAST_DATA_HASH_MISMATCH` otherwise. Call it after validation.
 */
export function linkedData(tip: Tip, block: Block, stored: boolean): Data {
  const { header } = block.header
  const { lastDataHash } = tip
  if (lastDataHash === undefined) return block.data
  const found = block.data.metadata?.lastDataHash
  if (found !== undefined && equalBytes(found, lastDataHash)) return block.data
  if (stored) {
    throw new EvolveError(
      'LAST_DATA_HASH_MISMATCH',
      `data ${header.height} does not link to the data below: expected hash ${toHex(lastDataHash)}, got ${toHex(found ?? EMPTY_BYTES)}`,
      {
        verdict: 'reject',
        data: { height: header.height, expected: toHex(lastDataHash), found: toHex(found ?? EMPTY_BYTES) },
      },
    )
  }
  if (isEmptyCommitment(header.dataHash)) return emptyDataFor(header, lastDataHash)
  const { chainId, height, time } = header
  return { metadata: { chainId, height, time, lastDataHash }, txs: block.data.txs }
}

/** The tip after a block. */
export function tipAfter(state: State, data: Data): Tip {
  return { state, lastDataHash: dataHash(data) }
}

function contradiction(state: State, header: SignedHeader, cause: unknown): EvolveError {
  const code = cause instanceof EvolveError ? cause.code : 'INVALID_STATE'
  const { height, lastHeaderHash, appHash } = header.header
  const [what, expected, found] =
    code === 'APP_HASH_MISMATCH'
      ? ['app hash', state.appHash, appHash]
      : ['last header hash', state.lastHeaderHash, lastHeaderHash]
  return new EvolveError(
    code,
    `block ${height}, signed by the expected proposer, does not build on our state at height ${state.lastBlockHeight}: expected ${what} ${toHex(expected)}, got ${toHex(found)}`,
    { verdict: 'halt', data: { height, expected: toHex(expected), found: toHex(found) } },
  )
}

/** Whatever goes wrong while a stranger's block is looked at is the block's fault. */
function guarded(header: SignedHeader, check: () => void): void {
  try {
    check()
  } catch (error) {
    if (error instanceof EvolveError && (error.verdict === 'reject' || error.verdict === 'halt')) throw error
    throw new EvolveError(
      'INVALID_BLOCK',
      `block ${header.header.height} is invalid: ${describeError(error)}`,
      {
        verdict: 'reject',
        cause: error,
        data: { height: header.header.height },
      },
    )
  }
}
