import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatDuration, fromMilliseconds, parseDuration, toMilliseconds } from './duration.ts'

/** Text, nanoseconds, and how Go 1.25 writes them. */
const GO: readonly (readonly [string, bigint, string])[] = [
  ['0', 0n, '0s'],
  ['-0', 0n, '0s'],
  ['+5s', 5_000_000_000n, '5s'],
  ['-5s', -5_000_000_000n, '-5s'],
  ['1478s', 1_478_000_000_000n, '24m38s'],
  ['5.s', 5_000_000_000n, '5s'],
  ['.5s', 500_000_000n, '500ms'],
  ['1.0040s', 1_004_000_000n, '1.004s'],
  ['100.00100s', 100_001_000_000n, '1m40.001s'],
  ['10ns', 10n, '10ns'],
  ['11us', 11_000n, '11µs'],
  ['12µs', 12_000n, '12µs'],
  ['12μs', 12_000n, '12µs'],
  ['13ms', 13_000_000n, '13ms'],
  ['100ms', 100_000_000n, '100ms'],
  ['1.5s', 1_500_000_000n, '1.5s'],
  ['1m0s', 60_000_000_000n, '1m0s'],
  ['2m30s', 150_000_000_000n, '2m30s'],
  ['15m', 900_000_000_000n, '15m0s'],
  ['1h', 3_600_000_000_000n, '1h0m0s'],
  ['10.5s4m', 250_500_000_000n, '4m10.5s'],
  ['-2m3.4s', -123_400_000_000n, '-2m3.4s'],
  ['1h2m3s4ms5us6ns', 3_723_004_005_006n, '1h2m3.004005006s'],
  ['0.1ns', 0n, '0s'],
  ['0.3333333333333333333h', 1_200_000_000_000n, '20m0s'],
  ['0.830103483285477580700h', 2_988_372_539_827n, '49m48.372539827s'],
  ['0.9223372036854775807h', 3_320_413_933_267n, '55m20.413933267s'],
  ['9007199254740993ns', 9_007_199_254_740_993n, '2501h59m59.254740993s'],
  ['9223372036854775.807us', 9_223_372_036_854_775_807n, '2562047h47m16.854775807s'],
  ['-9223372036854775808ns', -9_223_372_036_854_775_808n, '-2562047h47m16.854775808s'],
]

const REFUSED = [
  '',
  '3',
  '-',
  's',
  '.',
  '-.',
  '.s',
  '+.s',
  '1d',
  'hello',
  '1 s',
  ' 1s',
  '1s ',
  '1S',
  '1e3s',
  '1_0s',
  '--1s',
  '9223372036854775808ns',
  '-9223372036854775809ns',
  '3000000h',
  '9223372036854775.808us',
  '100000000000000000000s',
]

describe('durations', () => {
  test.each(GO)('%s is %s ns and written %s', (text, nanoseconds, written) => {
    expect(parseDuration(text)).toBe(nanoseconds)
    expect(formatDuration(nanoseconds)).toBe(written)
  })

  test.each(REFUSED)('%j is refused', (text) => {
    expect(() => parseDuration(text)).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
  })

  test('what is written reads back as the same', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (nanoseconds) => {
        expect(parseDuration(formatDuration(nanoseconds))).toBe(nanoseconds)
      }),
    )
  })

  test('milliseconds hold every nanosecond of twenty days', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 20n * 86_400n * 1_000_000_000n }), (nanoseconds) => {
        expect(fromMilliseconds(toMilliseconds(nanoseconds))).toBe(nanoseconds)
      }),
    )
  })
})
