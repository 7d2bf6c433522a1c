import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeFrame,
  encodeRequest,
  encodeResponse,
  encodeResponseFrames,
  FrameReader,
  type HeaderRequest,
  ResponseStatus,
} from './codec.ts'

const hash = fromHex('556c75036adbdb868970c81d9756bffe7507815538c844626a1d456e003c6284') ?? new Uint8Array()

/** Requests as Go peers write them. */
const requests: [name: string, hex: string, request: HeaderRequest][] = [
  ['head', '08001801', { origin: 0n, amount: 1n }],
  ['range', '08011840', { origin: 1n, amount: 64n }],
  ['far range', '08808080808020188004', { origin: 1n << 40n, amount: 512n }],
  ['hash', `1220${toHex(hash)}1801`, { hash, amount: 1n }],
]

const anyRequest: fc.Arbitrary<HeaderRequest> = fc.oneof(
  fc.record({ origin: fc.bigInt(0n, 2n ** 64n - 1n), amount: fc.bigInt(0n, 2n ** 64n - 1n) }),
  fc.record({ hash: fc.uint8Array({ maxLength: 40 }), amount: fc.bigInt(0n, 2n ** 64n - 1n) }),
)
const anyBytes = fc.uint8Array({ maxLength: 300 })

function hexBytes(hex: string): Uint8Array {
  return fromHex(hex) ?? new Uint8Array()
}

/** Whether `decode` gives a value, or fails as decoders may. */
function isTame(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch (error) {
    return error instanceof EvolveError && error.verdict === 'reject'
  }
}

/** Everything a reader makes of `stream`, cut into pieces of the given sizes, one after another. */
function read(stream: Uint8Array, sizes: readonly number[], limit = 1 << 20): Uint8Array[] {
  const reader = new FrameReader(limit)
  const frames: Uint8Array[] = []
  let offset = 0
  for (let i = 0; offset < stream.length; i++) {
    const size = sizes[i % Math.max(sizes.length, 1)] ?? stream.length
    reader.push(stream.slice(offset, offset + size), (frame) => void frames.push(frame.slice()))
    offset += size
  }
  return frames
}

describe('requests', () => {
  test.each(requests)('%s has the bytes that Go writes', (_, hex, request) => {
    expect(toHex(encodeRequest(request))).toBe(hex)
    expect(decodeRequest(hexBytes(hex))).toEqual(request)
  })

  test('decoding inverts encoding', () => {
    fc.assert(
      fc.property(anyRequest, (request) => {
        expect(decodeRequest(encodeRequest(request))).toEqual(request)
      }),
    )
  })

  test.each([
    ['nothing at all', ''],
    ['an amount only', '1801'],
    ['unknown fields only', '2001'],
  ])('%s asks for nothing', (_, hex) => {
    expect(() => decodeRequest(hexBytes(hex))).toThrow(expect.objectContaining({ code: 'EMPTY_REQUEST' }))
  })

  test('of origin and hash the last one counts', () => {
    expect(decodeRequest(hexBytes(`08051220${toHex(hash)}`))).toEqual({ hash, amount: 0n })
    expect(decodeRequest(hexBytes(`1220${toHex(hash)}0805`))).toEqual({ origin: 5n, amount: 0n })
  })

  test('unknown fields are passed over', () => {
    expect(decodeRequest(hexBytes('08007a03616263180125deadbeef'))).toEqual({ origin: 0n, amount: 1n })
  })

  test.each([
    ['cut in a field', '0880'],
    ['hash longer than the message', '12ff01aa'],
    ['origin of eleven bytes', '08ffffffffffffffffffff01'],
    ['origin as bytes', '0a0101'],
  ])('refuses: %s', (_, hex) => {
    expect(() => decodeRequest(hexBytes(hex))).toThrow(
      expect.objectContaining({ code: 'DECODE_FAILED', verdict: 'reject' }),
    )
  })

  test('any bytes give a request or a typed error', () => {
    expect(() =>
      fc.assert(fc.property(anyBytes, (bytes) => isTame(() => decodeRequest(bytes)))),
    ).not.toThrow()
  })
})

