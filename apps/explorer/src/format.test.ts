import { describe, expect, test } from 'vitest'
import { formatAge, formatBytes, formatCount, formatDuration, formatRate, shorten } from './format.ts'

describe('numbers', () => {
  test.each([
    [0, '0'],
    [12_345, '12,345'],
    [Number.MAX_SAFE_INTEGER, '9,007,199,254,740,991'],
  ])('count %d', (count, text) => expect(formatCount(count)).toBe(text))

  test.each([
    [0, '0.0'],
    [0.04, '0.0'],
    [9.96, '10.0'],
    [99.94, '99.9'],
    [4_120.4, '4,120'],
  ])('rate %d', (rate, text) => expect(formatRate(rate)).toBe(text))

  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [5_242_880, '5.2 MB'],
  ])('size %d', (bytes, text) => expect(formatBytes(bytes)).toBe(text))
})

describe('times', () => {
  test.each([
    [-5, '0 s'],
    [999, '1 s'],
    [59_400, '59 s'],
    [59_600, '1 min'],
    [200_000, '3 min 20 s'],
    [3_600_000, '1 h'],
    [18_720_000, '5 h 12 min'],
    [187_200_000, '2 d 4 h'],
  ])('duration %d', (ms, text) => expect(formatDuration(ms)).toBe(text))

  test.each([
    [10_000, 10_400, 'now'],
    // The node's clock is ahead.
    [10_000, 9_000, 'now'],
    [10_000, 22_000, '12 s ago'],
    [10_000, 69_999, '59 s ago'],
    [10_000, 209_000, '3 min ago'],
    [10_000, 7_300_000, '2 h ago'],
    [10_000, 400_000_000_000, '4,629 d ago'],
  ])('age of %d at %d', (time, now, text) => expect(formatAge(time, now)).toBe(text))
})

test('a short text is not shortened', () => {
  expect(shorten('abcdefghijk', 5, 5)).toBe('abcdefghijk')
  expect(shorten('abcdefghijkl', 5, 5)).toBe('abcde…hijkl')
})
