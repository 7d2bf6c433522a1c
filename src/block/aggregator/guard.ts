/*
 * When this node may sign. A key that signs two blocks of one height splits the chain, so each way that could lead
 * there is barred: another proposer's turn, an old copy of the database, a second node with the same key.
 */
import type { LedgerEntry } from '../../core/signer.ts'
import { headerHash } from '../../types/header.ts'
import type { State } from '../../types/state.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import type { PendingBlock } from './pending-block.ts'

/** Throws `NOT_PROPOSER` (`halt`) when the next block is not for `address` to make. */
export function assertProposer(address: Uint8Array, height: number, expected: Uint8Array): void {
  if (equalBytes(address, expected)) return
  const [wanted, own] = [expected, address].map(toHex)
  throw new EvolveError(
    'NOT_PROPOSER',
    `block ${height} is to be proposed by ${wanted}, but our signer is ${own}`,
    { verdict: 'halt', data: { height, expected: wanted, found: own } },
  )
}

/**
 * Throws when the ledger knows of a signature that our chain does not: `LEDGER_AHEAD` when it is above our chain and
 * not of the block under way, `LEDGER_CONFLICT` when it is of another block than our last. Both carry verdict `halt`.
 */
export function assertLedger(
  last: LedgerEntry | undefined,
  state: Pick<State, 'lastBlockHeight' | 'lastHeaderHash'>,
  pending: PendingBlock | undefined,
): void {
  if (last === undefined || last.height < state.lastBlockHeight) return
  const signed = toHex(last.hash)
  if (last.height === state.lastBlockHeight) {
    // Before the first block there is nothing to compare with; nothing is signed below the initial height.
    if (state.lastHeaderHash.length === 0 || equalBytes(last.hash, state.lastHeaderHash)) return
    const ours = toHex(state.lastHeaderHash)
    throw new EvolveError(
      'LEDGER_CONFLICT',
      `this key has signed header ${signed} at height ${last.height}, but our chain has ${ours} there: is the key in use elsewhere?`,
      { verdict: 'halt', data: { height: last.height, signed, stored: ours } },
    )
  }
  const underWay = pending?.block.header.header
  if (
    underWay !== undefined &&
    last.height === state.lastBlockHeight + 1 &&
    equalBytes(last.hash, headerHash(underWay))
  ) {
    return
  }
  throw new EvolveError(
    'LEDGER_AHEAD',
    `this key has signed height ${last.height} (header ${signed}), but our chain ends at ${state.lastBlockHeight}: is this an old copy of the database? Sync first`,
    { verdict: 'halt', data: { signed: last.height, hash: signed, height: state.lastBlockHeight } },
  )
}

/**
 * Throws `FOREIGN_BLOCK` (`halt`) when the header store, which holds nothing that our key has not signed, has the header
 * of a block that we are about to make.
 */
export function assertNotForeign(storedHeaderHeight: number, height: number): void {
  if (storedHeaderHeight < height) return
  throw new EvolveError(
    'FOREIGN_BLOCK',
    `a header of height ${storedHeaderHeight}, signed by our key, came from elsewhere while block ${height} was to be made: another aggregator runs with this key, or this home is an old copy`,
    { verdict: 'halt', data: { stored: storedHeaderHeight, height } },
  )
}