describe('responses', () => {
  test.each([
    ['not found', '1002', '', ResponseStatus.NotFound],
    ['nothing, which is the status INVALID', '', '', ResponseStatus.Invalid],
    ['a body', '0a02aabb1001', 'aabb', ResponseStatus.Ok],
  ])('%s has the bytes that Go writes', (_, hex, body, status) => {
    expect(toHex(encodeResponse(hexBytes(body), status))).toBe(hex)
    expect(decodeResponse(hexBytes(hex))).toEqual({ body: hexBytes(body), status })
  })

  test('decoding inverts encoding', () => {
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: 0, max: 127 }), (body, status) => {
        expect(decodeResponse(encodeResponse(body, status))).toEqual({ body, status })
      }),
    )
  })

  test.each([
    ['status first', '10010a02aabb', 'aabb', 1],
    ['unknown field last', '0a02aabb10011805', 'aabb', 1],
    ['a longer spelling of the status', '0a02aabb108100', 'aabb', 1],
    ['a longer spelling of the length', '0a8280808000aabb1001', 'aabb', 1],
    ['a negative status', '10ffffffffffffffffff01', '', -1],
    ['a large status', '10ac02', '', 300],
    ['two bodies', '0a01aa0a01bb1001', 'bb', 1],
  ])('understands %s', (_, hex, body, status) => {
    expect(decodeResponse(hexBytes(hex))).toEqual({ body: hexBytes(body), status })
  })

  test('any bytes give a response or a typed error', () => {
    expect(() =>
      fc.assert(fc.property(anyBytes, (bytes) => isTame(() => decodeResponse(bytes)))),
    ).not.toThrow()
  })

  test('the fast way and the general way agree', () => {
    // A trailing unknown field keeps the fast way from being taken.
    const unknown = hexBytes('7800')
    fc.assert(
      fc.property(anyBytes, fc.integer({ min: 0, max: 127 }), (body, status) => {
        const bytes = encodeResponse(body, status)
        expect(decodeResponse(bytes)).toEqual(decodeResponse(concatBytes(bytes, unknown)))
      }),
    )
  })

  test('frames of many bodies are those of each one after another', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 8 }), (bodies) => {
        const one = encodeResponseFrames(bodies, ResponseStatus.Ok)
        const each = bodies.map((body) => encodeFrame(encodeResponse(body, ResponseStatus.Ok)))
        expect(one).toEqual(concatBytes(...each))
      }),
    )
  })
})

describe('frame reader', () => {
  test('gives the same frames however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
        (messages, sizes) => {
          expect(read(concatBytes(...messages.map(encodeFrame)), sizes)).toEqual(messages)
        },
      ),
    )
  })

  test('says whether it stands between two frames', () => {
    const reader = new FrameReader(1000)
    expect(reader.atBoundary).toBe(true)
    reader.push(Uint8Array.of(0x80), () => undefined)
    expect(reader.atBoundary).toBe(false)
    reader.push(Uint8Array.of(0x01, 1, 2), () => undefined)
    expect(reader.atBoundary).toBe(false)
    reader.push(new Uint8Array(126), () => undefined)
    expect(reader.atBoundary).toBe(true)
  })

  test('a frame of no bytes is a frame', () => {
    expect(read(Uint8Array.of(0, 0), [1])).toEqual([new Uint8Array(), new Uint8Array()])
  })

  test('stops where it is told', () => {
    const reader = new FrameReader(10)
    const frames: number[] = []
    reader.push(Uint8Array.of(1, 7, 1, 8, 1, 9), (frame) => {
      frames.push(frame[0] ?? 0)
      return frames.length < 2
    })
    expect(frames).toEqual([7, 8])
  })

  test('refuses a frame above the limit when its length is announced', () => {
    const frames: Uint8Array[] = []
    const reader = new FrameReader(100)
    expect(() => reader.push(Uint8Array.of(1, 5, 101), (frame) => void frames.push(frame))).toThrow(
      expect.objectContaining({ code: 'FRAME_TOO_LARGE', verdict: 'reject' }),
    )
    expect(frames).toHaveLength(1)
    expect(read(encodeFrame(new Uint8Array(100)), [9], 100)).toHaveLength(1)
  })

  test.each([
    ['2^63', 'ffffffffffffffff7f'],
    ['2^64 - 1', 'ffffffffffffffffff01'],
  ])('refuses a frame of %s bytes', (_, hex) => {
    expect(() => read(hexBytes(hex), [1], 10 << 20)).toThrow(
      expect.objectContaining({ code: 'FRAME_TOO_LARGE' }),
    )
  })

  test('refuses a length of eleven bytes, also when it is a small number', () => {
    const eleven = Uint8Array.of(...new Uint8Array(10).fill(0x80), 0x00)
    expect(() => read(eleven, [3])).toThrow(expect.objectContaining({ code: 'DECODE_FAILED' }))
    const ten = Uint8Array.of(0x81, ...new Uint8Array(8).fill(0x80), 0x00, 0xaa)
    expect(read(ten, [3])).toEqual([Uint8Array.of(0xaa)])
  })

  test('any bytes give frames or a typed error', () => {
    expect(() =>
      fc.assert(fc.property(anyBytes, (bytes) => isTame(() => read(bytes, [7], 200)))),
    ).not.toThrow()
  })
})
