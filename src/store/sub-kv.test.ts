import { expect, onTestFinished, test } from 'vitest'
import { collect } from '../../test/suites/kv-suite.ts'
import { utf8 } from '../util/bytes.ts'
import { createMemoryKv } from './kv-memory.ts'
import { prefixRange } from './keys.ts'
import { subKv } from './sub-kv.ts'

async function setUp(): Promise<ReturnType<typeof createMemoryKv>> {
  const whole = createMemoryKv()
  await whole.start()
  onTestFinished(async () => await whole.stop())
  return whole
}

async function keysOf(keys: AsyncIterable<Uint8Array>): Promise<string[]> {
  const out: string[] = []
  for await (const key of keys) out.push(new TextDecoder().decode(key))
  return out
}

test('keys go in and come out without the prefix, and neighbours stay apart', async () => {
  const whole = await setUp()
  const [a, b] = [subKv(whole, utf8('a')), subKv(whole, utf8('b'))]
  await a.batch([{ type: 'put', key: utf8('x'), value: utf8('1') }])
  await b.batch([
    { type: 'put', key: utf8('x'), value: utf8('2') },
    { type: 'put', key: utf8('y'), value: utf8('3') },
  ])
  expect(await a.get(utf8('x'))).toEqual(utf8('1'))
  expect(await a.getMany([utf8('y'), utf8('x')])).toEqual([undefined, utf8('1')])
  const all = { gte: utf8(''), lt: utf8('~') }
  expect(await keysOf(a.keys(all))).toEqual(['x'])
  expect(await keysOf(b.keys({ ...all, reverse: true }))).toEqual(['y', 'x'])
  expect(await keysOf(whole.keys(all))).toEqual(['ax', 'bx', 'by'])
  await b.batch([{ type: 'del', key: utf8('x') }], { sync: true })
  const entries = await collect(b.range(all))
  expect(entries).toEqual([[utf8('y'), utf8('3')]])
  expect(await a.get(utf8('x'))).toEqual(utf8('1'))
})

test('starting and stopping is the owner’s business', async () => {
  const whole = await setUp()
  const part = subKv(whole, utf8('a'))
  await part.start()
  await part.stop()
  await part.batch([{ type: 'put', key: utf8('x'), value: utf8('1') }])
  expect(await whole.get(utf8('ax'))).toEqual(utf8('1'))
  await whole.stop()
  await expect(part.get(utf8('x'))).rejects.toMatchObject({ code: 'KV_CLOSED' })
})

test('the range of a prefix ends where the next prefix begins', () => {
  expect(prefixRange(utf8('ab'))).toEqual({ gte: utf8('ab'), lt: utf8('ac') })
  expect(prefixRange(Uint8Array.of(1, 0xff))).toEqual({ gte: Uint8Array.of(1, 0xff), lt: Uint8Array.of(2) })
  expect(() => prefixRange(Uint8Array.of(0xff))).toThrow(RangeError)
})
