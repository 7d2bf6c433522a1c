import { expect, test } from 'vitest'
import { createLatestEvents } from './events.ts'

const never = new AbortController().signal

test('of what was not taken the highest stays', async () => {
  const events = createLatestEvents()
  for (const height of [3, 5, 4]) events.push(height)
  expect(await events.take(never)).toEqual({ height: 5 })
  const next = events.take(never)
  events.push(2)
  expect(await next).toEqual({ height: 2 })
})

test('what is there is taken before the end', async () => {
  const events = createLatestEvents()
  events.push(1)
  events.end()
  expect(await events.take(never)).toEqual({ height: 1 })
  expect(await events.take(never)).toBeUndefined()
  expect(await events.take(never)).toBeUndefined()
})

test('who waits is woken by the end, and by its signal', async () => {
  const events = createLatestEvents()
  const waiting = events.take(never)
  events.end()
  expect(await waiting).toBeUndefined()
  const controller = new AbortController()
  const cancelled = createLatestEvents().take(controller.signal)
  controller.abort(new Error('gone'))
  await expect(cancelled).rejects.toThrow('gone')
})
