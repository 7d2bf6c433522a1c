/*
 * What every Kv engine must do. Called at the top of an engine's test file with a way to make an empty, unstarted
 * database; the maker also sees to it that what it made is removed when the test is over.
 */
import * as fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Kv, KvOp, KvRange } from '../../src/core/kv.ts'
import { compareBytes, equalBytes, toHex, utf8 } from '../../src/util/bytes.ts'

type Entry = readonly [key: Uint8Array, value: Uint8Array]

const ALL: KvRange = { gte: new Uint8Array(0), lt: Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff) }

function put(key: string | Uint8Array, value: string | Uint8Array): KvOp {
  return {
    type: 'put',
    key: typeof key === 'string' ? utf8(key) : key,
    value: typeof value === 'string' ? utf8(value) : value,
  }
}

function del(key: string): KvOp {
  return { type: 'del', key: utf8(key) }
}

/** All that an iteration gives. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = []
  for await (const item of items) out.push(item)
  return out
}

/** Entries as readable text. */
function shown(entries: readonly Entry[]): string[] {
  return entries.map(([key, value]) => `${toHex(key)}=${toHex(value)}`)
}

async function textKeys(kv: Kv, range: KvRange): Promise<string> {
  const keys = await collect(kv.keys(range))
  return keys.map((key) => new TextDecoder().decode(key)).join(' ')
}

/** A database as a sorted array. */
class Model {
  entries: Entry[] = []

  apply(ops: readonly KvOp[]): void {
    for (const op of ops) {
      const index = this.entries.findIndex(([key]) => equalBytes(key, op.key))
      if (index >= 0) this.entries.splice(index, 1)
      if (op.type === 'put') this.entries.push([op.key, op.value])
    }
    this.entries.sort(([a], [b]) => compareBytes(a, b))
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.entries.find(([own]) => equalBytes(own, key))?.[1]
  }

  range({ gte, lt, reverse = false, limit }: KvRange): Entry[] {
    const inside = this.entries.filter(([key]) => compareBytes(key, gte) >= 0 && compareBytes(key, lt) < 0)
    return (reverse ? inside.toReversed() : inside).slice(0, limit)
  }
}

