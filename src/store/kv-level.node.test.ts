import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { collect, kvSuite } from '../../test/suites/kv-suite.ts'
import type { Kv } from '../core/kv.ts'
import { utf8 } from '../util/bytes.ts'
import { createLevelKv } from './kv-level.node.ts'

async function directory(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kv-level-'))
  onTestFinished(async () => await rm(path, { recursive: true, force: true }))
  return path
}

kvSuite('classic-level', async () => createLevelKv({ path: join(await directory(), 'store') }))

async function started(path: string): Promise<Kv> {
  const kv = createLevelKv({ path })
  await kv.start()
  onTestFinished(async () => await kv.stop())
  return kv
}

/** A stopped database of a few records in table files; returns its directory. */
async function filled(): Promise<string> {
  const path = join(await directory(), 'deep', 'store')
  const kv = await started(path)
  for (let i = 0; i < 20; i++) {
    const value = crypto.getRandomValues(new Uint8Array(100))
    await kv.batch([{ type: 'put', key: utf8(`key ${i}`), value }], { sync: true })
  }
  // The log becomes a table when it is opened again.
  await kv.stop()
  await kv.start()
  await kv.stop()
  return path
}

async function fileOf(path: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(path)).find((file) => pattern.test(file))
  if (name === undefined) throw new Error(`no file like ${pattern} in ${path}`)
  return join(path, name)
}

test('what was written is there in the next life', async () => {
  const path = await filled()
  const kv = await started(path)
  expect((await kv.get(utf8('key 7')))?.length).toBe(100)
})

test('a second opener is refused with the path in the message', async () => {
  const path = join(await directory(), 'store')
  const first = await started(path)
  const second = createLevelKv({ path })
  await expect(second.start()).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: expect.stringContaining(path),
    data: { path },
  })
  await first.stop()
  await second.start()
  await second.stop()
})

test('a damaged table of contents is refused', async () => {
  const path = await filled()
  await truncate(await fileOf(path, /^MANIFEST/), 5)
  await expect(createLevelKv({ path }).start()).rejects.toMatchObject({
    code: 'STORE_CORRUPT',
    message: expect.stringContaining(path),
  })
})

test.for([/^CURRENT$/, /^MANIFEST/, /\.ldb$/])(
  'a missing file %s is refused, and nothing is removed',
  async (pattern) => {
    const path = await filled()
    await rm(await fileOf(path, pattern))
    const before = await readdir(path)
    await expect(createLevelKv({ path }).start()).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringContaining(path),
    })
    const after = await readdir(path)
    for (const file of before.filter((name) => /\.ldb$|^MANIFEST/.test(name))) expect(after).toContain(file)
  },
)

test('a flipped bit in a record is noticed by whoever reads it, and named', async () => {
  const path = await filled()
  let kv = await started(path)
  const value = (await kv.get(utf8('key 3'))) ?? new Uint8Array(0)
  await kv.stop()
  const table = await fileOf(path, /\.ldb$/)
  const bytes = await readFile(table)
  const at = bytes.indexOf(value.subarray(20, 60))
  expect(at).toBeGreaterThan(0)
  bytes[at] = (bytes[at] ?? 0) ^ 0x10
  await writeFile(table, bytes)
  kv = await started(path)
  const damaged = { code: 'STORE_CORRUPT', data: { path, key: '6b65792033' } }
  await expect(kv.get(utf8('key 3'))).rejects.toMatchObject(damaged)
  await expect(kv.getMany([utf8('key 4'), utf8('key 3')])).rejects.toMatchObject(damaged)
  await expect(collect(kv.range({ gte: utf8('key'), lt: utf8('kez') }))).rejects.toMatchObject(damaged)
  expect((await kv.get(utf8('key 4')))?.length).toBe(100)
})

test('a path that cannot be a database is refused with the path in the message', async () => {
  const path = join(await directory(), 'file')
  await writeFile(path, 'not a directory')
  await expect(createLevelKv({ path }).start()).rejects.toMatchObject({
    code: 'STORE_IO',
    message: expect.stringContaining(path),
  })
})
