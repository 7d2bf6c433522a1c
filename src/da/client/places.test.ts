import { expect, test } from 'vitest'
import { deferred } from '../../util/async.ts'
import { createPlaces } from './places.ts'

const full = new Error('full')
const never = new AbortController().signal

test('no more run than there are places; the others follow in line', async () => {
  const places = createPlaces(2, 10, () => full)
  const gates = Array.from({ length: 5 }, () => deferred<void>())
  const order: number[] = []
  const runs = gates.map(async ({ promise }, index) => {
    await places.run(never, async () => {
      order.push(index)
      await promise
    })
  })
  await Promise.resolve()
  expect(order).toEqual([0, 1])
  expect(places.waiting).toBe(3)
  gates[1]?.resolve()
  await runs[1]
  gates[2]?.reject(new Error('task'))
  await expect(runs[2]).rejects.toThrow('task')
  await Promise.resolve()
  expect(order).toEqual([0, 1, 2, 3])
  for (const { resolve } of gates) resolve()
  await Promise.allSettled(runs)
  expect(order).toEqual([0, 1, 2, 3, 4])
  expect(places.waiting).toBe(0)
})

test('a full line takes nobody, and who leaves it makes room', async () => {
  const places = createPlaces(1, 1, () => full)
  const gate = deferred<void>()
  const first = places.run(never, async () => await gate.promise)
  const controller = new AbortController()
  const second = places.run(controller.signal, async () => 2)
  await expect(places.run(never, async () => 3)).rejects.toBe(full)
  controller.abort(new Error('gone'))
  await expect(second).rejects.toThrow('gone')
  const fourth = places.run(never, async () => 4)
  gate.resolve()
  await first
  expect(await fourth).toBe(4)
})

test('a place that was given to somebody who leaves goes to the next', async () => {
  const places = createPlaces(1, 2, () => full)
  const gate = deferred<void>()
  const controller = new AbortController()
  const first = places.run(never, async () => await gate.promise)
  const second = places.run(controller.signal, async () => 2)
  const third = places.run(never, async () => 3)
  gate.resolve()
  controller.abort(new Error('gone'))
  await first
  await expect(second).rejects.toThrow('gone')
  expect(await third).toBe(3)
  expect(await places.run(never, async () => 4)).toBe(4)
})
