import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, EMPTY_BYTES, fromHex, utf8 } from './bytes.ts'
import { CanonicalReader } from './canonical-reader.ts'
import { WireType, WireWriter } from './wire.ts'

const writer = (): WireWriter => new WireWriter()
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const small = fc.uint8Array({ maxLength: 200 })
const text = fc.string({ unit: 'grapheme', maxLength: 80 })
const reader = (hex: string): CanonicalReader => new CanonicalReader(fromHex(hex) ?? EMPTY_BYTES)

interface Message {
  readonly number: number
  readonly hint: number
  readonly time: bigint
  readonly inner: Uint8Array
  readonly bytes: Uint8Array
  readonly text: string
  readonly many: readonly Uint8Array[]
}

const message: fc.Arbitrary<Message> = fc.record({
  number: fc.maxSafeNat(),
  hint: fc.maxSafeNat(),
  time: fc.oneof(uint64, fc.bigInt({ min: 2n ** 48n, max: 2n ** 50n })),
  inner: small,
  bytes: small,
  text,
  many: fc.array(small, { maxLength: 4 }),
})

function write(one: Message): Uint8Array {
  const written = writer()
    .uint(1, one.number)
    .uint64(2, one.time)
    .presentBytes(3, writer().bytes(1, one.inner).finish())
    .bytes(4, one.bytes)
    .string(5, one.text)
  for (const item of one.many) written.presentBytes(6, item)
  return written.presentUint(15, one.hint).finish()
}

/** undefined for what is not canonical. */
function read(bytes: Uint8Array): Message | undefined {
  const from = new CanonicalReader(bytes)
  const number = from.uint(1)
  const time = from.uint64(2)
  const around = from.enter(3)
  const inner = from.bytes(1)
  from.leave(around)
  const rest = { bytes: from.bytes(4), text: from.string(5) }
  const many: Uint8Array[] = []
  for (let item = from.next(6); item !== undefined; item = from.next(6)) many.push(item)
  const hint = from.presentUint(15)
  return from.complete ? { number, time, inner, ...rest, many, hint } : undefined
}

describe('a canonical reader', () => {
  test('gives what was written', () => {
    const property = fc.property(message, (one) => {
      expect(read(write(one))).toEqual(one)
      expect(read(Buffer.from(write(one)))).toEqual(one)
    })
    fc.assert(property)
  })

  test('refuses whatever is not what would be written of what it gives', () => {
    const changed = fc
      .tuple(message, fc.nat(), fc.nat({ max: 3 }), fc.uint8Array({ maxLength: 3 }))
      .map(([one, at, removed, added]) => {
        const bytes = write(one)
        const start = at % (bytes.length + 1)
        return concatBytes(bytes.subarray(0, start), added, bytes.subarray(start + removed))
      })
    const property = fc.property(changed, (bytes) => {
      const given = read(bytes)
      if (given !== undefined) expect(write(given)).toEqual(bytes)
    })
    fc.assert(property, { numRuns: 2_000 })
  })

  test.each([0n, 1n, 127n, 128n, 2n ** 49n - 1n, 2n ** 49n, 2n ** 53n, 2n ** 56n, 2n ** 63n, 2n ** 64n - 1n])(
    'gives %d',
    (value) => {
      const from = new CanonicalReader(writer().uint64(1, value).finish())
      expect([from.uint64(1), from.complete]).toEqual([value, true])
    },
  )

  test.each([
    ['a number that is longer than it must be', '088100'],
    ['the same at eight bytes', '08ffffffffffffff00'],
    ['the same at nine bytes', '08ffffffffffffff8000'],
    ['a zero that is written', '0800'],
    ['a number over 2^53-1', '088080808080808010'],
    ['a number that ends early', '08ff'],
    ['a number of more than 64 bits', '08ffffffffffffffffff02'],
    ['a tag of two bytes', '880001'],
    ['another wire type', '0a00'],
    ['a field behind the last', '08011001'],
    ['the field twice', '08010801'],
  ])('refuses %s', (_what, hex) => {
    const from = reader(hex)
    from.uint(1)
    expect(from.complete).toBe(false)
  })

  test('refuses a 64-bit number of more bits', () => {
    for (const hex of ['08ffffffffffffffffff02', '0880808080808080808000', '0800']) {
      const from = reader(hex)
      from.uint64(1)
      expect(from.complete).toBe(false)
    }
  })

  test('refuses bytes that are longer than the message around them', () => {
    const from = reader('0a030a02ffff')
    const around = from.enter(1)
    from.bytes(1)
    from.leave(around)
    expect(from.complete).toBe(false)
  })

  test('refuses empty bytes, an empty text, and one that is not UTF-8', () => {
    const refused = (take: (from: CanonicalReader) => unknown, hex: string): void => {
      const from = reader(hex)
      take(from)
      expect(from.complete).toBe(false)
    }
    refused((from) => from.bytes(1), '0a00')
    refused((from) => from.string(1), '0a00')
    refused((from) => from.string(1), '0a01ff')
  })

  test('refuses messages that are not there, or not read to their end', () => {
    for (const hex of ['', '0a020801', '0802']) {
      const from = reader(hex)
      from.leave(from.enter(1))
      expect(from.complete).toBe(false)
    }
  })

  test('gives copies of bytes, views of repeated ones, and texts one after another', () => {
    const bytes = writer().bytes(1, utf8('abc')).presentBytes(2, utf8('def')).string(3, 'a').string(4, 'b')
    const kept = bytes.finish()
    const from = new CanonicalReader(kept)
    const [copy, view] = [from.bytes(1), from.next(2)]
    expect([from.string(3), from.string(4), from.complete]).toEqual(['a', 'b', true])
    kept.fill(0)
    expect(copy).toEqual(utf8('abc'))
    expect(view).toEqual(new Uint8Array(3))
  })

  test('stops at the first thing that is not canonical', () => {
    const from = new CanonicalReader(
      writer()
        .varint(1 * 8 + WireType.Varint)
        .varint(0)
        .presentBytes(2, utf8('abc'))
        .finish(),
    )
    from.uint(1)
    expect(from.next(2)).toBeUndefined()
  })
})
