import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  anyData,
  anyEnvelope,
  anyHeader,
  anyP2PData,
  anyP2PSignedHeader,
  anySignedData,
  anySignedHeader,
  anyState,
} from '../../test/support/arbitraries.ts'
import { concatBytes, equalBytes, utf8 } from '../util/bytes.ts'
import { isEvolveError } from '../util/errors.ts'
import { WireReader, WireWriter } from '../util/wire.ts'
import * as codec from './codec.ts'

interface Codec<T> {
  readonly any: fc.Arbitrary<T>
  readonly encode: (value: T) => Uint8Array
  readonly decode: (bytes: Uint8Array) => T
}

/** Decodes and encodes again; undefined for bytes that are refused as they should be. */
function again<T>({ decode, encode }: Codec<T>, bytes: Uint8Array): Uint8Array | undefined {
  try {
    return encode(decode(bytes))
  } catch (error) {
    if (isEvolveError(error, 'DECODE_FAILED') && error.verdict === 'reject') return undefined
    throw error
  }
}

/** Whether what comes out of these bytes, if anything, comes out of its own encoding again. */
function isStable<T>(one: Codec<T>, bytes: Uint8Array): boolean {
  const canonical = again(one, bytes)
  return canonical === undefined || equalBytes(again(one, canonical) ?? utf8('refused'), canonical)
}

interface Cut {
  readonly start: number
  readonly end: number
}

/** Where the fields of a message stand. */
function fieldsOf(bytes: Uint8Array): Cut[] {
  const reader = new WireReader(bytes)
  const cuts: Cut[] = []
  for (;;) {
    const start = reader.offset
    const field = reader.next()
    if (field === undefined) return cuts
    reader.skip(field)
    cuts.push({ start, end: reader.offset })
  }
}

/** Bytes near those of a good message: a field less, twice, or elsewhere, and bytes changed, cut or added. */
function mutated(bytes: Uint8Array): fc.Arbitrary<Uint8Array> {
  const cuts = fieldsOf(bytes)
  const field = fc.nat({ max: Math.max(0, cuts.length - 1) }).map((at) => cuts[at] ?? { start: 0, end: 0 })
  const position = fc.nat({ max: bytes.length })
  return fc.oneof(
    field.map(({ start, end }) => concatBytes(bytes.subarray(0, start), bytes.subarray(end))),
    field.map(({ start, end }) => concatBytes(bytes, bytes.subarray(start, end))),
    field.map(({ start, end }) =>
      concatBytes(bytes.subarray(start, end), bytes.subarray(0, start), bytes.subarray(end)),
    ),
    position.map((end) => bytes.slice(0, end)),
    fc.tuple(position, fc.uint8Array({ maxLength: 8 })).map(([at, added]) => {
      return concatBytes(bytes.subarray(0, at), added, bytes.subarray(at))
    }),
    fc.tuple(position, fc.integer({ min: 1, max: 255 })).map(([at, mask]) => {
      return bytes.map((byte, i) => (i === at ? byte ^ mask : byte))
    }),
  )
}

const unknownFields = new WireWriter()
  .presentUint(99, 5)
  .presentBytes(1000, utf8('new'))
  .varint(77 * 8 + 1)
  .raw(new Uint8Array(8))
  .varint(78 * 8 + 5)
  .raw(new Uint8Array(4))
  .finish()

function describeCodec<T>(name: string, one: Codec<T>): void {
  const { any, encode, decode } = one
  describe(`codec of ${name}`, () => {
    test('is decoded from its bytes as it was', () => {
      const property = fc.property(any, (value) => {
        expect(decode(encode(value))).toEqual(value)
      })
      fc.assert(property)
    })

    test('comes out of any bytes in one form, or they are refused', () => {
      const property = fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(isStable(one, bytes)).toBe(true)
      })
      fc.assert(property)
    })

    test('comes out of changed bytes in one form, or they are refused', () => {
      const changed = any.chain((value) => mutated(encode(value)))
      const property = fc.property(changed, (bytes) => {
        expect(isStable(one, bytes)).toBe(true)
      })
      fc.assert(property, { numRuns: 400 })
    })

    test('comes out of changed bytes as it does with unknown fields behind them, to the last byte', () => {
      const result = (bytes: Uint8Array): unknown => {
        try {
          const value = decode(bytes)
          // A clone is a value that nothing is remembered of.
          expect(encode(value)).toEqual(encode(structuredClone(value)))
          return value
        } catch (error) {
          if (isEvolveError(error, 'DECODE_FAILED')) return error.code
          throw error
        }
      }
      const changed = any.chain((value) => mutated(encode(value)))
      const property = fc.property(changed, (bytes) => {
        expect(result(bytes)).toEqual(result(concatBytes(unknownFields, bytes)))
      })
      fc.assert(property, { numRuns: 400 })
    })

    test('is the same with unknown fields around it', () => {
      const property = fc.property(any, (value) => {
        const bytes = encode(value)
        expect(decode(concatBytes(bytes, unknownFields))).toEqual(value)
        expect(decode(concatBytes(unknownFields, bytes))).toEqual(value)
      })
      fc.assert(property)
    })
  })
}

describeCodec('header', { any: anyHeader, encode: codec.encodeHeader, decode: codec.decodeHeader })
describeCodec('signed header', {
  any: anySignedHeader,
  encode: codec.encodeSignedHeader,
  decode: codec.decodeSignedHeader,
})
describeCodec('signed header of a peer', {
  any: anyP2PSignedHeader,
  encode: codec.encodeP2PSignedHeader,
  decode: codec.decodeP2PSignedHeader,
})
describeCodec('header envelope', {
  any: anyEnvelope,
  encode: codec.encodeDAHeaderEnvelope,
  decode: codec.decodeDAHeaderEnvelope,
})
describeCodec('data', { any: anyData, encode: codec.encodeData, decode: codec.decodeData })
describeCodec('data of a peer', {
  any: anyP2PData,
  encode: codec.encodeP2PData,
  decode: codec.decodeP2PData,
})
describeCodec('signed data', {
  any: anySignedData,
  encode: codec.encodeSignedData,
  decode: codec.decodeSignedData,
})
describeCodec('state', { any: anyState, encode: codec.encodeState, decode: codec.decodeState })
