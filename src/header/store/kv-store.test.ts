import { afterEach, describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import type { HeaderStore } from '../../core/header.ts'
import type { Kv } from '../../core/kv.ts'
import { noopLogger } from '../../core/logger.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { EvolveError } from '../../util/errors.ts'
import { hashKey, heightKey, pointerKey } from './keys.ts'
import { createHeaderStore } from './kv-store.ts'

const prefixes = { items: 0x68, hashes: 0x69, meta: 0x31 }
const chain = makeDummies(2000)
const fork = makeDummies(20, { payload: 'fork' })
const never = new AbortController().signal
const opened: HeaderStore<DummyItem>[] = []

function item(height: number, from: readonly DummyItem[] = chain): DummyItem {
  const found = from[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return found
}

/** Dummies from `from` up to and without `to`. */
const slice = (from: number, to: number): DummyItem[] => chain.slice(from - 1, to - 1)

async function open(kv?: Kv): Promise<{ store: HeaderStore<DummyItem>; kv: Kv }> {
  const over = kv ?? createMemoryKv()
  await over.start()
  const store = createHeaderStore({ kv: over, kind: dummyKind, logger: noopLogger }, { prefixes })
  await store.start()
  opened.push(store)
  return { store, kv: over }
}

const ends = (store: HeaderStore<DummyItem>): [number, number] => [store.tailHeight, store.height]

/** A database that counts what is asked of it. */
function counting(kv: Kv): Kv & { reads: number; scans: number } {
  const counted = {
    ...kv,
    reads: 0,
    scans: 0,
    get: async (key: Uint8Array) => {
      counted.reads++
      return await kv.get(key)
    },
    getMany: async (keys: readonly Uint8Array[]) => {
      counted.reads += keys.length
      return await kv.getMany(keys)
    },
    keys: (range: Parameters<Kv['keys']>[0]) => {
      counted.scans++
      return kv.keys(range)
    },
    range: (range: Parameters<Kv['range']>[0]) => {
      counted.scans++
      return kv.range(range)
    },
  }
  return counted
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.stop()
})

describe('an empty store', () => {
  test('begins where the chain begins, if it was told, also after it was emptied', async () => {
    const kv = createMemoryKv()
    await kv.start()
    const store = createHeaderStore(
      { kv, kind: dummyKind, logger: noopLogger },
      { prefixes, initialHeight: 3 },
    )
    await store.start()
    opened.push(store)
    await expect(store.append(slice(5, 8))).rejects.toMatchObject({ code: 'NON_ADJACENT_APPEND' })
    await store.append(slice(3, 8))
    await store.truncate(0)
    await expect(store.append(slice(8, 9))).rejects.toMatchObject({ code: 'NON_ADJACENT_APPEND' })
    expect(ends(store)).toEqual([0, 0])
  })

  test('has nothing', async () => {
    const { store } = await open()
    expect(ends(store)).toEqual([0, 0])
    expect(await store.head()).toBeUndefined()
    expect(await store.tail()).toBeUndefined()
    expect(await store.at(0)).toBeUndefined()
    expect(await store.at(1)).toBeUndefined()
    expect(await store.range(1, 10)).toEqual([])
    expect(await store.rangeBytes(0, 10)).toEqual([])
    expect(await store.has(dummyKind.hash(item(1)))).toBe(false)
    await store.truncate(0)
    await store.append([])
    expect(ends(store)).toEqual([0, 0])
  })

  test('begins at the first append, wherever that is', async () => {
    const { store } = await open()
    await store.append(slice(5, 8))
    expect(ends(store)).toEqual([5, 7])
    expect(await store.tail()).toEqual(item(5))
    expect(await store.head()).toEqual(item(7))
  })
})

describe('append', () => {
  test('continues upwards, and downwards from the tail', async () => {
    const { store } = await open()
    await store.append(slice(10, 12))
    await store.append(slice(12, 300))
    await store.append(slice(4, 10))
    await store.append(slice(2, 310))
    expect(ends(store)).toEqual([2, 309])
    expect(await store.range(2, 310)).toEqual(slice(2, 310))
  })

  test('refuses gaps inside and at both ends, and keeps nothing of them', async () => {
    const { store } = await open()
    await store.append(slice(10, 12))
    for (const items of [slice(13, 15), slice(3, 9), [item(12), item(14)], [item(12), item(12)]]) {
      await expect(store.append(items)).rejects.toMatchObject({ code: 'NON_ADJACENT_APPEND' })
    }
    expect(ends(store)).toEqual([10, 11])
    expect(await store.at(12)).toBeUndefined()
  })

  test('passes over what is there, refuses something else in its place', async () => {
    const { store } = await open()
    await store.append(slice(1, 5))
    await store.append(slice(2, 7))
    expect(ends(store)).toEqual([1, 6])
    await expect(store.append([item(6), item(7, fork)].slice(0, 1))).resolves.toBeUndefined()
    await expect(store.append([item(5, fork), item(6, fork)])).rejects.toMatchObject({
      code: 'CONFLICTING_ITEM',
      verdict: 'ignore',
      data: { height: 5 },
    })
    expect(await store.at(5)).toEqual(item(5))
  })

  test('a batch that fails changes nothing', async () => {
    const memory = createMemoryKv()
    const failing = { ...memory, fail: false }
    failing.batch = async (ops, options) => {
      if (failing.fail) throw new EvolveError('STORE_IO', 'no space')
      await memory.batch(ops, options)
    }
    const { store } = await open(failing)
    await store.append(slice(1, 3))
    failing.fail = true
    await expect(store.append([item(3)])).rejects.toMatchObject({ code: 'STORE_IO' })
    expect(ends(store)).toEqual([1, 2])
    failing.fail = false
    await store.append([item(3)])
    expect(ends(store)).toEqual([1, 3])
  })

  test('every batch moves everything at once; only what removes is synced', async () => {
    const memory = createMemoryKv()
    const batches: { ops: number; sync: boolean | undefined }[] = []
    const { store } = await open({
      ...memory,
      batch: async (ops, options) => {
        batches.push({ ops: ops.length, sync: options?.sync })
        await memory.batch(ops, options)
      },
    })
    await store.append(slice(1, 4))
    await store.truncate(2)
    expect(batches).toEqual([
      { ops: 3 * 2 + 2, sync: undefined },
      { ops: 2 + 2, sync: true },
    ])
  })

  test('concurrent appends are taken in order', async () => {
    const { store } = await open()
    await Promise.all([store.append(slice(1, 3)), store.append(slice(3, 6)), store.append(slice(5, 9))])
    expect(ends(store)).toEqual([1, 8])
  })
})

describe('records that another part wrote above the head', () => {
  test('the same item is taken over', async () => {
    const { store, kv } = await open()
    await store.append(slice(1, 3))
    await kv.batch([
      { type: 'put', key: heightKey(prefixes.items, 3), value: dummyKind.encode(item(3)) },
      { type: 'put', key: heightKey(prefixes.items, 5), value: dummyKind.encode(item(5)) },
    ])
    expect(await store.at(3)).toBeUndefined()
    await store.append(slice(3, 6))
    expect(ends(store)).toEqual([1, 5])
    expect(await store.get(dummyKind.hash(item(3)))).toEqual(item(3))
  })

  test('another item is a conflict, an unreadable one is replaced', async () => {
    const { store, kv } = await open()
    await store.append(slice(1, 3))
    const foreign = item(3, fork)
    const key = heightKey(prefixes.items, 3)
    await kv.batch([
      { type: 'put', key, value: dummyKind.encode(foreign) },
      { type: 'put', key: hashKey(prefixes.hashes, dummyKind.hash(foreign)), value: key.subarray(1) },
    ])
    await expect(store.append([item(3)])).rejects.toMatchObject({ code: 'CONFLICTING_ITEM' })
    await kv.batch([{ type: 'put', key: heightKey(prefixes.items, 3), value: Uint8Array.of(1, 2, 3) }])
    await store.append([item(3)])
    expect(await store.at(3)).toEqual(item(3))
  })
})

describe('reading', () => {
  test('by height, by hash, as items and as bytes', async () => {
    const { store, kv } = await open()
    await store.append(slice(3, 600))
    // Another store over the same database has nothing in memory yet.
    const { store: fresh } = await open(kv)
    for (const one of [store, fresh]) {
      expect(await one.at(400)).toEqual(item(400))
      expect(await one.get(dummyKind.hash(item(400)))).toEqual(item(400))
      expect(await one.has(dummyKind.hash(item(3)))).toBe(true)
      expect(await one.has(dummyKind.hash(item(2)))).toBe(false)
      expect(await one.get(dummyKind.hash(item(600)))).toBeUndefined()
      expect(await one.range(3, 600)).toEqual(slice(3, 600))
      expect(await one.range(598, 10_000)).toEqual(slice(598, 600))
      expect(await one.range(2, 10)).toEqual([])
      expect(await one.range(10, 10)).toEqual([])
      expect(await one.rangeBytes(590, 700)).toEqual(slice(590, 600).map((one_) => dummyKind.encode(one_)))
    }
  })

  test('a damaged record is named, not served', async () => {
    const { store, kv } = await open()
    await store.append(slice(1, 5))
    await kv.batch([{ type: 'put', key: heightKey(prefixes.items, 2), value: dummyKind.encode(item(3)) }])
    const { store: fresh } = await open(kv)
    await expect(fresh.at(2)).rejects.toMatchObject({ code: 'STORE_CORRUPT', data: { height: 2 } })
    expect(await fresh.at(3)).toEqual(item(3))
  })

  test('recently used items are not read again', async () => {
    const kv = counting(createMemoryKv())
    const { store } = await open(kv)
    await store.append(slice(1, 100))
    kv.reads = 0
    await store.range(1, 100)
    await store.at(50)
    expect(kv.reads).toBe(0)
  })
})

describe('waitFor', () => {
  test('gives what is there at once and what comes when it comes', async () => {
    const { store } = await open()
    await store.append(slice(1, 3))
    expect(await store.waitFor(2, { signal: never })).toEqual(item(2))
    const waiting = [3, 4, 4].map(async (height) => await store.waitFor(height, { signal: never }))
    await store.append(slice(3, 6))
    expect(await Promise.all(waiting)).toEqual([item(3), item(4), item(4)])
  })

  test('what can no longer come is not waited for', async () => {
    const { store } = await open()
    await store.append(slice(5, 7))
    await expect(store.waitFor(4, { signal: never })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(store.waitFor(0, { signal: never })).rejects.toMatchObject({ code: 'INVALID_HEIGHT' })
    const aborted = AbortSignal.abort(new Error('over'))
    await expect(store.waitFor(6, { signal: aborted })).rejects.toThrow('over')
  })

  test('stopping ends it', async () => {
    const { store } = await open()
    const waiting = store.waitFor(3, { signal: never })
    await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'STORE_STOPPED' }), store.stop()])
    await expect(store.waitFor(3, { signal: never })).rejects.toMatchObject({ code: 'STORE_STOPPED' })
    await expect(store.append(slice(1, 2))).rejects.toMatchObject({ code: 'STORE_STOPPED' })
    await expect(store.truncate(0)).rejects.toMatchObject({ code: 'STORE_STOPPED' })
    await store.start()
    await store.append(slice(1, 2))
    expect(ends(store)).toEqual([1, 1])
  })
})