/** Runs the tests of a Kv engine. */
export function kvSuite(engine: string, make: () => Kv | Promise<Kv>): void {
  async function open(): Promise<Kv> {
    const kv = await make()
    await kv.start()
    onTestFinished(async () => await kv.stop())
    return kv
  }

  describe(`Kv: ${engine}`, () => {
    test('gives back what was put, and undefined for what was not', async () => {
      const kv = await open()
      await kv.batch([put('a', 'one'), put('b', 'two')])
      expect(await kv.get(utf8('a'))).toEqual(utf8('one'))
      expect(await kv.get(utf8('c'))).toBeUndefined()
      await kv.batch([del('a'), put('b', 'three')])
      expect(await kv.get(utf8('a'))).toBeUndefined()
      expect(await kv.get(utf8('b'))).toEqual(utf8('three'))
    })

    test('the last change of a key within a batch counts', async () => {
      const kv = await open()
      await kv.batch([put('a', '1'), del('a'), put('a', '2'), put('b', '1'), del('b')])
      expect(await textKeys(kv, ALL)).toBe('a')
      expect(await kv.get(utf8('a'))).toEqual(utf8('2'))
    })

    test('empty and synced batches are fine', async () => {
      const kv = await open()
      await kv.batch([])
      await kv.batch([], { sync: true })
      await kv.batch([put('a', '1')], { sync: true })
      expect(await textKeys(kv, ALL)).toBe('a')
    })

    test('getMany answers in the order of the keys, repeated and missing ones included', async () => {
      const kv = await open()
      await kv.batch([put('a', '1'), put('b', '2')])
      expect(await kv.getMany(['b', 'x', 'a', 'b'].map(utf8))).toEqual([
        utf8('2'),
        undefined,
        utf8('1'),
        utf8('2'),
      ])
      expect(await kv.getMany([])).toEqual([])
    })

    test('empty keys and empty values are values like others', async () => {
      const kv = await open()
      await kv.batch([put('', 'nothing'), put('a', '')])
      expect(await kv.get(utf8(''))).toEqual(utf8('nothing'))
      expect(await kv.get(utf8('a'))).toEqual(new Uint8Array(0))
      expect(shown(await collect(kv.range(ALL)))).toEqual([`=${toHex(utf8('nothing'))}`, '61='])
    })

    test('bytes come back as plain Uint8Array', async () => {
      const kv = await open()
      await kv.batch([put('a', '1')])
      const [value] = await kv.getMany([utf8('a')])
      const [entry] = await collect(kv.range(ALL))
      const [key] = await collect(kv.keys(ALL))
      for (const bytes of [await kv.get(utf8('a')), value, entry?.[0], entry?.[1], key]) {
        expect(bytes?.constructor).toBe(Uint8Array)
      }
    })

    test('order is that of unsigned bytes, a prefix first', async () => {
      const kv = await open()
      const keys = [[0xff], [0x80, 0], [0x7f], [0x80], [0], [], [0, 0], [0x80, 0xff]].map((key) =>
        Uint8Array.from(key),
      )
      await kv.batch(keys.map((key) => put(key, 'x')))
      expect((await collect(kv.keys(ALL))).map(toHex)).toEqual([
        '',
        '00',
        '0000',
        '7f',
        '80',
        '8000',
        '80ff',
        'ff',
      ])
    })

    test('a range goes from gte up to and without lt, either way, up to its limit', async () => {
      const kv = await open()
      await kv.batch(['a', 'b', 'c', 'd', 'e'].map((key) => put(key, key)))
      const range = { gte: utf8('b'), lt: utf8('e') }
      expect(await textKeys(kv, range)).toBe('b c d')
      expect(await textKeys(kv, { ...range, reverse: true })).toBe('d c b')
      expect(await textKeys(kv, { ...range, limit: 2 })).toBe('b c')
      expect(await textKeys(kv, { ...range, limit: 1, reverse: true })).toBe('d')
      expect(await textKeys(kv, { ...range, limit: 0 })).toBe('')
      expect(await textKeys(kv, { gte: utf8('bb'), lt: utf8('bc') })).toBe('')
      expect(await textKeys(kv, { gte: utf8('e'), lt: utf8('b') })).toBe('')
      expect(await textKeys(kv, { gte: utf8('b'), lt: utf8('b') })).toBe('')
    })

    test('ranges of many and of big entries come whole', async () => {
      const kv = await open()
      const count = 3_000
      const key = (index: number): Uint8Array => Uint8Array.of(index >> 8, index & 0xff)
      for (let from = 0; from < count; from += 500) {
        await kv.batch(Array.from({ length: 500 }, (_, i) => put(key(from + i), key(from + i))))
      }
      const found = await collect(kv.range(ALL))
      expect(found).toHaveLength(count)
      expect(
        found.every(([own, value], index) => equalBytes(own, key(index)) && equalBytes(value, own)),
      ).toBe(true)
      const big = Array.from({ length: 4 }, (_, i) => new Uint8Array(3_000_000).fill(i + 1))
      await kv.batch(big.map((value, i) => put(Uint8Array.of(0xfe, i), value)))
      const values = (await collect(kv.range({ gte: Uint8Array.of(0xfe), lt: Uint8Array.of(0xff) }))).map(
        ([, value]) => value,
      )
      expect(values.map((value, i) => equalBytes(value, big[i] ?? new Uint8Array(0)))).toEqual([
        true,
        true,
        true,
        true,
      ])
    })

    test('an iteration shows what was there when it began', async () => {
      const kv = await open()
      await kv.batch(['a', 'b', 'c'].map((key) => put(key, 'old')))
      const iteration = kv.range(ALL)[Symbol.asyncIterator]()
      const first = await iteration.next()
      await kv.batch([del('b'), put('c', 'new'), put('d', 'new')])
      const rest = await collect({ [Symbol.asyncIterator]: () => iteration })
      expect(shown([...(first.done === true ? [] : [first.value]), ...rest])).toEqual(
        shown(['a', 'b', 'c'].map((key) => [utf8(key), utf8('old')])),
      )
      expect(await textKeys(kv, ALL)).toBe('a c d')
    })

    test('a range object can be iterated again and then shows the new state', async () => {
      const kv = await open()
      const range = kv.keys(ALL)
      expect(await collect(range)).toEqual([])
      await kv.batch([put('a', '1')])
      expect(await collect(range)).toEqual([utf8('a')])
    })

    test('an iteration that is left early does not keep the database from stopping', async () => {
      const kv = await open()
      await kv.batch(['a', 'b', 'c'].map((key) => put(key, key)))
      for await (const _ of kv.range(ALL)) break
      const forgotten = kv.keys(ALL)[Symbol.asyncIterator]()
      await forgotten.next()
      await kv.stop()
      await expect(forgotten.next()).rejects.toMatchObject({ code: 'KV_CLOSED' })
    })

    test('readers see a batch whole or not at all', async () => {
      const kv = await open()
      const keys = Array.from({ length: 50 }, (_, i) => Uint8Array.of(i))
      const writing = (async () => {
        for (let round = 0; round < 20; round++) {
          await kv.batch(keys.map((key) => put(key, Uint8Array.of(round))))
        }
      })()
      let rounds = 0
      for (let last = -1; last < 19; rounds++) {
        const seen = new Set((await collect(kv.range(ALL))).map(([, value]) => toHex(value)))
        expect(seen.size).toBeLessThanOrEqual(1)
        last = Number.parseInt([...seen][0] ?? '-1', 16)
      }
      await writing
      expect(rounds).toBeGreaterThan(0)
    })

    test('before start and after stop everything rejects with KV_CLOSED', async () => {
      const kv = await make()
      const uses: (() => Promise<unknown>)[] = [
        async () => await kv.get(utf8('a')),
        async () => await kv.getMany([utf8('a')]),
        async () => await kv.batch([put('a', '1')]),
        async () => await kv.batch([], { sync: true }),
        async () => await collect(kv.range(ALL)),
        async () => await collect(kv.keys(ALL)),
      ]
      for (const use of uses) await expect(use()).rejects.toMatchObject({ code: 'KV_CLOSED' })
      await kv.start()
      await kv.batch([put('a', '1')])
      await kv.stop()
      for (const use of uses) await expect(use()).rejects.toMatchObject({ code: 'KV_CLOSED' })
    })

    test('start and stop are safe to call twice, in any order, and at once', async () => {
      const kv = await make()
      await kv.stop()
      await Promise.all([kv.start(), kv.start()])
      await kv.batch([put('a', '1')])
      await Promise.all([kv.stop(), kv.stop()])
      await kv.stop()
      await Promise.all([kv.start(), kv.stop(), kv.start()])
      expect(await kv.get(utf8('a'))).toEqual(utf8('1'))
      await kv.stop()
    })

    test('a start whose signal is aborted does not open', async () => {
      const kv = await make()
      await expect(kv.start({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough')
      await expect(kv.get(utf8('a'))).rejects.toMatchObject({ code: 'KV_CLOSED' })
    })

    test('stop lets what is under way finish', async () => {
      const kv = await open()
      const writes = Array.from({ length: 20 }, async (_, i) => await kv.batch([put(`key ${i}`, 'x')]))
      const reads = Array.from({ length: 20 }, async (_, i) => await kv.get(utf8(`key ${i}`)))
      await kv.stop()
      await Promise.all([...writes, ...reads])
      await kv.start()
      expect(await collect(kv.keys(ALL))).toHaveLength(20)
    })

    test('does what a sorted array does', async () => {
      const key = fc.uint8Array({ maxLength: 3, max: 3 })
      const op: fc.Arbitrary<KvOp> = fc.oneof(
        {
          weight: 3,
          arbitrary: fc.record({
            type: fc.constant('put' as const),
            key,
            value: fc.uint8Array({ maxLength: 4 }),
          }),
        },
        { weight: 1, arbitrary: fc.record({ type: fc.constant('del' as const), key }) },
      )
      const range: fc.Arbitrary<KvRange> = fc.record(
        { gte: key, lt: key, reverse: fc.boolean(), limit: fc.nat(6) },
        { requiredKeys: ['gte', 'lt'] },
      )
      const step = fc.oneof(
        fc.record({ batch: fc.array(op, { maxLength: 8 }), sync: fc.boolean() }),
        fc.record({ range }),
        fc.record({ keys: fc.array(key, { maxLength: 5 }) }),
        fc.constant({ restart: true }),
      )
      const kv = await open()
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          const model = new Model()
          await kv.batch((await collect(kv.keys(ALL))).map((own) => ({ type: 'del', key: own })))
          const got: unknown[] = []
          const wanted: unknown[] = []
          for (const one of steps) {
            if ('batch' in one) {
              model.apply(one.batch)
              await kv.batch(one.batch, { sync: one.sync })
            } else if ('range' in one) {
              got.push(shown(await collect(kv.range(one.range))))
              wanted.push(shown(model.range(one.range)))
            } else if ('keys' in one) {
              got.push(await kv.getMany(one.keys))
              wanted.push(one.keys.map((own) => model.get(own)))
            } else {
              await kv.stop()
              await kv.start()
            }
          }
          expect(got).toEqual(wanted)
          expect(shown(await collect(kv.range(ALL)))).toEqual(shown(model.range(ALL)))
        }),
        { numRuns: 40 },
      )
    })
  })
}
