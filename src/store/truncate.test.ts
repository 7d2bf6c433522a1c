import { expect, onTestFinished, test } from 'vitest'
import { makeSaves } from '../../test/suites/block-saves.ts'
import { collect } from '../../test/suites/kv-suite.ts'
import type { Kv } from '../core/kv.ts'
import { encodeP2PData, encodeP2PSignedHeader } from '../types/codec.ts'
import { dataHash } from '../types/data.ts'
import { headerHash } from '../types/header.ts'
import { toHex, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { createBlockStore, type KvBlockStore } from './block-store.ts'
import { hashKey, heightKey, KEYS } from './keys.ts'
import { createMemoryKv } from './kv-memory.ts'

const { initial, saves } = makeSaves({ count: 2_300, txsAt: () => [] })
const EXECUTED = 2_250

/** A database with executed blocks and some that lie only in the header and data stores. */
async function filled(): Promise<{ kv: Kv; store: KvBlockStore }> {
  const kv = createMemoryKv()
  await kv.start()
  onTestFinished(async () => await kv.stop())
  const store = createBlockStore({ kv })
  await store.start()
  await store.saveState(initial)
  await store.saveBlocks(saves.slice(0, EXECUTED))
  for (const { header, data, state } of saves.slice(EXECUTED)) {
    const height = uint64BigEndian(state.lastBlockHeight)
    const [headerKey, dataKey] = [KEYS.headers, KEYS.data].map((prefix) =>
      heightKey(prefix, state.lastBlockHeight),
    )
    await kv.batch([
      { type: 'put', key: headerKey ?? height, value: encodeP2PSignedHeader(header) },
      { type: 'put', key: hashKey(KEYS.headerHashes, headerHash(header.header)), value: height },
      { type: 'put', key: dataKey ?? height, value: encodeP2PData(data) },
      { type: 'put', key: hashKey(KEYS.dataHashes, dataHash(data)), value: height },
    ])
  }
  return { kv, store }
}

async function dump(kv: Kv): Promise<string[]> {
  const entries = await collect(kv.range({ gte: new Uint8Array(0), lt: Uint8Array.of(0xff) }))
  return entries.map(([key, value]) => `${toHex(key)}=${toHex(value)}`)
}

/** What a database looks like that never went beyond `height`. */
async function untouched(height: number): Promise<string[]> {
  const kv = createMemoryKv()
  await kv.start()
  const store = createBlockStore({ kv })
  await store.start()
  await store.saveState(initial)
  await store.saveBlocks(saves.slice(0, height))
  const entries = await dump(kv)
  await kv.stop()
  return entries
}

test.for([1_700, 0, 1, EXECUTED])(
  'going back to %i leaves what was there then, and nothing else',
  async (height) => {
    const { kv, store } = await filled()
    await store.truncate(height)
    expect(await dump(kv)).toEqual(await untouched(height))
    expect(await store.height()).toBe(height)
    expect(await store.state()).toEqual(height === 0 ? initial : saves[height - 1]?.state)
    expect(await store.block(height + 1)).toBeUndefined()
    await store.saveBlocks(saves.slice(height, height + 3))
    expect(await store.height()).toBe(height + 3)
  },
)

test('no batch grows with the transactions of the blocks', async () => {
  const full = makeSaves({ count: 40, txsAt: (height) => manyTxs(height) })
  const inner = createMemoryKv()
  await inner.start()
  onTestFinished(async () => await inner.stop())
  const sizes: number[] = []
  const store = createBlockStore({
    kv: {
      ...inner,
      async batch(ops, options) {
        sizes.push(ops.length)
        await inner.batch(ops, options)
      },
    },
  })
  await store.start()
  await store.saveState(full.initial)
  await store.saveBlocks(full.saves)
  sizes.length = 0
  await store.truncate(10)
  expect(await store.height()).toBe(10)
  // A block that is full by itself may be in it besides.
  expect(Math.max(...sizes)).toBeLessThan(20_000)
})

function manyTxs(height: number): Uint8Array[] {
  return Array.from({ length: 2_500 }, (_, index) => utf8(`${height}/${index}`))
}

test('only heights with a state can be gone back to', async () => {
  const { store } = await filled()
  for (const height of [EXECUTED + 1, -1, 5_000]) {
    await expect(store.truncate(height)).rejects.toMatchObject({
      code: 'UNEXPECTED_HEIGHT',
      data: { height },
    })
  }
  expect(await store.height()).toBe(EXECUTED)
})

test('a crash in the middle leaves a whole database, and the work can be taken up again', async () => {
  const { kv } = await filled()
  let batches = 0
  const crashing: Kv = {
    ...kv,
    async batch(ops, options) {
      batches++
      if (batches === 2) throw new Error('power cut')
      await kv.batch(ops, options)
    },
  }
  const store = createBlockStore({ kv: crashing })
  await store.start()
  await expect(store.truncate(10)).rejects.toThrow('power cut')
  const left = await store.height()
  expect(left).toBeGreaterThan(10)
  expect(left).toBeLessThan(EXECUTED)
  const next = createBlockStore({ kv })
  await next.start()
  expect(await next.height()).toBe(left)
  expect(await next.block(left)).toBeDefined()
  await next.truncate(10)
  expect(await dump(kv)).toEqual(await untouched(10))
})

test('damaged records are removed like others', async () => {
  const { kv, store } = await filled()
  await kv.batch([
    { type: 'put', key: heightKey(KEYS.headers, 2_000), value: utf8('rubbish') },
    { type: 'del', key: heightKey(KEYS.data, 2_001) },
  ])
  await store.truncate(1_999)
  expect(await store.height()).toBe(1_999)
  for (const { header } of saves.slice(1_999, 2_001)) {
    expect(await store.heightOf(headerHash(header.header))).toBeUndefined()
  }
  await store.saveBlocks(saves.slice(1_999, 2_002))
  expect(await store.block(2_000)).toBeDefined()
})
