import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  covers,
  decodeOutstanding,
  encodeOutstanding,
  MAX_OUTSTANDING,
  type Posted,
  within,
  withPosted,
} from './outstanding.ts'

const anyPosted: fc.Arbitrary<Posted> = fc
  .record({ from: fc.nat(1_000), more: fc.nat(20), daHeight: fc.maxSafeNat() })
  .map(({ from, more, daHeight }) => ({ from, to: from + more, daHeight, found: false }))

describe('submissions that are not final', () => {
  test('go to bytes and back', () => {
    fc.assert(
      fc.property(fc.array(anyPosted), (all) => {
        expect(decodeOutstanding(encodeOutstanding(all))).toEqual(all)
      }),
    )
  })

  test('are not read out of anything else', () => {
    const [from, daHeight] = [5, 7]
    const backwards = encodeOutstanding([{ from, to: 4, daHeight, found: false }])
    for (const bytes of [new Uint8Array(23), new Uint8Array(24).fill(0xff), backwards]) {
      expect(decodeOutstanding(bytes)).toBeUndefined()
    }
  })

  test('stay within their bound: no height is forgotten, none is looked for too early', () => {
    fc.assert(
      fc.property(
        fc.array(anyPosted, { minLength: MAX_OUTSTANDING, maxLength: MAX_OUTSTANDING + 100 }),
        (all) => {
          const kept = all.reduce<readonly Posted[]>(withPosted, [])
          expect(kept.length).toBe(MAX_OUTSTANDING)
          for (const { from, to, daHeight } of all) {
            const holder = kept.find((one) => one.from <= from && to <= one.to && one.daHeight >= daHeight)
            expect(holder).toBeDefined()
          }
        },
      ),
      { numRuns: 20 },
    )
  })

  test('cover the heights between their ends, and can be cut', () => {
    const all = [
      { from: 2, to: 4, daHeight: 1, found: true },
      { from: 7, to: 9, daHeight: 2, found: false },
    ]
    expect([1, 2, 4, 5, 7, 9, 10].filter((height) => covers(all, height))).toEqual([2, 4, 7, 9])
    expect(within(all, 4, 7)).toEqual([
      { from: 4, to: 4, daHeight: 1, found: true },
      { from: 7, to: 7, daHeight: 2, found: false },
    ])
    expect(within(all, 5, 6)).toEqual([])
    expect(within(all, 1, Infinity)).toBe(all)
  })
})
