import { expect, test } from 'vitest'
import { createItemCache } from './item-cache.ts'

test('the least recently used leaves when there are too many', () => {
  const cache = createItemCache<string>(2, 1000)
  cache.set(1, 'a', 1)
  cache.set(2, 'b', 1)
  expect(cache.get(1)).toBe('a')
  cache.set(3, 'c', 1)
  expect(cache.get(2)).toBeUndefined()
  expect([cache.get(1), cache.get(3), cache.size]).toEqual(['a', 'c', 2])
})

test('bytes are bounded whatever the count', () => {
  const cache = createItemCache<string>(100, 10)
  for (let height = 1; height <= 5; height++) cache.set(height, 'x', 4)
  expect([cache.size, cache.bytes]).toEqual([2, 8])
  cache.set(6, 'too large for the cache alone', 11)
  expect([cache.size, cache.bytes]).toEqual([0, 0])
})

test('setting again replaces, deleting and clearing give the bytes back', () => {
  const cache = createItemCache<string>(10, 100)
  cache.set(1, 'a', 30)
  cache.set(1, 'b', 20)
  expect([cache.get(1), cache.bytes]).toEqual(['b', 20])
  cache.set(2, 'c', 5)
  cache.delete(1)
  cache.delete(1)
  expect(cache.bytes).toBe(5)
  cache.clear()
  expect([cache.size, cache.bytes]).toEqual([0, 0])
})
