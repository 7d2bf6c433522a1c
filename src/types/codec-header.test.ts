import { describe, expect, test } from 'vitest'
import { makeChain } from '../../test/support/chain.ts'
import { concatBytes, fromHex, utf8 } from '../util/bytes.ts'
import { WireType, WireWriter } from '../util/wire.ts'
import {
  decodeDAHeaderEnvelope,
  decodeHeader,
  decodeP2PSignedHeader,
  decodeSignedHeader,
  encodeHeader,
  encodeP2PSignedHeader,
  encodeSignedHeader,
} from './codec.ts'
import type { Header, SignedHeader } from './header.ts'

function firstHeader(): SignedHeader {
  const [block] = makeChain({ count: 1 }).blocks
  if (block === undefined) throw new Error('no block')
  return block.header
}

const signed = firstHeader()
const { header } = signed
const decodeFailed = expect.objectContaining({ code: 'DECODE_FAILED', verdict: 'reject' })

const field = (): WireWriter => new WireWriter()

describe('a header', () => {
  test('without any field is all zero, and encoded with an empty version', () => {
    const zero: Header = {
      version: { block: 0n, app: 0n },
      height: 0,
      time: 0n,
      lastHeaderHash: new Uint8Array(0),
      dataHash: new Uint8Array(0),
      appHash: new Uint8Array(0),
      proposerAddress: new Uint8Array(0),
      validatorHash: new Uint8Array(0),
      chainId: '',
    }
    expect(decodeHeader(new Uint8Array(0))).toEqual(zero)
    expect(encodeHeader(zero)).toEqual(fromHex('0a00'))
  })

  test('takes the last of a scalar that comes twice, and merges versions', () => {
    const bytes = concatBytes(
      field().presentBytes(1, field().uint64(1, 11n).uint64(2, 1n).finish()).uint(2, 7).finish(),
      field().presentBytes(1, field().uint64(2, 2n).finish()).uint(2, 8).finish(),
    )
    expect(decodeHeader(bytes)).toMatchObject({ version: { block: 11n, app: 2n }, height: 8 })
  })

  test('passes over a known field of another wire type', () => {
    const bytes = concatBytes(encodeHeader(header), field().presentBytes(2, utf8('height')).finish())
    expect(decodeHeader(bytes)).toEqual(header)
  })

  test.each([
    ['a height over 2^53-1', field().uint64(2, 2n ** 53n)],
    ['a time over 2^63-1', field().uint64(3, 2n ** 63n)],
    ['a chain id that is not UTF-8', field().presentBytes(12, Uint8Array.of(0xff))],
    [
      'a field that is longer than the message',
      field()
        .varint(4 * 8 + WireType.Bytes)
        .varint(9),
    ],
    [
      'a group',
      field()
        .varint(20 * 8 + 3)
        .varint(20 * 8 + 4),
    ],
    ['field number 0', field().varint(WireType.Varint).varint(1)],
    ['half a varint', field().raw(Uint8Array.of(0x10, 0x80))],
    ['a varint of more than 64 bits', field().varint(0x18).raw(new Uint8Array(9).fill(0xff)).varint(2)],
  ])('with %s is refused', (_what, writer) => {
    expect(() => decodeHeader(writer.finish())).toThrow(decodeFailed)
  })

  test('keeps heights and times up to their limits', () => {
    const bytes = field()
      .uint(2, Number.MAX_SAFE_INTEGER)
      .uint64(3, 2n ** 63n - 1n)
      .finish()
    expect(decodeHeader(bytes)).toMatchObject({ height: Number.MAX_SAFE_INTEGER, time: 2n ** 63n - 1n })
  })

  test('keeps a byte order mark in its chain id', () => {
    const chainId = '\ufeffchain'
    expect(decodeHeader(encodeHeader({ ...header, chainId })).chainId).toBe(chainId)
  })

  test('does not keep the message that it came in', () => {
    const bytes = encodeHeader(header)
    const inLarge = new Uint8Array(1 << 20)
    inLarge.set(bytes, 1000)
    const decoded = decodeHeader(inLarge.subarray(1000, 1000 + bytes.length))
    inLarge.fill(0)
    expect(decoded).toEqual(header)
    expect(decoded.dataHash.buffer.byteLength).toBeLessThan(100)
  })

  test('is decoded to plain arrays also from a Buffer', () => {
    const decoded = decodeHeader(Buffer.from(encodeHeader(header)))
    expect(decoded.proposerAddress.constructor).toBe(Uint8Array)
    expect(decoded).toEqual(header)
  })
})

