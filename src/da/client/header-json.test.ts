import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from '../../util/bytes.ts'
import { isEvolveError } from '../../util/errors.ts'
import { headerFromJson, readHeight, readTime } from './header-json.ts'

const hash = new Uint8Array(32).fill(0xab)
const below = new Uint8Array(32).fill(0x01)

/** As celestia-node answers, with what we do not read left out. */
const full = {
  header: {
    chain_id: 'celestia',
    height: '2048',
    time: '2024-05-01T12:00:00.123456789Z',
    last_block_id: { hash: toHex(below).toUpperCase(), parts: { total: 1, hash: 'AA' } },
  },
  commit: { height: '2048', round: 0, block_id: { hash: toHex(hash).toUpperCase() } },
  dah: { row_roots: ['AA=='], column_roots: ['AA=='] },
}

/** As a DA node without a consensus layer answers. */
const short = {
  header: { chain_id: '', height: 0, time: '0001-01-01T00:00:00Z' },
  commit: { height: 0 },
  dah: { row_roots: null, column_roots: null },
  height: '7',
  chain_id: 'local-da',
  time: '2024-05-01T12:00:00.5+02:00',
}

test('a full header is read', () => {
  expect(headerFromJson(full)).toEqual({
    height: 2048,
    hash,
    previousHash: below,
    time: 1_714_564_800_123_456_789n,
  })
})

test('a short header is read: what stands outside counts where the inside is empty', () => {
  expect(headerFromJson(short)).toEqual({
    height: 7,
    hash: new Uint8Array(),
    previousHash: new Uint8Array(),
    time: 1_714_557_600_500_000_000n,
  })
})

test('a chain without blocks is at height 0', () => {
  expect(headerFromJson({ header: { height: 0 } })).toMatchObject({ height: 0, time: 0n })
})

test.each([
  ['null', null],
  ['a text', 'header'],
  ['no height', { header: { time: full.header.time } }],
  ['a negative height', { header: { height: -1 } }],
  ['a broken height', { header: { height: '12x' } }],
  ['a height above 2^53 − 1', { header: { height: '9007199254740993' } }],
  ['a time that is none', { header: { height: 1, time: 'yesterday' } }],
  ['a time as a number', { header: { height: 1, time: 5 } }],
  ['a day that no month has', { header: { height: 1, time: '2024-02-30T00:00:00Z' } }],
  ['a short hash', { header: { height: 1 }, commit: { block_id: { hash: 'ABCD' } } }],
  ['a hash that is no hex', { header: { height: 1, last_block_id: { hash: 'xy'.repeat(32) } } }],
])('%s is malformed', (_name, json) => {
  expect(() => headerFromJson(json)).toThrow(expect.objectContaining({ code: 'DA_MALFORMED' }))
})

test('whatever comes is a header or DA_MALFORMED', () => {
  const part = fc.oneof(fc.anything(), fc.string(), fc.nat())
  const odd = fc.record(
    {
      height: part,
      time: part,
      header: fc.oneof(fc.anything(), fc.record({ height: part, time: part, last_block_id: part })),
      commit: fc.oneof(fc.anything(), fc.record({ block_id: fc.record({ hash: part }) })),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.anything(), odd), (json) => {
      try {
        const header = headerFromJson(json)
        expect(Number.isSafeInteger(header.height)).toBe(true)
      } catch (error) {
        expect(isEvolveError(error, 'DA_MALFORMED')).toBe(true)
      }
    }),
  )
})

test('times keep every nanosecond', () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date('1970-01-02'), max: new Date('9999-01-01'), noInvalidDate: true }),
      fc.nat(999_999_999),
      (date, nanoseconds) => {
        const text = `${date.toISOString().slice(0, 19)}.${String(nanoseconds).padStart(9, '0')}Z`
        const seconds = BigInt(Math.floor(date.getTime() / 1000))
        expect(readTime(text)).toBe(seconds * 1_000_000_000n + BigInt(nanoseconds))
      },
    ),
  )
})

test('heights come as numbers or as decimal text', () => {
  expect(['5', 5, '0', 0, 2 ** 53 - 1].map(readHeight)).toEqual([5, 5, 0, 0, 2 ** 53 - 1])
  expect([' 5', '5.0', '-5', 1.5, 2 ** 53, Number.NaN, null, undefined, [], '0x5'].map(readHeight)).toEqual(
    Array(10).fill(undefined),
  )
})
