import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { eventOf, makeExecutedChain } from '../../../test/support/executed-chain.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import type { HeightEvent } from '../../core/block-source.ts'
import { blockBytes } from '../block-bytes.ts'
import { EventQueue } from './event-queue.ts'

const chain = makeExecutedChain({ count: 1 })
const { signal } = new AbortController()

/** An event with a number instead of a real height, and so many bytes of transactions. */
function event(height: number, bytes = 0): HeightEvent {
  const { header, data } = chain.at(1)
  return { ...eventOf({ header, data: { ...data, txs: [new Uint8Array(bytes)] } }), height }
}
const EMPTY_SIZE = blockBytes(event(1))

describe('the queue of events', () => {
  test('gives them back in order', async () => {
    const queue = new EventQueue(10, 1e9)
    for (const height of [3, 1, 2]) await queue.push(event(height), signal)
    const heights = []
    for (let i = 0; i < 3; i++) heights.push((await queue.take(signal))?.height)
    expect(heights).toEqual([3, 1, 2])
    expect([queue.size, queue.bytes]).toEqual([0, 0])
  })

  test('a push waits while it is full, by number and by bytes', async () => {
    const clock = createVirtualEnv()
    for (const queue of [new EventQueue(2, 1e9), new EventQueue(100, 2 * EMPTY_SIZE)]) {
      await queue.push(event(1), signal)
      await queue.push(event(2), signal)
      let pushed = false
      const push = queue.push(event(3), signal).then(() => (pushed = true))
      await clock.settle()
      expect(pushed).toBe(false)
      await queue.take(signal)
      await push
      expect(queue.size).toBe(2)
    }
  })

  test('one event is taken however large it is, and nothing beside it', async () => {
    const queue = new EventQueue(100, 1_000)
    await queue.push(event(1, 1_000_000), signal)
    const controller = new AbortController()
    const second = queue.push(event(2), controller.signal)
    controller.abort(new Error('enough'))
    await expect(second).rejects.toThrow('enough')
    expect(queue.size).toBe(1)
  })

  test('an aborted push leaves its place to the next', async () => {
    const queue = new EventQueue(1, 1e9)
    await queue.push(event(1), signal)
    const controller = new AbortController()
    const aborted = queue.push(event(2), controller.signal)
    const waiting = queue.push(event(3), signal)
    await queue.take(signal)
    controller.abort(new Error('enough'))
    await aborted.catch(() => undefined)
    const taken = await queue.take(signal)
    if (taken?.height === 2) expect((await queue.take(signal))?.height).toBe(3)
    else expect(taken?.height).toBe(3)
    await waiting
  })

  test('the room a large event leaves is for all who wait', async () => {
    const queue = new EventQueue(100, 50_000)
    await queue.push(event(1, 45_000), signal)
    const waiting = [2, 3, 4].map(async (height) => await queue.push(event(height, 5_000), signal))
    await queue.take(signal)
    await Promise.all(waiting)
    expect(queue.size).toBe(3)
  })

  test('nobody passes a large event that waits for room', async () => {
    const clock = createVirtualEnv()
    const queue = new EventQueue(100, 50_000)
    await queue.push(event(1, 10_000), signal)
    const large = queue.push(event(2, 45_000), signal)
    const small = queue.push(event(3, 10), signal)
    await clock.settle()
    expect(queue.size).toBe(1)
    await queue.take(signal)
    await large
    expect((await queue.take(signal))?.height).toBe(2)
    await small
    expect((await queue.take(signal))?.height).toBe(3)
  })

  test('closed, it hands out what it holds and refuses the rest', async () => {
    const queue = new EventQueue(1, 1e9)
    await queue.push(event(1), signal)
    const waiting = queue.push(event(2), signal)
    queue.close(new Error('closed'))
    await expect(waiting).rejects.toThrow('closed')
    await expect(queue.push(event(3), signal)).rejects.toThrow('closed')
    expect((await queue.take(signal))?.height).toBe(1)
    expect(await queue.take(signal)).toBeUndefined()
  })

  test('closing wakes who waits for an event', async () => {
    const queue = new EventQueue(1, 1e9)
    const taken = queue.take(signal)
    queue.close(new Error('closed'))
    expect(await taken).toBeUndefined()
  })

  test('whatever the sizes: within its bounds, everything arrives, each source in its order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 20 }), {
          minLength: 1,
          maxLength: 4,
        }),
        async (sources) => {
          const maxBytes = 3 * EMPTY_SIZE + 5_000
          const queue = new EventQueue(3, maxBytes)
          const total = sources.flat().length
          const pushing = sources.map(async (sizes, source) => {
            for (const [index, size] of sizes.entries()) {
              await queue.push(event(source * 1_000 + index, size), signal)
            }
          })
          const seen: number[] = []
          while (seen.length < total) {
            expect(queue.size).toBeLessThanOrEqual(3)
            expect(queue.bytes <= maxBytes || queue.size === 1).toBe(true)
            const taken = await queue.take(signal)
            if (taken !== undefined) seen.push(taken.height)
          }
          await Promise.all(pushing)
          for (const [source, sizes] of sources.entries()) {
            const own = seen.filter((height) => Math.floor(height / 1_000) === source)
            expect(own).toEqual(sizes.map((__, index) => source * 1_000 + index))
          }
        },
      ),
      { numRuns: 100 },
    )
  })
})
