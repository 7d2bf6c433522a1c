import { describe, expect, test } from 'vitest'
import { BoundedQueue } from './queue.ts'

const never = new AbortController().signal

describe('a queue', () => {
  test('gives items in the order in which they came', async () => {
    const queue = new BoundedQueue<number>(3)
    expect([1, 2, 3, 4].map((item) => queue.offer(item))).toEqual([true, true, true, false])
    expect(queue.full).toBe(true)
    expect([await queue.take(never), await queue.take(never), await queue.take(never)]).toEqual([1, 2, 3])
    expect(queue.size).toBe(0)
  })

  test('lets takers wait while it is empty', async () => {
    const queue = new BoundedQueue<number>(3)
    const taken = [queue.take(never), queue.take(never)]
    queue.offer(1)
    queue.offer(2)
    expect(await Promise.all(taken)).toEqual([1, 2])
  })

  test('lets pushers wait while it is full', async () => {
    const queue = new BoundedQueue<number>(1)
    await queue.push(1, never)
    let pushed = false
    const second = (async () => {
      await queue.push(2, never)
      pushed = true
    })()
    await Promise.resolve()
    expect(pushed).toBe(false)
    expect(await queue.take(never)).toBe(1)
    await second
    expect(await queue.take(never)).toBe(2)
  })

  test('passes everything through from many pushers to many takers', async () => {
    const queue = new BoundedQueue<number>(2)
    const items = Array.from({ length: 100 }, (_, i) => i)
    const pushed = items.map((item) => queue.push(item, never))
    const taken = items.map(() => queue.take(never))
    await Promise.all(pushed)
    expect((await Promise.all(taken)).toSorted((a, b) => a - b)).toEqual(items)
    expect(queue.size).toBe(0)
  })

  test('stops waiting when the signal aborts, and loses nothing by it', async () => {
    const queue = new BoundedQueue<number>(1)
    const controller = new AbortController()
    const aborted = queue.take(controller.signal)
    const waiting = queue.take(never)
    controller.abort(new Error('enough'))
    // The wake goes to the first in line, who has just left.
    queue.offer(1)
    await expect(aborted).rejects.toThrow('enough')
    expect(await waiting).toBe(1)

    queue.offer(2)
    const full = new AbortController()
    const push = queue.push(3, full.signal)
    full.abort(new Error('full'))
    await expect(push).rejects.toThrow('full')
    expect(await queue.take(never)).toBe(2)
    expect(queue.size).toBe(0)
  })

  test('is not read by somebody whose signal has aborted already', async () => {
    const queue = new BoundedQueue<number>(1)
    queue.offer(1)
    await expect(queue.take(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
    expect(queue.size).toBe(1)
  })
})
