import { describe, expect, test } from 'vitest'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { WireWriter } from '../util/wire.ts'
import { decodeData, decodeP2PData, decodeSignedData, encodeData, encodeP2PData } from './codec.ts'
import type { Data } from './data.ts'

const metadata = { chainId: 'c', height: 3, time: 4n, lastDataHash: new Uint8Array(32).fill(1) }
const data: Data = { metadata, txs: [utf8('one'), new Uint8Array(0), utf8('two')] }
const decodeFailed = expect.objectContaining({ code: 'DECODE_FAILED', verdict: 'reject' })

describe('data', () => {
  test('keeps empty transactions and their order', () => {
    expect(decodeData(encodeData(data))).toEqual(data)
    expect(encodeData({ txs: [new Uint8Array(0)] })).toEqual(Uint8Array.of(0x12, 0))
  })

  test('without metadata is data alone; of a peer it is refused', () => {
    const bytes = encodeData({ txs: data.txs })
    expect(decodeData(bytes)).toEqual({ txs: data.txs })
    expect(() => decodeP2PData(bytes)).toThrow(decodeFailed)
    expect(() => decodeP2PData(new Uint8Array(0))).toThrow(decodeFailed)
  })

  test('merges metadata that comes in parts, and appends transactions', () => {
    const one = encodeData({ metadata: { ...metadata, chainId: '' }, txs: [utf8('a')] })
    const two = new WireWriter().presentBytes(1, new WireWriter().string(1, 'd').finish()).finish()
    const three = encodeData({ txs: [utf8('b')] })
    expect(decodeData(concatBytes(one, two, three))).toEqual({
      metadata: { ...metadata, chainId: 'd' },
      txs: [utf8('a'), utf8('b')],
    })
  })

  test('of a peer always says a DA height', () => {
    const bytes = encodeP2PData(data)
    expect([...bytes.subarray(-2)]).toEqual([3 * 8, 0])
    expect(decodeP2PData(bytes)).toEqual({ ...data, daHeightHint: 0 })
    expect(decodeP2PData(encodeData(data)).daHeightHint).toBe(0)
  })

  test('with a height or time over the limits is refused', () => {
    const withField = (writer: WireWriter): Uint8Array =>
      new WireWriter().presentBytes(1, writer.finish()).finish()
    expect(() => decodeData(withField(new WireWriter().uint64(2, 2n ** 53n)))).toThrow(decodeFailed)
    expect(() => decodeData(withField(new WireWriter().uint64(3, 2n ** 63n)))).toThrow(decodeFailed)
  })

  test('does not keep a buffer in memory that is much larger than the message', () => {
    const bytes = encodeData({ txs: [new Uint8Array(1000).fill(5)] })
    const large = new Uint8Array(1 << 20)
    large.set(bytes, 77)
    const [tx] = decodeData(large.subarray(77, 77 + bytes.length)).txs
    expect(tx?.buffer.byteLength).toBe(bytes.length)
    const [view] = decodeData(bytes).txs
    expect(view?.buffer).toBe(bytes.buffer)
  })
})

test('signed data without data is refused', () => {
  expect(() => decodeSignedData(new WireWriter().presentBytes(2, utf8('signature')).finish())).toThrow(
    decodeFailed,
  )
  expect(decodeSignedData(Uint8Array.of(0x0a, 0)).data).toEqual({ txs: [] })
})
