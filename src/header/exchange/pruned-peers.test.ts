/*
 * Peers that have removed what is old: they say NOT_FOUND for it, and still give what lies above.
 */
import { expect, test } from 'vitest'
import { type DummyItem, makeDummies } from '../../../test/support/dummy-item.ts'
import { createExchangeNet, type ExchangeNet } from '../../../test/support/exchange-net.ts'

const chain = makeDummies(1_000)
const signal = new AbortController().signal

/** Heights of a range, read to its end while virtual time passes. */
async function fetched(net: ExchangeNet, from: number, to: number): Promise<number[]> {
  const read = async (): Promise<DummyItem[]> => {
    const items: DummyItem[] = []
    for await (const piece of net.exchange.range(from, to, { signal })) items.push(...piece.items)
    return items
  }
  return (await net.within(60_000, read())).map(({ height }) => height)
}

const upTo = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i)

test('what most have removed comes from the one that has it, what that one lacks from the others', async () => {
  const net = await createExchangeNet()
  // Connected first, and many: nobody is asked in a fixed order.
  for (const id of ['a', 'b', 'c', 'd']) await net.honest(id, chain.slice(500))
  await net.honest('archive', chain.slice(0, 700))
  expect(await fetched(net, 1, 1_001)).toEqual(upTo(1, 1_001))
  for (const id of ['a', 'b', 'c', 'd']) expect(net.askedOf(id)).toBeLessThan(60)
})

test('nobody who has it: the range ends at once, and is there as soon as somebody has', async () => {
  const net = await createExchangeNet()
  await net.honest('pruned', chain.slice(500))
  expect(await fetched(net, 1, 1_001)).toEqual([])
  expect(await fetched(net, 501, 601)).toEqual(upTo(501, 601))
  await net.honest('archive', chain)
  expect(await fetched(net, 1, 1_001)).toEqual(upTo(1, 1_001))
})

test('a peer that removes it while it is asked is no worse for it', async () => {
  const net = await createExchangeNet()
  const store = await net.honest('pruning', chain)
  store.beforeRead = async () => await store.prune(store.tailHeight + 40)
  const first = await fetched(net, 1, 1_001)
  expect(first).toEqual(upTo(1, 1 + first.length))
  store.beforeRead = undefined
  expect(await fetched(net, 900, 1_001)).toEqual(upTo(900, 1_001))
})