describe('legacy fields', () => {
  const hash = new Uint8Array(32).fill(7)

  test('stand behind the others, and are kept one by one', () => {
    const bytes = concatBytes(encodeHeader(header), field().presentBytes(7, hash).finish())
    const decoded = decodeHeader(bytes)
    expect(decoded.legacy).toEqual({
      lastCommitHash: new Uint8Array(0),
      consensusHash: hash,
      lastResultsHash: new Uint8Array(0),
    })
    expect(encodeHeader(decoded)).toEqual(bytes)
  })

  test('that are all empty are none', () => {
    const bytes = concatBytes(
      field().presentBytes(5, hash).presentBytes(5, new Uint8Array(0)).finish(),
      encodeHeader(header),
    )
    expect(decodeHeader(bytes)).toEqual(header)
  })

  test('of 1 KiB are taken, of more refused', () => {
    const decoded = decodeHeader(field().presentBytes(9, new Uint8Array(1024)).finish())
    expect(decoded.legacy?.lastResultsHash.length).toBe(1024)
    expect(() => decodeHeader(field().presentBytes(9, new Uint8Array(1025)).finish())).toThrow(decodeFailed)
  })

  test('and unknown fields together are at most 1 MiB', () => {
    const head = 5
    const unknown = (bytes: number): Uint8Array =>
      field()
        .presentBytes(15, new Uint8Array(bytes - head + 1))
        .finish()
    expect(unknown(1 << 20).length).toBe(1 << 20)
    expect(decodeHeader(unknown(1 << 20)).height).toBe(0)
    expect(() => decodeHeader(unknown((1 << 20) + 1))).toThrow(decodeFailed)
    const legacy = field().presentBytes(5, hash).finish()
    expect(() => decodeHeader(concatBytes(unknown((1 << 20) - legacy.length + 1), legacy))).toThrow(
      decodeFailed,
    )
  })
})

describe('a signed header', () => {
  test('without a header is refused', () => {
    const bytes = field().presentBytes(2, signed.signature).finish()
    for (const decode of [decodeSignedHeader, decodeP2PSignedHeader, decodeDAHeaderEnvelope]) {
      expect(() => decode(bytes)).toThrow(decodeFailed)
      expect(() => decode(new Uint8Array(0))).toThrow(decodeFailed)
    }
  })

  test('merges a header that comes in parts', () => {
    const one = field().presentBytes(1, field().uint(2, 5).finish()).finish()
    const two = field().presentBytes(1, field().uint64(3, 6n).finish()).finish()
    expect(decodeSignedHeader(concatBytes(one, two)).header).toMatchObject({ height: 5, time: 6n })
  })

  test('without a key has no signer, whatever address it says', () => {
    const bytes = field()
      .presentBytes(1, encodeHeader(header))
      .presentBytes(3, field().bytes(1, signed.signer.address).finish())
      .finish()
    const nobody = { address: new Uint8Array(0), publicKey: new Uint8Array(0) }
    expect(decodeSignedHeader(bytes).signer).toEqual(nobody)
    expect(
      encodeSignedHeader({ ...signed, signer: { ...signed.signer, publicKey: new Uint8Array(0) } }),
    ).toEqual(encodeSignedHeader({ ...signed, signer: nobody }))
  })

  test('of a peer always says a DA height, 0 where it knows none', () => {
    const bytes = encodeP2PSignedHeader(signed)
    expect([...bytes.subarray(-2)]).toEqual([4 * 8, 0])
    expect(decodeP2PSignedHeader(bytes).daHeightHint).toBe(0)
    expect(decodeP2PSignedHeader(encodeSignedHeader(signed)).daHeightHint).toBe(0)
    expect(decodeP2PSignedHeader(encodeP2PSignedHeader({ ...signed, daHeightHint: 9 })).daHeightHint).toBe(9)
  })

  test('alone is an envelope of the old form', () => {
    const envelope = decodeDAHeaderEnvelope(encodeSignedHeader(signed))
    expect(envelope).toEqual({ header: signed, envelopeSignature: new Uint8Array(0) })
  })
})
