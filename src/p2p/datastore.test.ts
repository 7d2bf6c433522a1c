import { describe, expect, test } from 'vitest'
import { createBoundedDatastore, type Datastore } from './datastore.ts'

type Key = Parameters<Datastore['put']>[0]

/** Keys as libp2p makes them, taken from a store that was asked for all. */
async function keyOf(name: string): Promise<Key> {
  const { Key: LibraryKey } = await import('interface-datastore')
  return new LibraryKey(name)
}

async function namesIn(store: Datastore, prefix = '/'): Promise<string[]> {
  const names: string[] = []
  for await (const key of store.queryKeys({ prefix })) names.push(key.toString())
  return names
}

const bytes = (length: number): Uint8Array => new Uint8Array(length)
const limits = { maxEntries: 3, maxBytes: 1_000, pinned: (key: string) => key === '/self' }

describe('the bounded datastore', () => {
  test('gives back what was put, and says when it has nothing', async () => {
    const store = createBoundedDatastore(limits)
    const key = await keyOf('/a')
    await store.put(key, Uint8Array.of(1))
    expect([await store.get(key), await store.has(key)]).toEqual([Uint8Array.of(1), true])
    await store.delete(key)
    expect(await store.has(key)).toBe(false)
    expect(() => store.get(key)).toThrow(expect.objectContaining({ name: 'NotFoundError' }))
  })

  test('lets go of what was used longest ago, but not of what is pinned', async () => {
    const store = createBoundedDatastore(limits)
    for (const name of ['/self', '/a', '/b']) await store.put(await keyOf(name), bytes(1))
    await store.get(await keyOf('/a'))
    await store.put(await keyOf('/c'), bytes(1))
    expect((await namesIn(store)).toSorted()).toEqual(['/a', '/c', '/self'])
  })

  test('is bounded in bytes too, also when values are replaced', async () => {
    const store = createBoundedDatastore({ ...limits, maxEntries: 100 })
    for (let round = 0; round < 50; round++) await store.put(await keyOf('/a'), bytes(600))
    await store.put(await keyOf('/b'), bytes(300))
    expect(await namesIn(store)).toEqual(['/a', '/b'])
    await store.put(await keyOf('/c'), bytes(300))
    expect(await namesIn(store)).toEqual(['/b', '/c'])
  })

  test('is asked by prefix and filter, in order, with offset and limit, and changed in batches', async () => {
    const store = createBoundedDatastore({ ...limits, maxEntries: 100 })
    const batch = store.batch()
    for (const name of ['/p/1', '/p/2', '/p/3', '/q/1']) batch.put(await keyOf(name), bytes(1))
    batch.delete(await keyOf('/p/2'))
    expect(await namesIn(store)).toEqual([])
    await batch.commit()
    expect(await namesIn(store, '/p')).toEqual(['/p/1', '/p/3'])
    const found: string[] = []
    const query = {
      filters: [({ key }: { key: Key }) => key.toString() !== '/q/1'],
      orders: [(a: { key: Key }, b: { key: Key }) => (a.key.toString() < b.key.toString() ? 1 : -1)],
      limit: 1,
    }
    for await (const { key } of store.query(query)) found.push(key.toString())
    expect(found).toEqual(['/p/3'])
  })
})
