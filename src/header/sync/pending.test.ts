import { expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createPendingItems, type PendingItems } from './pending.ts'

const chain = makeDummies(50)

function item(height: number): DummyItem {
  const found = chain[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return found
}

function pendingOf(
  heights: readonly number[],
  limits: { maxItems?: number; maxBytes?: number } = {},
): PendingItems<DummyItem> {
  const pending = createPendingItems(dummyKind, { maxItems: 100, maxBytes: 1e9, ...limits })
  for (const height of heights) pending.add(item(height))
  return pending
}

const heights = (items: readonly DummyItem[]): number[] => items.map(({ height }) => height)

test('items come out in ascending order whatever order they came in', () => {
  const pending = pendingOf([9, 4, 5, 12, 6])
  expect([pending.size, pending.highest]).toEqual([5, 12])
  expect(heights(pending.run(4, 10))).toEqual([4, 5, 6])
  expect(heights(pending.run(4, 2))).toEqual([4, 5])
  expect(heights(pending.run(7, 10))).toEqual([])
  expect([pending.next(1), pending.next(5), pending.next(7), pending.next(13)]).toEqual([4, 5, 9, undefined])
  expect([pending.below(4), pending.below(5)?.height, pending.below(100)?.height]).toEqual([undefined, 4, 12])
  expect([pending.at(5), pending.at(7)]).toEqual([item(5), undefined])
})

test('what is taken is gone', () => {
  const pending = pendingOf([4, 5, 9])
  expect(heights(pending.take(3))).toEqual([])
  expect(heights(pending.take(5))).toEqual([4, 5])
  expect(heights(pending.take(100))).toEqual([9])
  expect([pending.size, pending.bytes, pending.highest]).toEqual([0, 0, 0])
})

test('the first item of a height stays', () => {
  const pending = pendingOf([4])
  expect(pending.add({ ...item(4), payload: 'another' })).toBe(false)
  expect(pending.at(4)).toEqual(item(4))
})

test('one that does not fit is passed over but kept for comparison', () => {
  const pending = pendingOf([4, 5, 6])
  pending.misfit(5)
  expect(heights(pending.run(4, 10))).toEqual([4])
  expect(pending.next(5)).toBe(6)
  expect(heights(pending.take(6))).toEqual([4, 5, 6])
})

test('the furthest leave first when there are too many', () => {
  const pending = pendingOf([10, 20, 30], { maxItems: 3 })
  expect(pending.add(item(40))).toBe(false)
  expect(pending.add(item(5))).toBe(true)
  expect(heights(pending.take(100))).toEqual([5, 10, 20])
})

test('bytes are bounded too', () => {
  const size = dummyKind.encode(item(10)).length
  const pending = pendingOf([10, 11, 12], { maxBytes: 2 * size })
  expect(heights(pending.take(100))).toEqual([10, 11])
  const small = createPendingItems(dummyKind, { maxItems: 10, maxBytes: 100 })
  expect(small.add({ ...item(3), payload: 'x'.repeat(200) })).toBe(false)
  expect([small.size, small.bytes]).toEqual([0, 0])
})
