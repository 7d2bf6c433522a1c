import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { SERVER_LIMITS } from './limits.ts'
import { createThrottle } from './throttle.ts'

const rate = { items: 100, itemsPerSecond: 10, bytes: 1_000, bytesPerSecond: 100 }
const misses = { answers: 2, answersPerSecond: 4 }

describe('throttle', () => {
  test('by default, a chain of 1.9 million headers may be had as fast as it goes', () => {
    const throttle = createThrottle(createVirtualEnv().env, () => false, {
      peer: SERVER_LIMITS.peerRate,
      total: SERVER_LIMITS.totalRate,
      misses: SERVER_LIMITS.missRate,
    })
    let waited = 0
    for (let had = 0; had < 1_900_000; had += 64) {
      const load = { items: 64, bytes: 64 * 500 }
      waited += throttle.wait('a', load)
      throttle.take('a', load)
    }
    expect(waited).toBe(0)
  })

  test('holds back a peer above its rate of items, and of bytes', () => {
    const throttle = createThrottle(createVirtualEnv().env, () => false, {
      peer: rate,
      total: { ...rate, items: 1_000, bytes: 10_000 },
      misses,
    })
    throttle.take('a', { items: 100, bytes: 0 })
    expect(throttle.wait('a', { items: 1, bytes: 0 })).toBe(100)
    expect(throttle.wait('b', { items: 1, bytes: 0 })).toBe(0)
    throttle.take('b', { items: 0, bytes: 1_000 })
    expect(throttle.wait('b', { items: 1, bytes: 50 })).toBe(500)
  })

  test('strangers together cannot take what is for configured peers', () => {
    const throttle = createThrottle(createVirtualEnv().env, (peer) => peer === 'friend', {
      peer: rate,
      total: { ...rate, items: 150 },
      misses,
    })
    throttle.take('a', { items: 100, bytes: 0 })
    throttle.take('b', { items: 100, bytes: 0 })
    expect(throttle.wait('c', { items: 1, bytes: 0 })).toBeGreaterThan(0)
    expect(throttle.wait('friend', { items: 1, bytes: 0 })).toBe(0)
  })

  test('what is not there is said at once a few times, then more slowly', async () => {
    const time = createVirtualEnv()
    const throttle = createThrottle(time.env, () => false, { peer: rate, total: rate, misses })
    expect([throttle.miss('a'), throttle.miss('a'), throttle.miss('a'), throttle.miss('a')]).toEqual([
      0, 0, 250, 500,
    ])
    expect(throttle.miss('b')).toBe(0)
    await time.advance(10_000)
    expect(throttle.miss('a')).toBe(0)
  })
})
