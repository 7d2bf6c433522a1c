import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { createTokenBucket } from './token-bucket.ts'

describe('token bucket', () => {
  test('is full at first and fills again with time', async () => {
    const time = createVirtualEnv()
    const bucket = createTokenBucket(time.env, 10, 5)
    expect(bucket.wait(10)).toBe(0)
    bucket.take(10)
    expect(bucket.wait(1)).toBe(200)
    await time.advance(200)
    expect(bucket.wait(1)).toBe(0)
    await time.advance(60_000)
    bucket.take(10)
    expect(bucket.wait(1)).toBe(200)
  })

  test('an overdrawn one makes everybody wait for the debt', async () => {
    const time = createVirtualEnv()
    const bucket = createTokenBucket(time.env, 10, 10)
    bucket.take(25)
    expect(bucket.wait(5)).toBe(2_000)
  })

  test('more than it holds waits for a full one, not for ever', () => {
    const bucket = createTokenBucket(createVirtualEnv().env, 10, 10)
    expect(bucket.wait(1_000)).toBe(0)
    bucket.take(10)
    expect(bucket.wait(1_000)).toBe(1_000)
  })

  test('never gives more in a time than its capacity and what flowed in', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 1, max: 20 })), {
          maxLength: 30,
        }),
        async (steps) => {
          const time = createVirtualEnv()
          const bucket = createTokenBucket(time.env, 50, 40)
          let given = 0
          for (const [ms, amount] of steps) {
            await time.advance(ms)
            if (bucket.wait(amount) > 0) continue
            bucket.take(amount)
            given += amount
          }
          expect(given).toBeLessThanOrEqual(50 + (time.env.monotonic() * 40) / 1000)
        },
      ),
      { numRuns: 30 },
    )
  })
})
