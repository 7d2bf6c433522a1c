import { describe, expect, test } from 'vitest'
import { makeExecutedChain } from '../../../test/support/executed-chain.ts'
import { headerHash } from '../../types/header.ts'
import { EMPTY_BYTES } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import { assertLedger, assertNotForeign } from './guard.ts'

const chain = makeExecutedChain({ count: 6 })
const hashOf = (height: number): Uint8Array => headerHash(chain.at(height).header.header)
const other = new Uint8Array(32).fill(1)

/** Code of what an assertion throws; undefined when it holds. */
function codeOf(assertion: () => void): string | undefined {
  try {
    assertion()
    return undefined
  } catch (error) {
    if (!isEvolveError(error)) throw error
    expect(error.verdict).toBe('halt')
    return error.code
  }
}

describe('the ledger, for a chain that ends at height 3', () => {
  const state = { lastBlockHeight: 3, lastHeaderHash: hashOf(3) }

  test.each<[string, number, Uint8Array, number | undefined, string | undefined]>([
    ['below the chain', 2, other, undefined, undefined],
    ['at its end, the same block', 3, hashOf(3), undefined, undefined],
    ['at its end, another block', 3, other, undefined, 'LEDGER_CONFLICT'],
    ['one above, the block under way', 4, hashOf(4), 4, undefined],
    ['one above, and no block under way', 4, hashOf(4), undefined, 'LEDGER_AHEAD'],
    ['one above, another block under way', 4, other, 4, 'LEDGER_AHEAD'],
    ['two above, a block under way of that height', 5, hashOf(5), 5, 'LEDGER_AHEAD'],
    ['two above', 5, hashOf(5), 4, 'LEDGER_AHEAD'],
  ])('%s', (_, height, hash, underWay, code) => {
    const pending = underWay === undefined ? undefined : { block: chain.at(underWay), upTo: 0 }
    expect(codeOf(() => assertLedger({ height, hash }, state, pending))).toBe(code)
  })

  test('that knows nothing is right', () => {
    expect(codeOf(() => assertLedger(undefined, state, undefined))).toBeUndefined()
    const fresh = { lastBlockHeight: 0, lastHeaderHash: EMPTY_BYTES }
    expect(codeOf(() => assertLedger({ height: 1, hash: hashOf(1) }, fresh, undefined))).toBe('LEDGER_AHEAD')
  })
})

test('a header is foreign from the height on that we are about to make', () => {
  expect([3, 4, 5].map((stored) => codeOf(() => assertNotForeign(stored, 4)))).toEqual([
    undefined,
    'FOREIGN_BLOCK',
    'FOREIGN_BLOCK',
  ])
})
