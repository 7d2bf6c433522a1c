import { expect, test } from 'vitest'
import { deferred } from '../../util/async.ts'
import { createAppender } from './appender.ts'

const settle = async (): Promise<void> => {
  for (let round = 0; round < 20; round++) await Promise.resolve()
}

test('pieces that come while a batch is written make the next batch', async () => {
  const batches: number[][] = []
  const first = deferred<void>()
  const appender = createAppender<number>(async (items) => {
    batches.push([...items])
    if (batches.length === 1) await first.promise
  })
  await appender.push([1, 2])
  await appender.push([3])
  await appender.push([4, 5])
  expect(batches).toEqual([[1, 2]])
  first.resolve()
  await appender.flush()
  expect(batches).toEqual([
    [1, 2],
    [3, 4, 5],
  ])
})

test('it takes no more when too much waits', async () => {
  const gate = deferred<void>()
  const appender = createAppender<number>(async () => await gate.promise)
  await appender.push([0])
  let pushed = 0
  const pushing = (async () => {
    for (; pushed < 100; pushed++) await appender.push([pushed])
  })()
  await settle()
  expect(pushed).toBeLessThan(10)
  gate.resolve()
  await pushing
  await appender.flush()
  expect(pushed).toBe(100)
})

test('a failure reaches whoever pushes next and whoever waits', async () => {
  const appender = createAppender<number>(async () => await Promise.reject(new Error('no space')))
  await appender.push([1])
  await settle()
  await expect(appender.push([2])).rejects.toThrow('no space')
  await expect(appender.flush()).rejects.toThrow('no space')
})

test('with nothing given there is nothing to wait for', async () => {
  const appender = createAppender<number>(async () => await Promise.reject(new Error('never')))
  await expect(appender.flush()).resolves.toBeUndefined()
})
