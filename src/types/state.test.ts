import { describe, expect, test } from 'vitest'
import { makeChain } from '../../test/support/chain.ts'
import { headerHash } from './header.ts'
import { decodeState } from './codec.ts'
import { initialState, nextState } from './state.ts'
import { WireWriter } from '../util/wire.ts'

const { genesis, blocks } = makeChain({ count: 2, initialHeight: 5 })
const root = new Uint8Array(32).fill(9)
const none = new Uint8Array(0)
const [first] = blocks
if (first === undefined) throw new Error('no block')

describe('a state', () => {
  test('before the first block is that of the genesis', () => {
    expect(initialState({ ...genesis, daStartHeight: 8 }, root)).toEqual({
      version: { block: 0n, app: 0n },
      chainId: genesis.chainId,
      initialHeight: 5,
      lastBlockHeight: 4,
      lastBlockTime: genesis.startTime,
      daHeight: 8,
      appHash: root,
      lastHeaderHash: none,
      nextProposerAddress: genesis.proposerAddress,
    })
  })

  test('after a block has its height, time and hash, and what execution gave', () => {
    const before = initialState(genesis, none)
    const after = nextState(before, first.header, { stateRoot: root, nextProposerAddress: none })
    expect(after).toEqual({
      ...before,
      lastBlockHeight: 5,
      lastBlockTime: first.header.header.time,
      lastHeaderHash: headerHash(first.header.header),
      appHash: root,
    })
  })

  test('names the next proposer that execution named, else the last one, else the signer', () => {
    const before = initialState(genesis, none)
    const named = nextState(before, first.header, { stateRoot: root, nextProposerAddress: root })
    expect(named.nextProposerAddress).toBe(root)
    const unnamed = nextState({ ...before, nextProposerAddress: none }, first.header, {
      stateRoot: root,
      nextProposerAddress: none,
    })
    expect(unnamed.nextProposerAddress).toEqual(first.header.header.proposerAddress)
  })

  test('never goes back to a lower DA height', () => {
    const result = { stateRoot: root, nextProposerAddress: none }
    const at = nextState(initialState(genesis, none), first.header, result, 20)
    expect(at.daHeight).toBe(20)
    expect(nextState(at, first.header, result, 19).daHeight).toBe(20)
    expect(nextState(at, first.header, result).daHeight).toBe(20)
  })

  test.each([
    ['before 1970', new WireWriter().uint64(1, 2n ** 64n - 1n)],
    ['after 2262', new WireWriter().uint64(1, 9_223_372_037n)],
    ['with a whole second of nanoseconds', new WireWriter().uint64(2, 1_000_000_000n)],
    ['with nanoseconds below zero', new WireWriter().uint64(1, 5n).uint64(2, 2n ** 64n - 1n)],
  ])('with a time %s is refused', (_what, time) => {
    const bytes = new WireWriter().presentBytes(5, time.finish()).finish()
    expect(() => decodeState(bytes)).toThrow(expect.objectContaining({ code: 'DECODE_FAILED' }))
  })
})
