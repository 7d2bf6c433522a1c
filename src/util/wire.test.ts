import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromHex, toHex, utf8 } from './bytes.ts'
import { isEvolveError } from './errors.ts'
import { varintLength, type WireField, WireReader, WireType, WireWriter } from './wire.ts'

const writer = (): WireWriter => new WireWriter()
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const decodeFailed = expect.objectContaining({ code: 'DECODE_FAILED', verdict: 'reject' })
const reader = (hex: string): WireReader => new WireReader(fromHex(hex) ?? new Uint8Array(0))

/** The varint of a number, one bit group after another: the plain way. */
function varintOf(value: bigint): string {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return toHex(Uint8Array.from([...bytes, Number(rest)]))
}

describe('varints', () => {
  test('of 64 bits are written and read as they are', () => {
    const property = fc.property(uint64, (value) => {
      const bytes = writer().varint64(value).finish()
      expect(toHex(bytes)).toBe(varintOf(value))
      expect(new WireReader(bytes).varint64()).toBe(value)
    })
    fc.assert(property)
  })

  test('of safe integers are written and read as they are', () => {
    const property = fc.property(fc.maxSafeNat(), (value) => {
      const bytes = writer().varint(value).finish()
      expect(toHex(bytes)).toBe(varintOf(BigInt(value)))
      expect(varintLength(value)).toBe(bytes.length)
      expect(new WireReader(bytes).varint64()).toBe(BigInt(value))
    })
    fc.assert(property)
  })

  test.each([
    0n,
    127n,
    128n,
    2n ** 49n - 1n,
    2n ** 49n,
    2n ** 53n - 1n,
    2n ** 53n,
    2n ** 56n,
    2n ** 63n,
    2n ** 64n - 1n,
  ])('%d is at no limit', (value) => {
    const bytes = writer().uint64(1, value).finish()
    expect(toHex(writer().varint64(value).finish())).toBe(varintOf(value))
    const read = new WireReader(bytes)
    const field = read.next()
    expect(field === undefined ? 0n : read.uint64(field, 'value')).toBe(value)
  })

  test('may be longer than they need', () => {
    expect(reader('8080808080808080808000'.slice(2)).varint64()).toBe(0n)
    expect(reader('8100').varint64()).toBe(1n)
  })

  test.each(['', '80', 'ffffffffffffffffff', 'ffffffffffffffffff02', 'ffffffffffffffffff8001'])(
    'of bytes %j are refused',
    (hex) => {
      expect(() => reader(hex).varint64()).toThrow(decodeFailed)
    },
  )
})

