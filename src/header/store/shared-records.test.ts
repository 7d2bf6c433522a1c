/*
 * Records that another part puts under the keys of a header store: found wherever they may lie, looked for nowhere
 * else.
 */
import { expect, onTestFinished, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import type { HeaderStore } from '../../core/header.ts'
import type { Kv, KvOp } from '../../core/kv.ts'
import { noopLogger } from '../../core/logger.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { hashKey, heightKey } from './keys.ts'
import { createHeaderStore } from './kv-store.ts'

const prefixes = { items: 0x68, hashes: 0x69, meta: 0x31 }
const chain = makeDummies(20)
const fork = makeDummies(20, { payload: 'fork' })
const conflicting = expect.objectContaining({ code: 'CONFLICTING_ITEM' })

/** Puts an item where another part would. */
async function put(kv: Kv, item: DummyItem | undefined): Promise<void> {
  if (item === undefined) throw new Error('no such dummy')
  const key = heightKey(prefixes.items, item.height)
  await kv.batch([
    { type: 'put', key, value: dummyKind.encode(item) },
    { type: 'put', key: hashKey(prefixes.hashes, dummyKind.hash(item)), value: key.subarray(1) },
  ])
}

interface Rig {
  readonly kv: Kv
  readonly store: HeaderStore<DummyItem>
  /** Walks over keys or entries since the start. */
  readonly scans: () => number
  readonly ops: KvOp[]
}

/** A store that had `own` items and finds those of others at its start; they write up to what `others` says. */
async function open(
  own: readonly DummyItem[],
  before: readonly (DummyItem | undefined)[],
  others: () => number,
): Promise<Rig> {
  const kv = createMemoryKv()
  await kv.start()
  const earlier = createHeaderStore({ kv, kind: dummyKind, logger: noopLogger }, { prefixes })
  await earlier.start()
  await earlier.append(own)
  await earlier.stop()
  for (const item of before) await put(kv, item)
  let scans = 0
  const ops: KvOp[] = []
  const counted: Kv = {
    ...kv,
    async batch(changes, options) {
      ops.push(...changes)
      await kv.batch(changes, options)
    },
    keys(range) {
      scans++
      return kv.keys(range)
    },
    range(range) {
      scans++
      return kv.range(range)
    },
  }
  const store = createHeaderStore(
    { kv: counted, kind: dummyKind, logger: noopLogger },
    { prefixes, othersUpTo: others },
  )
  await store.start()
  onTestFinished(async () => {
    await store.stop()
    await kv.stop()
  })
  const atStart = scans
  return { kv, store, scans: () => scans - atStart, ops }
}

test('another item that lay there at the start is found, though nobody writes any more', async () => {
  const { store } = await open(chain.slice(0, 2), [fork[6]], () => 0)
  await store.append(chain.slice(2, 6))
  await expect(store.append(chain.slice(6, 9))).rejects.toThrow(conflicting)
  expect(store.height).toBe(6)
})

test('another item that is written later is found', async () => {
  let reach = 0
  const { kv, store } = await open([], [], () => reach)
  await store.append(chain.slice(0, 4))
  reach = 5
  await put(kv, fork[4])
  await expect(store.append(chain.slice(4, 8))).rejects.toThrow(conflicting)
  expect(store.height).toBe(4)
})

test('the same item stays as it lies', async () => {
  let reach = 0
  const { kv, store, ops } = await open(chain.slice(0, 1), [chain[2]], () => reach)
  reach = 5
  await put(kv, chain[4])
  await store.append(chain.slice(0, 8))
  expect(store.height).toBe(8)
  const heights = ops.filter(({ key }) => key[0] === prefixes.items).map(({ key }) => key.at(-1))
  expect(heights).toEqual([2, 4, 6, 7, 8])
  expect(await store.range(1, 9)).toEqual(chain.slice(0, 8))
})

test('above what may lie there nothing is looked for', async () => {
  let reach = 3
  const { store, scans } = await open(chain.slice(0, 1), [chain[1]], () => reach)
  await store.append(chain.slice(0, 3))
  const below = scans()
  expect(below).toBeGreaterThan(0)
  await store.append(chain.slice(3, 6))
  for (const item of chain.slice(6, 12)) await store.append([item])
  expect(scans()).toBe(below)
  reach = 13
  await store.append(chain.slice(12, 14))
  expect(scans()).toBeGreaterThan(below)
})

test('below the tail, too, another item is found', async () => {
  const { store } = await open(chain.slice(5, 8), [fork[3]], () => 0)
  await expect(store.append(chain.slice(2, 5))).rejects.toThrow(conflicting)
  expect(store.tailHeight).toBe(6)
})