describe('truncate', () => {
  test('removes everything above, over several batches', async () => {
    const { store, kv } = await open()
    await store.append(slice(3, 1800))
    await store.truncate(400)
    expect(ends(store)).toEqual([3, 400])
    expect(await store.head()).toEqual(item(400))
    expect(await store.at(401)).toBeUndefined()
    expect(await store.has(dummyKind.hash(item(401)))).toBe(false)
    const left: Uint8Array[] = []
    for await (const key of kv.keys({
      gte: heightKey(prefixes.items, 401),
      lt: Uint8Array.of(prefixes.items + 1),
    })) {
      left.push(key)
    }
    expect(left).toEqual([])
    await store.append(slice(401, 410))
    expect(ends(store)).toEqual([3, 409])
  })

  test('below the tail it leaves nothing', async () => {
    const { store, kv } = await open()
    await store.append(slice(3, 10))
    const foreign = heightKey(prefixes.items, 2)
    await kv.batch([{ type: 'put', key: foreign, value: dummyKind.encode(item(2)) }])
    await store.truncate(1)
    expect(ends(store)).toEqual([0, 0])
    expect(await kv.get(foreign)).toEqual(dummyKind.encode(item(2)))
    await store.append(slice(1, 2))
    const { store: fresh } = await open(kv)
    expect(ends(fresh)).toEqual([1, 1])
  })

  test('another chain can be put in the place', async () => {
    const { store } = await open()
    await store.append(slice(1, 8))
    await store.truncate(0)
    await store.append(fork.slice(0, 5))
    expect(await store.range(1, 100)).toEqual(fork.slice(0, 5))
  })
})

