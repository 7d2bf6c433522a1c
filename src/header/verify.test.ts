import { describe, expect, test } from 'vitest'
import type { ItemKind } from '../core/header.ts'
import { type DummyItem, dummyKind, makeDummies } from '../../test/support/dummy-item.ts'
import { EvolveError } from '../util/errors.ts'
import { checkTime, isSoftFailure, verify, verifyRange } from './verify.ts'

const chain = makeDummies(10)
const at = (height: number): DummyItem => {
  const item = chain[height - 1]
  if (item === undefined) throw new Error(`no dummy ${height}`)
  return item
}
const now = at(10).time
const SECOND = 1_000_000_000n

function failure(run: () => void): EvolveError {
  try {
    run()
  } catch (error) {
    if (error instanceof EvolveError) return error
    throw error
  }
  throw new Error('expected a failure')
}

describe('verify', () => {
  test('accepts the next item and one further up', () => {
    expect(() => verify(dummyKind, at(3), at(4), now)).not.toThrow()
    expect(() => verify(dummyKind, at(3), at(9), now)).not.toThrow()
  })

  test('refuses another chain before anything else', () => {
    const other = { ...at(2), chainId: 'other' }
    expect(failure(() => verify(dummyKind, at(3), other, now))).toMatchObject({
      code: 'WRONG_CHAIN_ID',
      verdict: 'reject',
    })
  })

  test.each([2, 3])('item %i is known when 3 is trusted, and nobody is punished', (height) => {
    expect(failure(() => verify(dummyKind, at(3), at(height), now))).toMatchObject({
      code: 'KNOWN_HEADER',
      verdict: 'ignore',
    })
  })

  test('time may stand still but not go back', () => {
    verify(dummyKind, at(3), { ...at(4), time: at(3).time }, now)
    const early = { ...at(4), time: at(3).time - 1n }
    expect(failure(() => verify(dummyKind, at(3), early, now))).toMatchObject({
      code: 'UNORDERED_TIME',
      verdict: 'reject',
    })
  })

  test.each([
    ['+9 s', 9n, undefined],
    ['+10 s', 10n, undefined],
    ['+11 s', 11n, 'ignore'],
    ['+60 s', 60n, 'ignore'],
    ['+61 s', 61n, 'reject'],
  ] as const)('an item of %s: %s', (_name, ahead, verdict) => {
    const item = { ...at(9), time: now + ahead * SECOND }
    if (verdict === undefined) {
      checkTime(dummyKind, item, now)
      verify(dummyKind, at(3), item, now)
      return
    }
    for (const run of [() => checkTime(dummyKind, item, now), () => verify(dummyKind, at(3), item, now)]) {
      expect(failure(run)).toMatchObject({ code: 'FROM_FUTURE', verdict, data: { aheadNs: ahead * SECOND } })
    }
  })

  test('a broken link between neighbours is a hard failure with its reason', () => {
    const error = failure(() => verify(dummyKind, at(3), { ...at(4), previous: at(2).previous }, now))
    expect(error).toMatchObject({ code: 'VERIFY_FAILED', verdict: 'reject', data: { soft: false } })
    expect(error.cause).toMatchObject({ code: 'LAST_HEADER_HASH_MISMATCH' })
    expect(isSoftFailure(error)).toBe(false)
  })

  test('the kind may doubt a distant item: a soft failure', () => {
    const doubting: ItemKind<DummyItem> = {
      ...dummyKind,
      verifyNonAdjacent() {
        throw new Error('too far')
      },
    }
    const error = failure(() => verify(doubting, at(3), at(5), now))
    expect(error).toMatchObject({ code: 'VERIFY_FAILED', verdict: 'ignore', data: { soft: true } })
    expect(isSoftFailure(error)).toBe(true)
    verify(doubting, at(3), at(4), now)
  })
})

describe('verifyRange', () => {
  test('the first may be apart, the rest must follow', () => {
    expect(verifyRange(dummyKind, at(1), chain.slice(4), now)).toEqual({ verified: 6 })
    const gapped = [at(2), at(3), at(5), at(6)]
    expect(verifyRange(dummyKind, at(1), gapped, now)).toMatchObject({
      verified: 2,
      error: { code: 'NON_ADJACENT_RANGE', verdict: 'reject' },
    })
  })

  test('nothing is an error', () => {
    expect(verifyRange(dummyKind, at(1), [], now)).toMatchObject({
      verified: 0,
      error: { code: 'EMPTY_RANGE' },
    })
  })

  test('the good items before the bad one are counted', () => {
    const items = [at(2), at(3), { ...at(4), chainId: 'other' }, at(5)]
    expect(verifyRange(dummyKind, at(1), items, now)).toMatchObject({
      verified: 2,
      error: { code: 'WRONG_CHAIN_ID' },
    })
    expect(verifyRange(dummyKind, at(1), [at(2), at(2)], now)).toMatchObject({
      verified: 1,
      error: { code: 'KNOWN_HEADER' },
    })
  })
})
