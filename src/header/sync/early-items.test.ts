import { expect, test } from 'vitest'
import { type DummyItem, dummyKind } from '../../../test/support/dummy-item.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { createEarlyItems } from './early-items.ts'

const START = 1_700_000_000_000_000_000n

function item(height: number, ms: number): DummyItem {
  const time = START + BigInt(ms) * 1_000_000n
  return { chainId: 'dummy', height, time, previous: '', payload: '', signed: true }
}

test('each item is given out when it is no more than 10 s ahead, lowest first', async () => {
  const virtual = createVirtualEnv(START)
  const given: number[] = []
  const early = createEarlyItems(
    { kind: dummyKind, env: virtual.env },
    { capacity: 10, due: ({ height }) => given.push(height) },
  )
  expect([early.keep(item(9, 30_000)), early.keep(item(8, 12_000)), early.keep(item(7, 12_000))]).toEqual([
    true,
    true,
    true,
  ])
  await virtual.advance(1_999)
  expect(given).toEqual([])
  await virtual.advance(2)
  expect(given).toEqual([7, 8])
  await virtual.advance(20_000)
  expect(given).toEqual([7, 8, 9])
  expect([early.size, virtual.timers]).toEqual([0, 0])
})

test('the same item is kept once, and not more than there is room for', async () => {
  const virtual = createVirtualEnv(START)
  const early = createEarlyItems({ kind: dummyKind, env: virtual.env }, { capacity: 2, due: () => {} })
  expect([early.keep(item(1, 20_000)), early.keep(item(1, 20_000)), early.keep(item(2, 20_000))]).toEqual([
    true,
    true,
    true,
  ])
  expect([early.keep(item(3, 15_000)), early.size]).toEqual([false, 2])
  early.clear()
  expect([early.size, virtual.timers]).toEqual([0, 0])
})
