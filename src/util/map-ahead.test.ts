import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { abortable, type Deferred, deferred } from './async.ts'
import { type AheadSource, mapAhead } from './map-ahead.ts'

const never = new AbortController().signal

/** Lets what can go on without us go on. */
async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await setImmediate()
}

/** Numbers from 0, without end or up to `count`; then it ends, fails, or waits for its signal. */
function createNumbers({ count = Infinity, after }: { count?: number; after?: Error | 'wait' } = {}) {
  const seen: { signal?: AbortSignal; given: number; returned: boolean } = { given: 0, returned: false }
  async function* open(signal: AbortSignal): AsyncGenerator<number, void> {
    seen.signal = signal
    try {
      while (seen.given < count) yield seen.given++
      if (after === 'wait') await abortable(deferred<never>().promise, signal)
      else if (after !== undefined) throw after
    } finally {
      seen.returned = true
    }
  }
  return { seen, open }
}

/** A mapping whose results the test gives, in any order. */
function createDesk() {
  const begun: number[] = []
  const desk: Deferred<string>[] = []
  const map = async (element: number): Promise<string> => {
    begun.push(element)
    return await at(element).promise
  }
  const at = (element: number): Deferred<string> => (desk[element] ??= deferred<string>())
  return { begun, map, at }
}

/** What comes out: the results, and the error at the end if there is one. */
async function outcome<T, R>(source: AheadSource<T, R>): Promise<{ results: R[]; error?: unknown }> {
  const results: R[] = []
  try {
    for await (const result of mapAhead(source)) results.push(result)
    return { results }
  } catch (error) {
    return { results, error }
  }
}

const twice = async (element: number): Promise<number> => element * 2

describe('mapAhead', () => {
  test('gives every result in the order of the elements, whichever is ready first', async () => {
    const { open } = createNumbers({ count: 4 })
    const { map, at } = createDesk()
    const done = outcome({ open, map, depth: 4, signal: never })
    await settle()
    for (const element of [2, 0, 3, 1]) {
      at(element).resolve(`result ${element}`)
      await settle()
    }
    expect(await done).toEqual({ results: ['result 0', 'result 1', 'result 2', 'result 3'] })
  })

  test('gives nothing of an empty source', async () => {
    const { open } = createNumbers({ count: 0 })
    expect(await outcome({ open, map: twice, depth: 3, signal: never })).toEqual({ results: [] })
  })

  test.each([1, 2, 5])('begins %i before the first is given, in order, and no more', async (depth) => {
    const { open } = createNumbers()
    const { begun, map, at } = createDesk()
    const results = mapAhead({ open, map, depth, signal: never })
    const first = results.next()
    await settle()
    expect(begun).toEqual([0, 1, 2, 3, 4].slice(0, depth))
    at(0).resolve('zero')
    expect(await first).toEqual({ done: false, value: 'zero' })
    const second = results.next()
    await settle()
    expect(begun).toEqual([0, 1, 2, 3, 4, 5].slice(0, depth + 1))
    at(1).resolve('one')
    expect(await second).toEqual({ done: false, value: 'one' })
    await results.return()
  })

  test('gives what is ready while the source still looks for the next', async () => {
    const { open, seen } = createNumbers({ count: 1, after: 'wait' })
    const results = mapAhead({ open, map: twice, depth: 4, signal: never })
    expect(await results.next()).toEqual({ done: false, value: 0 })
    expect(seen.returned).toBe(false)
    await results.return()
  })

  test('fails in the turn of a mapping that failed early', async () => {
    const { open, seen } = createNumbers()
    const { map, at } = createDesk()
    const done = outcome({ open, map, depth: 3, signal: never })
    const error = new Error('no result for 2')
    at(2).reject(error)
    await settle()
    at(1).resolve('one')
    await settle()
    at(0).resolve('zero')
    expect(await done).toEqual({ results: ['zero', 'one'], error })
    expect(seen.returned).toBe(true)
    expect(seen.signal?.aborted).toBe(true)
  })

  test('fails in the turn of a mapping that fails before it has a promise', async () => {
    const { open, seen } = createNumbers()
    const { map, at } = createDesk()
    const error = new Error('not even begun')
    const done = outcome({
      open,
      map(element) {
        if (element === 2) throw error
        return map(element)
      },
      depth: 3,
      signal: never,
    })
    await settle()
    at(1).resolve('one')
    at(0).resolve('zero')
    expect(await done).toEqual({ results: ['zero', 'one'], error })
    expect(seen.returned).toBe(true)
  })

  test('leaves no failure behind that nobody hears of, when left before its turn', async () => {
    const unheard: unknown[] = []
    const hear = (reason: unknown): void => void unheard.push(reason)
    process.on('unhandledRejection', hear)
    try {
      const { open } = createNumbers()
      const { map, at } = createDesk()
      const results = mapAhead({ open, map, depth: 3, signal: never })
      const first = results.next()
      await settle()
      at(0).resolve('zero')
      await first
      await results.return()
      at(1).reject(new Error('after the end'))
      await settle()
      expect(unheard).toEqual([])
    } finally {
      process.off('unhandledRejection', hear)
    }
  })

  test('gives what the source gave before it failed, then its error', async () => {
    const error = new Error('the source is dry')
    const { open } = createNumbers({ count: 3, after: error })
    const { map, at } = createDesk()
    const done = outcome({ open, map, depth: 8, signal: never })
    await settle()
    for (const element of [2, 1, 0]) at(element).resolve(`result ${element}`)
    expect(await done).toEqual({ results: ['result 0', 'result 1', 'result 2'], error })
  })

  test.each(['break', 'throw'])('on %s it aborts and returns a source that is waiting', async (way) => {
    const { open, seen } = createNumbers({ count: 2, after: 'wait' })
    const error = new Error('enough')
    const leave = async (): Promise<void> => {
      for await (const result of mapAhead({ open, map: twice, depth: 4, signal: never })) {
        expect(seen.signal?.aborted).toBe(false)
        if (result === 0) continue
        if (way === 'throw') throw error
        break
      }
    }
    if (way === 'throw') await expect(leave()).rejects.toBe(error)
    else await leave()
    expect(seen.signal?.aborted).toBe(true)
    expect(seen.returned).toBe(true)
  })

  test('on break it returns a source that could give more', async () => {
    const { open, seen } = createNumbers()
    for await (const result of mapAhead({ open, map: twice, depth: 2, signal: never })) {
      if (result === 4) break
    }
    expect(seen.returned).toBe(true)
    expect(seen.given).toBeLessThanOrEqual(5)
  })

  test('passes the abort of its signal to the source, and fails as that does', async () => {
    const { open, seen } = createNumbers({ count: 2, after: 'wait' })
    const outer = new AbortController()
    const reason = new Error('the node stops')
    const done = outcome({ open, map: twice, depth: 4, signal: outer.signal })
    await settle()
    expect(seen.signal?.aborted).toBe(false)
    outer.abort(reason)
    expect(await done).toEqual({ results: [0, 2], error: reason })
    expect(seen.signal?.reason).toBe(reason)
    expect(seen.returned).toBe(true)
  })

  test('opens with an aborted signal when its own is aborted already', async () => {
    const { open } = createNumbers({ count: 0, after: 'wait' })
    const reason = new Error('too late')
    const done = outcome({ open, map: twice, depth: 4, signal: AbortSignal.abort(reason) })
    expect(await done).toEqual({ results: [], error: reason })
  })
})
