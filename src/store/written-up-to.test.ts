import { expect, onTestFinished, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import { makeSaves } from '../../test/suites/block-saves.ts'
import { createBlockStore } from './block-store.ts'
import { createMemoryKv } from './kv-memory.ts'

const { initial, saves } = makeSaves({ count: 4, initialHeight: 5 })

async function disk(): Promise<FaultyKv> {
  const kv = createFaultyKv(createMemoryKv())
  await kv.start()
  onTestFinished(async () => await kv.stop())
  return kv
}

test('the highest height that may have records is that of the last block, also after another start', async () => {
  const kv = await disk()
  const store = createBlockStore({ kv })
  await store.start()
  expect(store.writtenUpTo).toBe(0)
  await store.saveState(initial)
  await store.saveBlocks(saves.slice(0, 2))
  expect(store.writtenUpTo).toBe(6)
  const next = createBlockStore({ kv })
  await next.start()
  expect(next.writtenUpTo).toBe(6)
})

test('a batch that failed may be there all the same: its heights count', async () => {
  const kv = await disk()
  const store = createBlockStore({ kv })
  await store.start()
  await store.saveState(initial)
  kv.fail = () => 'after'
  await expect(store.saveBlocks(saves.slice(0, 3))).rejects.toThrow(/does not write/)
  expect(store.writtenUpTo).toBe(7)
})

test('blocks are counted before their batch is written', async () => {
  const kv = await disk()
  const store = createBlockStore({ kv })
  await store.start()
  await store.saveState(initial)
  let during = 0
  kv.fail = () => {
    during = store.writtenUpTo
    return undefined
  }
  await store.saveBlocks(saves)
  expect(during).toBe(8)
})