test('listeners hear of heights until they go, and one that throws harms nobody', async () => {
  const { store } = await open()
  const heard: number[] = []
  store.onHeight(() => {
    throw new Error('a bad listener')
  })
  const leave = store.onHeight((height) => heard.push(height))
  await store.append(slice(1, 5))
  await store.append(slice(1, 5))
  await store.truncate(2)
  leave()
  await store.append(slice(3, 5))
  expect(heard).toEqual([4, 2])
})

describe('opening again', () => {
  test('a healthy store is where it was, after a handful of reads', async () => {
    const kv = counting(createMemoryKv())
    const { store } = await open(kv)
    await store.append(slice(5, 1500))
    await store.stop()
    Object.assign(kv, { reads: 0, scans: 0 })
    const { store: fresh } = await open(kv)
    expect(ends(fresh)).toEqual([5, 1499])
    expect(kv.reads).toBeLessThanOrEqual(4)
    // For the highest record, with one key.
    expect(kv.scans).toBe(1)
  })

  /** What damage is done, and what tail and head must be afterwards, from 5..30 on. */
  const damages: [string, (kv: Kv) => Promise<void>, [number, number]][] = [
    [
      'the head record is gone',
      async (kv) => await kv.batch([{ type: 'del', key: heightKey(prefixes.items, 30) }]),
      [5, 29],
    ],
    [
      'the head record is torn',
      async (kv) =>
        await kv.batch([
          { type: 'put', key: heightKey(prefixes.items, 30), value: dummyKind.encode(item(30)).slice(0, 20) },
        ]),
      [5, 29],
    ],
    [
      'the head record is of another item',
      async (kv) =>
        await kv.batch([
          {
            type: 'put',
            key: heightKey(prefixes.items, 30),
            value: dummyKind.encode({ ...item(30), payload: 'x' }),
          },
        ]),
      [5, 29],
    ],
    [
      'the tail record is of another height',
      async (kv) =>
        await kv.batch([
          { type: 'put', key: heightKey(prefixes.items, 5), value: dummyKind.encode(item(6)) },
        ]),
      [6, 30],
    ],
    [
      'the head pointer is gone',
      async (kv) => await kv.batch([{ type: 'del', key: pointerKey(prefixes.meta, 'head') }]),
      [5, 30],
    ],
    [
      'both pointers are gone',
      async (kv) =>
        await kv.batch([
          { type: 'del', key: pointerKey(prefixes.meta, 'head') },
          { type: 'del', key: pointerKey(prefixes.meta, 'tail') },
        ]),
      [5, 30],
    ],
    [
      'a pointer is garbage',
      async (kv) =>
        await kv.batch([{ type: 'put', key: pointerKey(prefixes.meta, 'tail'), value: Uint8Array.of(1, 2) }]),
      [5, 30],
    ],
    [
      'the head and one in the middle are gone: the longer run stays',
      async (kv) =>
        await kv.batch([
          { type: 'del', key: heightKey(prefixes.items, 30) },
          { type: 'del', key: heightKey(prefixes.items, 12) },
        ]),
      [13, 29],
    ],
    [
      'the index of the head is gone with the pointer',
      async (kv) =>
        await kv.batch([
          { type: 'del', key: hashKey(prefixes.hashes, dummyKind.hash(item(30))) },
          { type: 'del', key: pointerKey(prefixes.meta, 'head') },
        ]),
      [5, 29],
    ],
    [
      'all records are gone',
      async (kv) => {
        for (let height = 5; height <= 30; height++) {
          await kv.batch([{ type: 'del', key: heightKey(prefixes.items, height) }])
        }
      },
      [0, 0],
    ],
  ]

  test.each(damages)('%s', async (_name, damage, expected) => {
    const { store, kv } = await open()
    await store.append(slice(5, 31))
    await store.stop()
    await damage(kv)
    for (let round = 0; round < 2; round++) {
      const { store: fresh } = await open(kv)
      expect(ends(fresh)).toEqual(expected)
      const [tail, head] = expected
      expect(await fresh.range(tail, head + 1)).toEqual(head === 0 ? [] : slice(tail, head + 1))
    }
    const { store: last } = await open(kv)
    await last.append(slice(Math.max(expected[1] + 1, 1), 41))
    expect(last.height).toBe(40)
  })

  test('after items were cut off at the top, the rest is not read through', async () => {
    const kv = counting(createMemoryKv())
    const { store } = await open(kv)
    await store.append(slice(5, 1500))
    await store.stop()
    await kv.batch(
      slice(1000, 1500).flatMap((one) => [
        { type: 'del', key: heightKey(prefixes.items, one.height) },
        { type: 'del', key: hashKey(prefixes.hashes, dummyKind.hash(one)) },
      ]),
    )
    kv.reads = 0
    const { store: fresh } = await open(kv)
    expect(ends(fresh)).toEqual([5, 999])
    expect(kv.reads).toBeLessThan(10)
  })

  test('a record that the database finds damaged counts as missing', async () => {
    const memory = createMemoryKv()
    const damaged = heightKey(prefixes.items, 9).join()
    const check = (keys: readonly Uint8Array[]): void => {
      if (keys.some((key) => key.join() === damaged)) throw new EvolveError('STORE_CORRUPT', 'a bad checksum')
    }
    const { store } = await open(memory)
    await store.append(slice(5, 10))
    const { store: fresh } = await open({
      ...memory,
      async getMany(keys) {
        check(keys)
        return await memory.getMany(keys)
      },
    })
    expect(ends(fresh)).toEqual([5, 8])
  })

  test('a database that cannot be read is an error, not an empty store', async () => {
    const memory = createMemoryKv()
    await memory.start()
    const broken = {
      ...memory,
      getMany: async () => await Promise.reject(new EvolveError('STORE_IO', 'no disk')),
    }
    const store = createHeaderStore({ kv: broken, kind: dummyKind, logger: noopLogger }, { prefixes })
    await expect(store.start()).rejects.toMatchObject({ code: 'STORE_IO' })
  })
})
