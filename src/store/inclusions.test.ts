import { describe, expect, onTestFinished, test } from 'vitest'
import { makeSaves } from '../../test/suites/block-saves.ts'
import type { BlockInclusion } from '../core/block-store.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import { toHex, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { createBlockStore, type KvBlockStore } from './block-store.ts'
import { dataDaHeightName, headerDaHeightName, heightKey, KEYS, METADATA } from './keys.ts'
import { createMemoryKv } from './kv-memory.ts'

const FIRST = 5
const { initial, saves } = makeSaves({ count: 10, initialHeight: FIRST })

async function filled(): Promise<{ kv: Kv; store: KvBlockStore }> {
  const kv = createMemoryKv()
  await kv.start()
  onTestFinished(async () => await kv.stop())
  const store = createBlockStore({ kv })
  await store.start()
  await store.saveState(initial)
  await store.saveBlocks(saves)
  return { kv, store }
}

function found(height: number): BlockInclusion {
  return { height, headerDaHeight: 100 + height, dataDaHeight: 200 + height }
}

const littleEndian = (value: number): Uint8Array => uint64BigEndian(value).toReversed()

describe('final blocks', () => {
  test('there are none at first', async () => {
    const { store } = await filled()
    expect(await store.daIncludedHeight()).toBe(FIRST - 1)
    expect(await store.inclusionOf(FIRST)).toBeUndefined()
  })

  test('are told with their DA heights, as RPC clients read them, and carry them as hints', async () => {
    const { store, kv } = await filled()
    await store.saveInclusion([found(5), found(6)])
    await store.saveInclusion([found(7)])
    expect(await store.daIncludedHeight()).toBe(7)
    expect(await store.inclusionOf(6)).toEqual(found(6))
    expect(await store.inclusionOf(8)).toBeUndefined()
    expect(await store.metadata(METADATA.daIncludedHeight)).toEqual(littleEndian(7))
    expect(await store.metadata(METADATA.genesisDaHeight)).toEqual(littleEndian(105))
    expect(await kv.get(utf8(`m${headerDaHeightName(7)}`))).toEqual(littleEndian(107))
    expect(await kv.get(utf8(`m${dataDaHeightName(7)}`))).toEqual(littleEndian(207))
    const block = await store.block(6)
    expect(block).toMatchObject({ header: { daHeightHint: 106 }, data: { daHeightHint: 206 } })
    expect(await store.block(8)).toMatchObject({ header: { daHeightHint: 0 }, data: { daHeightHint: 0 } })
  })

  test('follow one another without gap, up to the last saved block', async () => {
    const { store } = await filled()
    const refused = expect.objectContaining({ code: 'UNEXPECTED_HEIGHT', verdict: 'halt' })
    await expect(store.saveInclusion([found(6)])).rejects.toThrow(refused)
    await expect(store.saveInclusion([found(5), found(7)])).rejects.toThrow(refused)
    await store.saveInclusion(saves.map(({ state }) => found(state.lastBlockHeight)))
    await expect(store.saveInclusion([found(FIRST + saves.length)])).rejects.toThrow(refused)
    expect(await store.daIncludedHeight()).toBe(FIRST + saves.length - 1)
  })

  test('changes of other parts go into the same batch, of inclusions and of blocks', async () => {
    const { store, kv } = await filled()
    await store.saveInclusion([found(5)], {
      alongside: [{ type: 'put', key: utf8('zz'), value: utf8('there') }],
    })
    expect(await kv.get(utf8('zz'))).toEqual(utf8('there'))
    const wrong = { alongside: [{ type: 'del', key: utf8('zz') }] } as const
    await expect(store.saveInclusion([found(9)], wrong)).rejects.toThrow(/next block to become final is 6/)
    await expect(store.saveBlocks(saves.slice(0, 1), wrong)).rejects.toThrow(/must be of height/)
    expect(await kv.get(utf8('zz'))).toEqual(utf8('there'))
  })

  test('are final no longer where the store goes back below them', async () => {
    const { store, kv } = await filled()
    await store.saveInclusion([found(5), found(6), found(7), found(8)])
    await store.truncate(6)
    expect(await store.daIncludedHeight()).toBe(6)
    expect(await kv.get(utf8(`m${headerDaHeightName(7)}`))).toBeUndefined()
    await store.saveBlocks(saves.slice(2, 4))
    expect(await store.inclusionOf(7)).toBeUndefined()
    await store.saveInclusion([{ height: 7, headerDaHeight: 300, dataDaHeight: 301 }])
    expect(await store.inclusionOf(7)).toMatchObject({ headerDaHeight: 300 })
  })

  test('only records whose hint is another one are written again', async () => {
    const kv = createMemoryKv()
    await kv.start()
    onTestFinished(async () => await kv.stop())
    const ops: KvOp[] = []
    const store = createBlockStore({
      kv: {
        ...kv,
        async batch(changes, options) {
          ops.push(...changes)
          await kv.batch(changes, options)
        },
      },
    })
    await store.start()
    await store.saveState(initial)
    // Of 5 both halves are right already, of 6 the header, of 7 the data, of 8 none: one lacks it, one is wrong.
    const hints: readonly (readonly [number | undefined, number | undefined])[] = [
      [105, 205],
      [106, undefined],
      [9, 207],
      [undefined, 9],
    ]
    await store.saveBlocks(
      hints.flatMap(([header, data], index) => {
        const save = saves[index]
        if (save === undefined) return []
        return {
          ...save,
          header: { ...save.header, daHeightHint: header ?? 0 },
          data: { ...save.data, daHeightHint: data ?? 0 },
        }
      }),
    )
    // Records as whoever synchronises them stores them.
    for (const height of [5, 6, 7, 8]) {
      const [header, data] = hints[height - 5] ?? []
      const stored = await store.block(height)
      expect(stored).toMatchObject({
        header: { daHeightHint: header ?? 0 },
        data: { daHeightHint: data ?? 0 },
      })
    }
    ops.length = 0
    await store.saveInclusion([5, 6, 7, 8].map(found))
    const keys = ops.map(({ key }) => toHex(key))
    const rewritten = (prefix: number): number[] =>
      [5, 6, 7, 8].filter((height) => keys.includes(toHex(heightKey(prefix, height))))
    expect(rewritten(KEYS.headers)).toEqual([7, 8])
    expect(rewritten(KEYS.data)).toEqual([6, 8])
    for (const height of [5, 6, 7, 8]) {
      expect(await store.block(height)).toMatchObject({
        header: { daHeightHint: 100 + height },
        data: { daHeightHint: 200 + height },
      })
    }
  })
})
