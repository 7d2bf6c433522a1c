import { describe, expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { makeChain } from '../../test/support/chain.ts'
import { concatBytes, utf8 } from '../util/bytes.ts'
import {
  type Data,
  dataCommitment,
  dataHash,
  dataMemory,
  EMPTY_DATA_COMMITMENT,
  emptyDataFor,
  encodeData,
  isEmptyCommitment,
} from './data.ts'

const metadata = { chainId: 'c', height: 3, time: 4n, lastDataHash: new Uint8Array(32).fill(1) }
const data: Data = { metadata, txs: [utf8('one'), utf8('two')] }
const leaf = (bytes: Uint8Array): Uint8Array => sha256(concatBytes(Uint8Array.of(0), bytes))

describe('hashes of data', () => {
  test('are over a zero byte and the encoding, the commitment without metadata', () => {
    expect(dataHash(data)).toEqual(leaf(encodeData(data)))
    expect(dataCommitment(data)).toEqual(leaf(encodeData({ txs: data.txs })))
    expect(dataCommitment({ ...data, metadata: { ...metadata, height: 9 } })).toEqual(dataCommitment(data))
    expect(dataHash({ ...data, metadata: { ...metadata, height: 9 } })).not.toEqual(dataHash(data))
  })

  test('are computed once', () => {
    expect(dataHash(data)).toBe(dataHash(data))
    expect(dataCommitment(data)).toBe(dataCommitment(data))
  })

  test('tell an empty transaction from none', () => {
    expect(dataCommitment({ metadata, txs: [] })).toEqual(leaf(new Uint8Array(0)))
    expect(dataCommitment({ metadata, txs: [new Uint8Array(0)] })).not.toEqual(EMPTY_DATA_COMMITMENT)
  })
})

test('a header without data hash, or with that of nothing, has no transactions', () => {
  expect(isEmptyCommitment(new Uint8Array(0))).toBe(true)
  expect(isEmptyCommitment(EMPTY_DATA_COMMITMENT)).toBe(true)
  expect(isEmptyCommitment(dataCommitment(data))).toBe(false)
  expect(isEmptyCommitment(EMPTY_DATA_COMMITMENT.subarray(1))).toBe(false)
})

test('empty data follows from its header and the data below', () => {
  const { blocks } = makeChain({ count: 3 })
  const [, below, empty] = blocks
  if (below === undefined || empty === undefined) throw new Error('no blocks')
  expect(empty.data.txs).toEqual([])
  expect(emptyDataFor(empty.header.header, dataHash(below.data))).toEqual(empty.data)
})

test('many tiny transactions weigh more than their bytes', () => {
  const tiny = { txs: Array.from({ length: 1000 }, () => Uint8Array.of(1)) }
  const one = { txs: [new Uint8Array(1000)] }
  expect(dataMemory(tiny)).toBeGreaterThan(100_000)
  expect(dataMemory(one)).toBeLessThan(2000)
})
