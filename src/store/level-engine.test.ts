import { MemoryLevel } from 'memory-level'
import { expect, test } from 'vitest'
import { collect } from '../../test/suites/kv-suite.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import { utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { createKvOverLevel } from './level-engine.ts'

/** A database whose disk can be made to refuse writes. */
function fragile(): { kv: Kv; disk: { full: boolean; opens: number; unopenable: boolean } } {
  const disk = { full: false, opens: 0, unopenable: false }
  const level = new MemoryLevel<Uint8Array, Uint8Array>({
    storeEncoding: 'view',
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  const kv = createKvOverLevel({
    name: 'fragile',
    async open() {
      if (disk.unopenable) throw new EvolveError('STORE_IO', 'cannot open', { verdict: 'retry' })
      disk.opens++
      await level.open()
      return {
        get: async (key) => await level.get(key),
        getMany: async (keys) => await level.getMany(keys),
        async batch(ops: KvOp[]) {
          if (disk.full) throw new Error('no space left on device')
          await level.batch(ops)
        },
        iterator: (range) => level.iterator(range),
        keys: (range) => level.keys(range),
        close: async () => await level.close(),
      }
    },
    writable: async () => !disk.full,
    explain: (cause, doing) => new EvolveError('STORE_IO', `cannot ${doing}`, { cause, verdict: 'retry' }),
  })
  return { kv, disk }
}

const ops = (key: string): KvOp[] => [{ type: 'put', key: utf8(key), value: utf8('x') }]

test('while the disk refuses writes reads go on, and writes resume by themselves on a database opened anew', async () => {
  const { kv, disk } = fragile()
  await kv.start()
  await kv.batch(ops('a'))
  disk.full = true
  await expect(kv.batch(ops('b'))).rejects.toMatchObject({ code: 'STORE_IO', verdict: 'retry' })
  await expect(kv.batch(ops('b'))).rejects.toMatchObject({ code: 'STORE_IO', verdict: 'retry' })
  expect(await kv.get(utf8('a'))).toEqual(utf8('x'))
  expect(disk.opens).toBe(1)
  disk.full = false
  await kv.batch(ops('b'))
  expect(disk.opens).toBe(2)
  await kv.batch(ops('c'))
  expect(disk.opens).toBe(2)
  expect(await collect(kv.keys({ gte: utf8(''), lt: utf8('z') }))).toHaveLength(3)
  await kv.stop()
})

test('an iteration that the reopening cut off says so', async () => {
  const { kv, disk } = fragile()
  await kv.start()
  await kv.batch([...ops('a'), ...ops('b')])
  const iteration = kv.keys({ gte: utf8(''), lt: utf8('z') })[Symbol.asyncIterator]()
  await iteration.next()
  disk.full = true
  await expect(kv.batch(ops('c'))).rejects.toMatchObject({ code: 'STORE_IO' })
  disk.full = false
  await kv.batch(ops('c'))
  await expect(iteration.next()).rejects.toMatchObject({ code: 'STORE_IO', verdict: 'retry' })
  await kv.stop()
})

test('when opening anew fails, every later use tries again', async () => {
  const { kv, disk } = fragile()
  await kv.start()
  disk.full = true
  await expect(kv.batch(ops('a'))).rejects.toMatchObject({ code: 'STORE_IO' })
  Object.assign(disk, { full: false, unopenable: true })
  await expect(kv.batch(ops('a'))).rejects.toMatchObject({ code: 'STORE_IO' })
  await expect(kv.get(utf8('a'))).rejects.toMatchObject({ code: 'STORE_IO' })
  disk.unopenable = false
  expect(await kv.get(utf8('a'))).toBeUndefined()
  await kv.batch(ops('a'))
  expect(await kv.get(utf8('a'))).toEqual(utf8('x'))
  await kv.stop()
  await expect(kv.get(utf8('a'))).rejects.toMatchObject({ code: 'KV_CLOSED' })
})

test('a write that was under way when another failed is not called good', async () => {
  const { kv, disk } = fragile()
  await kv.start()
  disk.full = true
  const failing = kv.batch(ops('a'))
  disk.full = false
  const [first, second] = await Promise.allSettled([failing, kv.batch(ops('b'))])
  expect([first.status, second.status]).toEqual(['rejected', 'rejected'])
  await kv.batch(ops('b'))
  expect(await kv.get(utf8('b'))).toEqual(utf8('x'))
  await kv.stop()
})
