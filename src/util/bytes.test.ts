import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  allocateBytes,
  compareBytes,
  concatBytes,
  copyBytes,
  equalBytes,
  fromBase64,
  fromHex,
  fromUtf8,
  toBase64,
  toHex,
  uint64BigEndian,
  utf8,
} from './bytes.ts'

describe('allocated bytes', () => {
  test('are zeros of their own, of any length', () => {
    const lengths = fc.array(fc.oneof(fc.nat({ max: 600 }), fc.nat({ max: 9_000 })), { maxLength: 60 })
    const property = fc.property(lengths, (all) => {
      const made = all.map((length, index) => {
        const bytes = allocateBytes(length)
        expect(bytes).toEqual(new Uint8Array(length))
        return bytes.fill(index + 1)
      })
      expect(made).toEqual(all.map((length, index) => new Uint8Array(length).fill(index + 1)))
    })
    fc.assert(property)
  })

  test('never keep more than 4 KiB, or themselves, in memory', () => {
    for (const length of [0, 1, 64, 65, 512, 513, 5_000]) {
      expect(allocateBytes(length).buffer.byteLength).toBeLessThanOrEqual(Math.max(4_096, length))
    }
  })

  test('hold copies', () => {
    const bytes = utf8('abc')
    const copy = copyBytes(bytes)
    bytes.fill(0)
    expect(copy).toEqual(utf8('abc'))
  })
})

describe('hex', () => {
  test('is lower case and comes back as it was', () => {
    expect(toHex(Uint8Array.of(0, 10, 255))).toBe('000aff')
    const property = fc.property(fc.uint8Array(), (bytes) => {
      expect(fromHex(toHex(bytes))).toEqual(bytes)
      expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes)
    })
    fc.assert(property)
  })

  test.each(['0', 'zz', '0x00', ' 00', '00\n'])('%j is none', (text) => {
    expect(fromHex(text)).toBeUndefined()
  })
})

describe('base64', () => {
  test('is as Node has it, and comes back as it was', () => {
    const property = fc.property(fc.uint8Array({ size: 'medium' }), (bytes) => {
      expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
      expect(fromBase64(toBase64(bytes))).toEqual(bytes)
    })
    fc.assert(property)
  })

  test.each(['A', 'AA', 'AAA', '=', '====', 'A===', 'AA=A', 'AAAA=', 'AA==AA==', 'AA-_', ' AAAA', 'AAAA\n'])(
    '%j is none',
    (text) => {
      expect(fromBase64(text)).toBeUndefined()
    },
  )

  test('may be of many megabytes', () => {
    const bytes = new Uint8Array(9_000_001).map((_, i) => i % 251)
    const text = toBase64(bytes)
    expect(equalBytes(fromBase64(text) ?? new Uint8Array(0), bytes)).toBe(true)
    expect(fromBase64(`${text.slice(1)}!`)).toBeUndefined()
  })
})

describe('UTF-8', () => {
  test('comes back as it was, also with a byte order mark', () => {
    const property = fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(fromUtf8(utf8(text))).toBe(text)
      expect(fromUtf8(utf8(`\ufeff${text}`))).toBe(`\ufeff${text}`)
    })
    fc.assert(property)
  })

  test.each([[[0xff]], [[0xc0, 0x80]], [[0xe2, 0x82]], [[0xed, 0xa0, 0x80]]])('%j is none', (bytes) => {
    expect(fromUtf8(Uint8Array.from(bytes))).toBeUndefined()
  })
})

describe('byte strings', () => {
  test('are equal when all their bytes are', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true)
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false)
    expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false)
    expect(equalBytes(new Uint8Array(0), new Uint8Array(0))).toBe(true)
  })

  test('are ordered as Node orders them', () => {
    const bytes = fc.uint8Array({ maxLength: 4, max: 3 })
    const property = fc.property(bytes, bytes, (a, b) => {
      expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
    })
    fc.assert(property)
  })

  test('are joined in order', () => {
    expect(concatBytes()).toEqual(new Uint8Array(0))
    expect(concatBytes(Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3))).toEqual(
      Uint8Array.of(1, 2, 3),
    )
  })

  test('of numbers are big endian', () => {
    expect(toHex(uint64BigEndian(0x1_0203))).toBe('0000000000010203')
    expect(toHex(uint64BigEndian(Number.MAX_SAFE_INTEGER))).toBe('001fffffffffffff')
  })
})
