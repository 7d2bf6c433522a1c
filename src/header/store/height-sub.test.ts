import { expect, test } from 'vitest'
import { createHeightSub } from './height-sub.ts'

test('all who wait for a height get its item, others go on waiting', async () => {
  const sub = createHeightSub<string>()
  const { signal } = new AbortController()
  const waiting = [sub.wait(5, signal), sub.wait(5, signal), sub.wait(6, signal)]
  sub.deliver(3, ['c', 'd', 'e'])
  expect(await Promise.all(waiting.slice(0, 2))).toEqual(['e', 'e'])
  expect(sub.size).toBe(1)
  sub.deliver(6, ['f'])
  expect(await waiting[2]).toBe('f')
  expect(sub.size).toBe(0)
})

test('one who gives up leaves the others waiting', async () => {
  const sub = createHeightSub<string>()
  const impatient = new AbortController()
  const first = sub.wait(5, impatient.signal)
  const second = sub.wait(5, new AbortController().signal)
  impatient.abort(new Error('enough'))
  await expect(first).rejects.toThrow('enough')
  expect(sub.size).toBe(1)
  sub.deliver(5, ['e'])
  expect(await second).toBe('e')
  expect(sub.size).toBe(0)
  const last = new AbortController()
  const alone = sub.wait(6, last.signal)
  last.abort(new Error('enough'))
  await expect(alone).rejects.toThrow('enough')
  expect(sub.size).toBe(0)
})

test('closing ends all waiting', async () => {
  const sub = createHeightSub<string>()
  const { signal } = new AbortController()
  const waiting = Promise.allSettled([sub.wait(5, signal), sub.wait(7, signal)])
  sub.close(new Error('closed'))
  expect(await waiting).toMatchObject([{ reason: { message: 'closed' } }, { reason: { message: 'closed' } }])
  expect(sub.size).toBe(0)
})
