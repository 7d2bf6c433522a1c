/*
 * What may enter the stores. A header needs a proven proposer; data needs a header that vouches for it. What lies
 * in the stores is therefore true as far as the chain goes, and can be served to others as it is.
 */
import type { Admit, HeaderStore } from '../core/header.ts'
import type { Proposers } from '../core/proposers.ts'
import type { P2PData } from '../types/data.ts'
import { dataHash } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { validatePair } from '../types/validate.ts'
import { EMPTY_BYTES, equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { dataKind } from './kinds.ts'

/**
 * Admits headers of the proven proposer. A header by somebody else is wrong (`reject`) where execution has named
 * the proposer of its height; above that it cannot be judged yet (`ignore`): the key may have been rotated.
 */
export function admitHeaders(proposers: Proposers, chainId: string): Admit<P2PSignedHeader> {
  return async (items) => {
    for (const [index, { header }] of items.entries()) {
      if (header.chainId !== chainId) {
        throw new EvolveError(
          'WRONG_CHAIN_ID',
          `header ${header.height} is of chain ${header.chainId}, expected ${chainId}`,
          {
            verdict: 'reject',
            data: { height: header.height, admitted: index },
          },
        )
      }
      const expected = proposers.expected(header.height)
      if (equalBytes(expected, header.proposerAddress)) continue
      const certain = header.height <= proposers.provenUpTo
      throw new EvolveError(
        certain ? 'UNEXPECTED_PROPOSER' : 'UNPROVEN_PROPOSER',
        `header ${header.height} is by ${toHex(header.proposerAddress)}, ${certain ? 'expected' : 'proven so far'} ${toHex(expected)}`,
        { verdict: certain ? 'reject' : 'ignore', data: { height: header.height, admitted: index } },
      )
    }
  }
}

/**
 * Admits data whose header lies in the header store and commits to it: same chain, height, time and DA commitment,
 * and the link to the data below. Data without its header cannot be judged yet (`ignore`).
 */
export function admitData(
  headers: HeaderStore<P2PSignedHeader>,
  options: { readonly chainId: string; readonly initialHeight: number },
): Admit<P2PData> {
  return async (items, previous) => {
    const first = items[0]
    if (first === undefined) return
    const from = dataKind.height(first)
    const vouching = await headers.range(from, from + items.length)
    let below =
      from === options.initialHeight ? EMPTY_BYTES : previous === undefined ? undefined : dataHash(previous)
    for (const [index, item] of items.entries()) {
      const height = from + index
      const header = vouching[index]
      if (header === undefined) {
        throw new EvolveError('HEADER_UNKNOWN', `data ${height} came before its header`, {
          verdict: 'ignore',
          data: { height, admitted: index },
        })
      }
      try {
        validatePair(header, item)
        checkLink(item, height, below)
      } catch (error) {
        throw withAdmitted(error, index)
      }
      below = dataHash(item)
    }
  }
}

function checkLink(item: P2PData, height: number, below: Uint8Array | undefined): void {
  const found = item.metadata?.lastDataHash ?? EMPTY_BYTES
  if (below === undefined || equalBytes(below, found)) return
  throw new EvolveError(
    'LAST_DATA_HASH_MISMATCH',
    `data ${height} does not link to the data below: expected hash ${toHex(below)}, got ${toHex(found)}`,
    { verdict: 'reject', data: { height, expected: toHex(below), found: toHex(found) } },
  )
}

function withAdmitted(error: unknown, admitted: number): EvolveError {
  if (!(error instanceof EvolveError)) {
    return new EvolveError('ADMISSION_FAILED', 'checking data failed', {
      cause: error,
      data: { admitted },
      verdict: 'retry',
    })
  }
  return new EvolveError(error.code, error.message, {
    cause: error,
    data: { ...error.data, admitted },
    verdict: error.verdict ?? 'reject',
  })
}
