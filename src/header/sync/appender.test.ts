import { expect, test } from 'vitest'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { deferred } from '../../util/async.ts'
import { createAppender } from './appender.ts'

const settled = async (): Promise<void> => await createVirtualEnv().settle()
const small = (): number => 1

test('pieces that come while a batch is written make the next batch', async () => {
  const batches: number[][] = []
  const first = deferred<void>()
  const appender = createAppender<number>(async (items) => {
    batches.push([...items])
    if (batches.length === 1) await first.promise
  }, small)
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

test.each([
  ['items', small, 512],
  ['bytes', () => 1024 * 1024, 16],
] as const)('it takes no more when too many %s wait', async (_what, sizeOf, most) => {
  const gate = deferred<void>()
  const appender = createAppender<number>(async () => await gate.promise, sizeOf)
  await appender.push([0])
  let pushed = 0
  const pushing = (async () => {
    for (; pushed < 5_000; pushed++) await appender.push([pushed])
  })()
  await settled()
  expect(pushed).toBe(most - 1)
  gate.resolve()
  await pushing
  await appender.flush()
  expect(pushed).toBe(5_000)
})

test('a failure reaches whoever pushes next and whoever waits', async () => {
  const appender = createAppender<number>(async () => await Promise.reject(new Error('no space')), small)
  await appender.push([1])
  await settled()
  await expect(appender.push([2])).rejects.toThrow('no space')
  await expect(appender.flush()).rejects.toThrow('no space')
})

test('with nothing given there is nothing to wait for', async () => {
  const appender = createAppender<number>(async () => await Promise.reject(new Error('never')), small)
  await expect(appender.flush()).resolves.toBeUndefined()
})
