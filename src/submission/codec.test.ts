import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { EMPTY_BYTES, fromHex, toHex, utf8 } from '../util/bytes.ts'
import { isEvolveError } from '../util/errors.ts'
import { WireWriter } from '../util/wire.ts'
import {
  decodeSubmitAnswer,
  decodeSubmitRequest,
  encodeSubmitAnswer,
  encodeSubmitRequest,
  MAX_MESSAGE,
  SubmitCode,
} from './codec.ts'

function bytesOf(hex: string): Uint8Array {
  return fromHex(hex) ?? EMPTY_BYTES
}

test('a request comes back as it went', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.integer({ min: 1, max: 2 ** 40 }), (tx, hops) => {
      expect(decodeSubmitRequest(encodeSubmitRequest({ tx, hops }))).toEqual({ tx, hops })
    }),
  )
})

test('a transaction does not keep the message it came in, which may be much longer', () => {
  const request = encodeSubmitRequest({ tx: utf8('a=1'), hops: 1 })
  const padding = new Uint8Array(100_000)
  const padded = new WireWriter().raw(request).bytes(9, padding).finish()
  const { tx } = decodeSubmitRequest(padded)
  expect(tx).toEqual(utf8('a=1'))
  expect(tx.buffer.byteLength).toBe(3)
})

test('an answer comes back as it went', () => {
  const codes = fc.constantFrom(...Object.values(SubmitCode))
  const message = fc.stringMatching(/^[\p{L} ]{0,80}$/u)
  fc.assert(
    fc.property(codes, message, fc.nat(), (code, text, distance) => {
      const answer = { code, message: text, distance }
      expect(decodeSubmitAnswer(encodeSubmitAnswer(answer))).toEqual(answer)
    }),
  )
})

test('the bytes are these', () => {
  expect(toHex(encodeSubmitRequest({ tx: utf8('a=1'), hops: 2 }))).toBe('0a03613d311002')
  const answer = { code: SubmitCode.noRoom, message: 'full', distance: 1 }
  expect(toHex(encodeSubmitAnswer(answer))).toBe('0803120466756c6c1801')
  expect(toHex(encodeSubmitAnswer({ code: SubmitCode.taken, message: '', distance: 0 }))).toBe('0801')
})

test('fields that are not known yet are passed over', () => {
  expect(decodeSubmitRequest(bytesOf('0a03613d3110021a0401020304'))).toEqual({ tx: utf8('a=1'), hops: 2 })
  expect(decodeSubmitAnswer(bytesOf('08012000'))).toMatchObject({
    code: SubmitCode.taken,
  })
})

test.each([
  ['no transaction', '1002'],
  ['an empty transaction', '0a001002'],
  ['no hops', '0a03613d31'],
  ['hops of another kind', '0a03613d3112020000'],
  ['an end inside a field', '0a03613d'],
  ['nothing', ''],
])('a request with %s is none', (_, hex) => {
  expect(() => decodeSubmitRequest(bytesOf(hex))).toThrow(expect.objectContaining({ code: 'DECODE_FAILED' }))
})

test.each([
  ['nothing', ''],
  ['no outcome', '120466756c6c'],
  ['an outcome that there is not', '0806'],
  ['half a message', '0803120466'],
])('an answer with %s is none', (_, hex) => {
  expect(() => decodeSubmitAnswer(bytesOf(hex))).toThrow(expect.objectContaining({ code: 'DECODE_FAILED' }))
})

test('any bytes give a value or DECODE_FAILED', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      for (const decode of [decodeSubmitRequest, decodeSubmitAnswer]) {
        try {
          decode(bytes)
        } catch (error) {
          expect(isEvolveError(error, 'DECODE_FAILED')).toBe(true)
        }
      }
    }),
    { numRuns: 500 },
  )
})

test('a message is short and cannot steer a terminal, whoever sends it', () => {
  const message = `red \u001b[31m\r\nline ${'x'.repeat(2_000)}`
  const bytes = encodeSubmitAnswer({ code: SubmitCode.refused, message, distance: 0 })
  const raw = new Uint8Array([8, 2, 18, 9, ...utf8('a\u001b[31m\u0000\nb')])
  expect(decodeSubmitAnswer(bytes).message).toHaveLength(MAX_MESSAGE)
  expect(decodeSubmitAnswer(bytes).message.startsWith('red  [31m line xx')).toBe(true)
  expect(decodeSubmitAnswer(raw).message).toBe('a [31m b')
})
