import { expect, onTestFinished, test } from 'vitest'
import type { Kv } from '../core/kv.ts'
import { utf8 } from '../util/bytes.ts'
import { ensureFormat, FORMAT, type Migration, MIGRATIONS } from './format.ts'
import { heightKey, KEYS, METADATA, nameKey } from './keys.ts'
import { createMemoryKv } from './kv-memory.ts'

const formatKey = nameKey(KEYS.metadata, METADATA.format)

async function emptyKv(): Promise<Kv> {
  const kv = createMemoryKv()
  await kv.start()
  onTestFinished(async () => await kv.stop())
  return kv
}

async function kvOfFormat(format: string): Promise<Kv> {
  const kv = await emptyKv()
  await kv.batch([{ type: 'put', key: formatKey, value: utf8(format) }])
  return kv
}

test('a new database gets the format of this version, and passes with it ever after', async () => {
  const kv = await emptyKv()
  await ensureFormat(kv)
  expect(await kv.get(formatKey)).toEqual(utf8(String(FORMAT)))
  await ensureFormat(kv)
  expect(await kv.get(formatKey)).toEqual(utf8(String(FORMAT)))
})

test('a newer format is refused with both numbers', async () => {
  const kv = await kvOfFormat(String(FORMAT + 1))
  await expect(ensureFormat(kv)).rejects.toMatchObject({
    code: 'STORE_FORMAT',
    message: expect.stringContaining(`has format ${FORMAT + 1}, expected ${FORMAT}`),
    data: { found: FORMAT + 1, expected: FORMAT },
  })
})

test('an older format without a migration is refused and left as it is', async () => {
  const kv = await kvOfFormat('1')
  await expect(ensureFormat(kv, { format: 2, migrations: [] })).rejects.toMatchObject({
    code: 'STORE_FORMAT',
    data: { found: 1, expected: 2 },
  })
  expect(await kv.get(formatKey)).toEqual(utf8('1'))
})

test('migrations run in order, and one that was cut off runs again', async () => {
  const kv = await kvOfFormat('1')
  const runs: string[] = []
  let fail = true
  const migrations: Migration[] = [
    {
      from: 2,
      async run() {
        runs.push('2')
        if (fail) throw new Error('power cut')
      },
    },
    {
      from: 1,
      async run() {
        runs.push('1')
      },
    },
  ]
  await expect(ensureFormat(kv, { format: 3, migrations })).rejects.toThrow('power cut')
  expect(await kv.get(formatKey)).toEqual(utf8('2'))
  fail = false
  await ensureFormat(kv, { format: 3, migrations })
  expect(runs).toEqual(['1', '2', '2'])
  expect(await kv.get(formatKey)).toEqual(utf8('3'))
})

test('there is a migration from every format that ever was', () => {
  expect(MIGRATIONS.map(({ from }) => from)).toEqual(Array.from({ length: FORMAT - 1 }, (_, i) => i + 1))
})

test('states without a format are refused: somebody else wrote them', async () => {
  const kv = await emptyKv()
  await kv.batch([{ type: 'put', key: heightKey(KEYS.states, 1), value: utf8('state') }])
  await expect(ensureFormat(kv)).rejects.toMatchObject({ code: 'STORE_FORMAT', data: { found: 'none' } })
})

test.for(['', '0', '-1', '1.5', 'one', '99999999999'])(
  'a format that is no number is damage: %j',
  async (format) => {
    const kv = await kvOfFormat(format)
    await expect(ensureFormat(kv)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  },
)
