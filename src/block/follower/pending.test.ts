import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventOf, makeExecutedChain } from '../../../test/support/executed-chain.ts'
import type { HeightEvent } from '../../core/block-source.ts'
import { blockBytes } from '../block-bytes.ts'
import { Pending } from './pending.ts'

const chain = makeExecutedChain({ count: 1 })

function event(height: number, bytes = 0): HeightEvent {
  const { header, data } = chain.at(1)
  return { ...eventOf({ header, data: { ...data, txs: [new Uint8Array(bytes)] } }), height }
}
const options = { maxAhead: 10, maxBytes: 1e9, maxPerHeight: 2 }
const heights = (events: readonly HeightEvent[]): number[] => events.map(({ height }) => height)

describe('parked blocks', () => {
  test('come back at their height, those of the expected proposer first', () => {
    const pending = new Pending(options)
    const stranger = event(5)
    const honest = event(5)
    pending.park(stranger, { key: 'a', expected: false, next: 1 })
    pending.park(honest, { key: 'b', expected: true, next: 1 })
    expect(pending.take(4)).toBeUndefined()
    expect(pending.take(5)).toBe(honest)
    expect(pending.take(5)).toBe(stranger)
    expect(pending.take(5)).toBeUndefined()
    expect([pending.size, pending.bytes]).toEqual([0, 0])
  })

  test('a repeated one is kept once and not reported as dropped', () => {
    const pending = new Pending(options)
    expect(pending.park(event(5), { key: 'a', expected: true, next: 1 })).toEqual([])
    expect(pending.park(event(5), { key: 'a', expected: true, next: 1 })).toEqual([])
    expect(pending.size).toBe(1)
  })

  test('too far ahead is let go at once', () => {
    const pending = new Pending(options)
    expect(heights(pending.park(event(12), { key: 'a', expected: true, next: 1 }))).toEqual([12])
    expect(heights(pending.park(event(11), { key: 'a', expected: true, next: 1 }))).toEqual([])
  })

  test('a full height lets go of what the expected proposer did not sign, never the other way', () => {
    const pending = new Pending(options)
    const [first, second, third] = [event(5, 1), event(5, 2), event(5, 3)]
    pending.park(first, { key: 'a', expected: false, next: 1 })
    pending.park(second, { key: 'b', expected: true, next: 1 })
    const [refused] = pending.park(third, { key: 'c', expected: false, next: 1 })
    expect(refused).toBe(third)
    const [displaced] = pending.park(third, { key: 'd', expected: true, next: 1 })
    expect(displaced).toBe(first)
    const fourth = event(5, 4)
    const [late] = pending.park(fourth, { key: 'e', expected: true, next: 1 })
    expect(late).toBe(fourth)
    expect(pending.size).toBe(2)
  })

  test('too many bytes: the farthest goes first, even when it is the new one', () => {
    const pending = new Pending({ ...options, maxBytes: 2.5 * blockBytes(event(1)) })
    pending.park(event(7), { key: 'a', expected: true, next: 1 })
    pending.park(event(5), { key: 'a', expected: true, next: 1 })
    expect(heights(pending.park(event(6), { key: 'a', expected: true, next: 1 }))).toEqual([7])
    expect(heights(pending.park(event(8), { key: 'a', expected: true, next: 1 }))).toEqual([8])
    expect(pending.size).toBe(2)
  })

  test('all of a height can be taken at once, and everything be forgotten', () => {
    const pending = new Pending(options)
    pending.park(event(5), { key: 'a', expected: true, next: 1 })
    pending.park(event(5), { key: 'b', expected: true, next: 1 })
    pending.park(event(6), { key: 'a', expected: true, next: 1 })
    expect(pending.takeAll(5)).toHaveLength(2)
    expect(pending.size).toBe(1)
    pending.clear()
    expect([pending.size, pending.bytes, pending.take(6)]).toEqual([0, 0, undefined])
  })

  test('whatever comes: within all bounds, nothing is lost unreported, and the nearest stays', () => {
    const step = fc.record({
      ahead: fc.integer({ min: 1, max: 14 }),
      key: fc.constantFrom('a', 'b', 'c', 'd'),
      expected: fc.boolean(),
      bytes: fc.integer({ min: 0, max: 3_000 }),
      take: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const maxBytes = 6 * blockBytes(event(1)) + 9_000
        const pending = new Pending({ ...options, maxBytes })
        const held = new Set<HeightEvent>()
        let next = 1
        for (const { ahead, key, expected, bytes, take } of steps) {
          const one = event(next + ahead, bytes)
          const before = pending.size
          const dropped = pending.park(one, { key, expected, next })
          // A repeated one leaves everything as it was.
          if (dropped.length > 0 || pending.size > before) held.add(one)
          for (const gone of dropped) expect(held.delete(gone)).toBe(true)
          const farthest = Math.max(0, ...heights([...held]))
          // At its own height a block may also have pushed out another one.
          for (const gone of dropped) {
            if (gone.height !== one.height) expect(gone.height).toBeGreaterThanOrEqual(farthest)
          }
          expect(pending.size).toBe(held.size)
          expect(pending.bytes).toBeLessThanOrEqual(maxBytes)
          for (const { height } of held) {
            expect(height - next).toBeLessThanOrEqual(options.maxAhead)
            const here = [...held].filter((other) => other.height === height)
            expect(here.length).toBeLessThanOrEqual(options.maxPerHeight)
          }
          if (take) {
            next++
            for (const taken of pending.takeAll(next)) expect(held.delete(taken)).toBe(true)
          }
        }
      }),
      { numRuns: 300 },
    )
  })
})
