import { describe, expect, test } from 'vitest'
import { createStrategy, type Ready, type StrategyName, type StrategyOptions } from './strategy.ts'

function wait(strategy: StrategyName, ready: Partial<Ready>, options: Partial<StrategyOptions> = {}): number {
  const decide = createStrategy({
    strategy,
    sizeThreshold: 0.8,
    maxBlobBytes: 1_000,
    maxDelay: 6_000,
    minItems: 1,
    ...options,
  })
  return decide({ items: 2, bytes: 100, full: false, sinceLast: 0, ...ready })
}

describe('a strategy', () => {
  test.each(['immediate', 'size', 'time', 'adaptive'] as const)(
    '%s: nothing waits for ever, full for nothing',
    (name) => {
      expect(wait(name, { items: 0, bytes: 0, sinceLast: 1e9 })).toBe(Infinity)
      expect(wait(name, { full: true })).toBe(0)
      expect(wait(name, { full: true }, { minItems: 10 })).toBe(0)
    },
  )

  test.each<[StrategyName, Partial<Ready>, Partial<StrategyOptions>, number]>([
    ['immediate', { items: 1 }, { minItems: 10 }, 0],
    ['size', { bytes: 799 }, {}, Infinity],
    ['size', { bytes: 800 }, {}, 0],
    ['size', { bytes: 800, items: 2 }, { minItems: 3 }, Infinity],
    ['size', { bytes: 500 }, { sizeThreshold: 0.5 }, 0],
    ['size', { bytes: 799 }, { sizeThreshold: 0 }, Infinity],
    ['size', { bytes: 800 }, { sizeThreshold: 1.5 }, 0],
    ['size', { sinceLast: 1e9 }, {}, Infinity],
    ['time', { sinceLast: 5_000 }, {}, 1_000],
    ['time', { sinceLast: 6_000 }, {}, 0],
    ['time', { sinceLast: 9_000 }, {}, 0],
    ['time', { sinceLast: 9_000, items: 2 }, { minItems: 3 }, Infinity],
    ['time', { bytes: 1_000 }, {}, 6_000],
    ['adaptive', { bytes: 800 }, {}, 0],
    ['adaptive', { sinceLast: 6_000 }, {}, 0],
    ['adaptive', { sinceLast: 1_000 }, {}, 5_000],
    ['adaptive', { bytes: 800, sinceLast: 6_000 }, { minItems: 3 }, Infinity],
    ['adaptive', { items: 1, sinceLast: 6_000 }, { minItems: 0 }, 0],
  ])('%s with %j and %j waits %d ms', (name, ready, options, expected) => {
    expect(wait(name, ready, options)).toBe(expected)
  })
})