describe('fields', () => {
  test('of zero are left out, unless they must be present', () => {
    const left = writer().uint(1, 0).uint64(2, 0n).bytes(3, new Uint8Array(0)).string(4, '')
    expect(left.finish()).toEqual(new Uint8Array(0))
    const present = writer().presentUint(1, 0).presentUint64(2, 0n).presentBytes(3, new Uint8Array(0))
    expect(toHex(present.finish())).toBe('080010001a00')
  })

  test('are read one after another', () => {
    const bytes = writer()
      .uint(1, 300)
      .uint64(2, 2n ** 60n)
      .bytes(3, utf8('abc'))
      .string(16, 'ü€😀')
      .finish()
    const read = new WireReader(bytes)
    const next = (): WireField => {
      const field = read.next()
      if (field === undefined) throw new Error('no field')
      return field
    }
    expect(read.uint(next(), 'one')).toBe(300)
    expect(read.uint64(next(), 'two')).toBe(2n ** 60n)
    expect(read.bytes(next(), 'three')).toEqual(utf8('abc'))
    expect(read.string(next(), 'four')).toBe('ü€😀')
    expect(read.next()).toBeUndefined()
    expect(read.offset).toBe(bytes.length)
  })

  test('with texts of any kind and length are as the text encoder has them', () => {
    const property = fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      expect(writer().string(1, text).finish()).toEqual(writer().bytes(1, utf8(text)).finish())
    })
    fc.assert(property)
  })

  test('that nobody asked for are passed over', () => {
    const bytes = writer()
      .uint64(1, 2n ** 64n - 1n)
      .varint(2 * 8 + WireType.Fixed64)
      .raw(new Uint8Array(8))
      .bytes(3, utf8('abc'))
      .varint(4 * 8 + WireType.Fixed32)
      .raw(new Uint8Array(4))
      .finish()
    const read = new WireReader(bytes)
    const numbers: number[] = []
    for (let field = read.next(); field !== undefined; field = read.next()) {
      numbers.push(field.number)
      read.skip(field)
    }
    expect(numbers).toEqual([1, 2, 3, 4])
  })

  test('of bytes are views of the message, or copies where they are kept', () => {
    const bytes = writer().bytes(1, utf8('abc')).finish()
    const read = (take: (reader: WireReader, field: WireField) => Uint8Array): Uint8Array => {
      const one = new WireReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
      const field = one.next()
      return field === undefined ? new Uint8Array(0) : take(one, field)
    }
    const view = read((one, field) => one.bytes(field, 'field'))
    const copy = read((one, field) => one.copiedBytes(field, 'field'))
    expect(view.constructor).toBe(Uint8Array)
    bytes.fill(0)
    expect(view).toEqual(new Uint8Array(3))
    expect(copy).toEqual(utf8('abc'))
  })

  test.each([
    ['no wire type', '0e00'],
    ['a group', '0b0c'],
    ['number 0', '0000'],
    ['a number over 2^29-1', '808080801000'],
    ['a huge number', 'ffffffffffffffffff0100'],
    ['an end in its tag', '80'],
    ['an end in eight bytes', '0900'],
    ['an end in four bytes', '0d00'],
    ['an end in its length', '0a80'],
    ['more bytes than there are', '0a02ff'],
    ['a length near 2^64', '0affffffffffffffffff01'],
  ])('with %s are refused', (_what, hex) => {
    const read = reader(hex)
    expect(() => {
      const field = read.next()
      if (field !== undefined) read.skip(field)
    }).toThrow(decodeFailed)
  })

  test('of another wire type or range are refused by name', () => {
    const read = (bytes: Uint8Array, take: (reader: WireReader, field: WireField) => unknown) => (): void => {
      const one = new WireReader(bytes)
      const field = one.next()
      if (field !== undefined) take(one, field)
    }
    const number = writer().uint(1, 5).finish()
    const text = writer().bytes(1, Uint8Array.of(0xff)).finish()
    expect(read(number, (one, field) => one.bytes(field, 'hash'))).toThrow('hash has wire type 0, expected 2')
    expect(read(text, (one, field) => one.uint(field, 'height'))).toThrow(
      'height has wire type 2, expected 0',
    )
    expect(read(text, (one, field) => one.string(field, 'name'))).toThrow('name is not UTF-8')
    const large = writer()
      .uint64(1, 2n ** 53n)
      .finish()
    expect(read(large, (one, field) => one.uint(field, 'height'))).toThrow('over 2^53-1')
  })

  test('of any bytes are read, or refused with the one error', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const read = new WireReader(bytes)
      try {
        for (let field = read.next(); field !== undefined; field = read.next()) read.skip(field)
        expect(read.offset).toBe(bytes.length)
      } catch (error) {
        if (!isEvolveError(error, 'DECODE_FAILED')) throw error
      }
    })
    fc.assert(property)
  })
})

describe('a writer', () => {
  test('grows as it must', () => {
    const bytes = new Uint8Array(1000).map((_, i) => i)
    expect(new WireWriter(0).raw(bytes).varint(5).raw(bytes).finish().length).toBe(2001)
    expect(new WireWriter(1).string(1, 'a'.repeat(60)).finish().length).toBe(62)
  })

  test('hands out copies, and views until it is written to again', () => {
    const one = writer().raw(Uint8Array.of(1, 2))
    const copy = one.finish()
    const view = one.view()
    expect(one.reset().raw(Uint8Array.of(3)).finish()).toEqual(Uint8Array.of(3))
    expect(copy).toEqual(Uint8Array.of(1, 2))
    expect(view).toEqual(Uint8Array.of(3, 2))
  })
})
