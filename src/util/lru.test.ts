import { describe, expect, test } from 'vitest'
import { LruCache } from './lru.ts'

function filled(): LruCache<string, number> {
  const cache = new LruCache<string, number>(3)
  cache.set('a', 1)
  cache.set('b', 2)
  cache.set('c', 3)
  return cache
}

describe('a cache', () => {
  test('drops what was used longest ago', () => {
    const cache = filled()
    expect(cache.get('a')).toBe(1)
    cache.set('d', 4)
    expect(cache.get('b')).toBeUndefined()
    expect(['a', 'c', 'd'].map((key) => cache.get(key))).toEqual([1, 3, 4])
    expect(cache.size).toBe(3)
  })

  test('counts writing as using, asking whether it is there not', () => {
    const cache = filled()
    cache.set('a', 10)
    expect(cache.has('b')).toBe(true)
    cache.set('d', 4)
    expect(cache.has('b')).toBe(false)
    expect(cache.get('a')).toBe(10)
  })

  test('forgets one or all', () => {
    const cache = filled()
    expect(cache.delete('a')).toBe(true)
    expect(cache.delete('a')).toBe(false)
    expect(cache.size).toBe(2)
    cache.clear()
    expect(cache.size).toBe(0)
    expect(cache.get('b')).toBeUndefined()
  })

  test('of no capacity holds nothing', () => {
    const cache = new LruCache<string, number>(0)
    cache.set('a', 1)
    expect(cache.size).toBe(0)
  })
})
