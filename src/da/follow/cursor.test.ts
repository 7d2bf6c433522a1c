import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import {
  type Cursor,
  decodeCursor,
  encodeCursor,
  isNews,
  lostDaHeight,
  rewound,
  settleDoubts,
  withDoubt,
  withLost,
} from './cursor.ts'

const fresh: Cursor = {
  next: 100,
  first: 1,
  strictFrom: undefined,
  proposer: EMPTY_BYTES,
  stores: { header: 0, data: 0 },
  lost: {},
  doubts: [],
  unmarkFrom: undefined,
}

const height = fc.maxSafeNat()
const lost = fc.record({ daHeight: height, height, since: height })
const anyCursor: fc.Arbitrary<Cursor> = fc.record({
  next: height,
  first: height,
  strictFrom: fc.option(height, { nil: undefined }),
  proposer: fc.uint8Array({ maxLength: 40 }),
  stores: fc.record({ header: height, data: height }),
  lost: fc.record({ header: lost, data: lost }, { requiredKeys: [] }),
  doubts: fc.array(lost, { maxLength: 2 }),
  unmarkFrom: fc.option(height, { nil: undefined }),
})

const half = (kind: 'header' | 'data', at: number, daHeight: number) => ({
  name: { kind, height: at, hash: EMPTY_BYTES },
  daHeight,
})

describe('the cursor', () => {
  test('comes back from its record as it was', () => {
    fc.assert(
      fc.property(anyCursor, (cursor) => {
        expect(decodeCursor(encodeCursor(cursor))).toEqual(cursor)
      }),
    )
  })

  test('is not read from anything else', () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"next":1}',
      '{"next":-1,"proposer":"","stores":{"header":0,"data":0}}',
    ]) {
      expect(decodeCursor(utf8(text))).toBeUndefined()
    }
  })

  test('is read from a record that does not say where reading began', () => {
    const record = '{"next":7,"proposer":"","stores":{"header":5,"data":4},"lost":{},"doubts":[]}'
    expect(decodeCursor(utf8(record))).toEqual({
      ...fresh,
      next: 7,
      first: 0,
      stores: { header: 5, data: 4 },
    })
  })

  test('is worth writing when anything but the heights of the stores has changed, or these have fallen', () => {
    const written = { ...fresh, stores: { header: 5, data: 4 } }
    expect(isNews(undefined, written)).toBe(true)
    expect(isNews(written, { ...written })).toBe(false)
    expect(isNews(written, { ...written, stores: { header: 9, data: 4 } })).toBe(false)
    expect(isNews(written, { ...written, stores: { header: 9, data: 3 } })).toBe(true)
    expect(isNews(written, { ...written, stores: { header: 4, data: 9 } })).toBe(true)
    for (const change of [
      { next: 101 },
      { first: 0 },
      { strictFrom: 3 },
      { proposer: utf8('another') },
      { lost: { header: { daHeight: 1, height: 1, since: 1 } } },
      { doubts: [{ daHeight: 1, height: 1, since: 1 }] },
      { unmarkFrom: 2 },
    ]) {
      expect(isNews(written, { ...written, ...change })).toBe(true)
    }
  })

  test('goes back for the lowest that was let go of, once the stores have come near and moved', () => {
    let cursor = withLost(fresh, half('header', 50, 20), { header: 10, data: 5 })
    cursor = withLost(cursor, half('header', 60, 10), { header: 49, data: 5 })
    expect(lostDaHeight(cursor, { header: 48, data: 5 })).toBeUndefined()
    expect(lostDaHeight(cursor, { header: 49, data: 5 })).toBe(10)
    const back = rewound(cursor, 10)
    expect([back.next, back.lost]).toEqual([10, {}])
    // The one that is needed next was let go of again: only when something moves.
    const again = withLost(back, half('header', 50, 20), { header: 49, data: 5 })
    expect(lostDaHeight(again, { header: 49, data: 5 })).toBeUndefined()
    expect(lostDaHeight(again, { header: 49, data: 6 })).toBe(20)
  })

  test('remembers what lies below where it goes back to', () => {
    const cursor = withLost(
      withLost(fresh, half('header', 50, 20), fresh.stores),
      half('data', 9, 4),
      fresh.stores,
    )
    expect(rewound(cursor, 20).lost).toEqual({ data: { daHeight: 4, height: 9, since: 0 } })
  })

  test('forgets doubts once the proposers of their heights are certain, however many come', () => {
    let cursor = withDoubt(fresh, 5, 30)
    cursor = withDoubt(cursor, 8, 40)
    cursor = withDoubt(cursor, 9, 35)
    expect(cursor.doubts).toHaveLength(2)
    expect(settleDoubts(cursor, 29).doubts).toHaveLength(2)
    cursor = settleDoubts(cursor, 30)
    expect(cursor.doubts).toEqual([{ daHeight: 8, height: 40, since: 0 }])
    expect(settleDoubts(cursor, 40).doubts).toEqual([])
  })
})
