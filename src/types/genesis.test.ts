import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toBase64 } from '../util/bytes.ts'
import { formatGenesis, type Genesis, parseGenesis, validateGenesis } from './genesis.ts'
import { formatTimestamp, parseTimestamp } from './timestamp.ts'

const address = new Uint8Array(32).fill(200)
const file = {
  chain_id: 'chain-1',
  start_time: '2026-11-23T05:18:38.8300855+01:00',
  initial_height: 1,
  proposer_address: toBase64(address),
  da_start_height: 0,
  da_epoch_forced_inclusion: 50,
}
const genesis: Genesis = {
  chainId: 'chain-1',
  startTime: 1_795_407_518_830_085_500n,
  initialHeight: 1,
  proposerAddress: address,
  daStartHeight: 0,
  daEpochForcedInclusion: 50,
}
const parse = (changes: object): Genesis => parseGenesis(JSON.stringify({ ...file, ...changes }))

describe('a genesis file', () => {
  test('is read, whatever the offset of its time', () => {
    expect(parse({})).toEqual(genesis)
  })

  test('is written with two spaces and its time in UTC', () => {
    expect(formatGenesis(genesis)).toBe(
      JSON.stringify({ ...file, start_time: '2026-11-23T04:18:38.8300855Z' }, undefined, 2),
    )
    expect(parseGenesis(formatGenesis(genesis))).toEqual(genesis)
  })

  test('has <, > and & escaped', () => {
    const text = formatGenesis({ ...genesis, chainId: 'a<b>&c\u2028' })
    expect(text).toContain('"a\\u003cb\\u003e\\u0026c\\u2028"')
    expect(parseGenesis(text).chainId).toBe('a<b>&c\u2028')
  })

  test('may hold fields that nobody knows, and lack those that older files do not have', () => {
    expect(parse({ app_state: { a: [1] }, da_start_height: undefined })).toEqual(genesis)
    expect(parse({ da_epoch_forced_inclusion: undefined })).toEqual(genesis)
  })

  test.each([
    ['chain_id', ''],
    ['chain_id', undefined],
    ['chain_id', 7],
    ['start_time', undefined],
    ['start_time', '0001-01-01T00:00:00Z'],
    ['start_time', '1970-01-01T00:00:00Z'],
    ['start_time', '2262-04-12T00:00:00Z'],
    ['start_time', '2026-11-23 04:18:38Z'],
    ['start_time', '2026-02-30T00:00:00Z'],
    ['start_time', '2026-11-23T04:18:38'],
    ['initial_height', 0],
    ['initial_height', -1],
    ['initial_height', 1.5],
    ['initial_height', 2 ** 53],
    ['initial_height', '1'],
    ['initial_height', undefined],
    ['proposer_address', null],
    ['proposer_address', ''],
    ['proposer_address', 'not base64!'],
    ['proposer_address', toBase64(address.subarray(1))],
    ['da_start_height', -1],
    ['da_epoch_forced_inclusion', 0],
  ])('with %s %j is refused, naming both', (field, value) => {
    const refusal = expect.objectContaining({
      code: 'INVALID_GENESIS',
      message: expect.stringContaining(`genesis: ${field} must be `),
      data: expect.objectContaining({ field }),
    })
    expect(() => parse({ [field]: value })).toThrow(refusal)
  })

  test.each(['', '{', '[]', 'null', '"text"', '7'])('that is %j is refused', (text) => {
    expect(() => parseGenesis(text)).toThrow(expect.objectContaining({ code: 'INVALID_GENESIS' }))
  })

  test('is checked before it is written', () => {
    expect(() => formatGenesis({ ...genesis, initialHeight: 0 })).toThrow('initial_height')
    expect(() => validateGenesis({ ...genesis, startTime: 2n ** 63n })).toThrow('start_time')
    expect(() => validateGenesis(genesis)).not.toThrow()
  })
})

describe('times in JSON', () => {
  test('come back as they were', () => {
    const property = fc.property(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), (time) => {
      expect(parseTimestamp(formatTimestamp(time))).toBe(time)
    })
    fc.assert(property)
  })

  test.each([
    ['1970-01-01T00:00:00Z', 0n],
    ['1970-01-01T00:00:00.000000001Z', 1n],
    ['1970-01-01T00:00:00.0000000019Z', 1n],
    ['1970-01-01T01:30:00+01:30', 0n],
    ['1969-12-31T22:00:00-02:00', 0n],
    ['1969-12-31T23:59:59.5Z', -500_000_000n],
    ['2000-02-29T00:00:00Z', 951_782_400_000_000_000n],
  ])('%s is %d ns', (text, expected) => {
    expect(parseTimestamp(text)).toBe(expected)
  })

  test.each([
    '2000-02-29T00:00:00',
    '1900-02-29T00:00:00Z',
    '2000-13-01T00:00:00Z',
    '2000-01-01T24:00:00Z',
    '2000-01-01T00:60:00Z',
    '2000-01-01T00:00:60Z',
    '2000-01-01T00:00:00+24:00',
    '2000-01-01T00:00:00+00:60',
    '2000-01-01T00:00:00,5Z',
    '2000-1-1T00:00:00Z',
    ' 2000-01-01T00:00:00Z',
  ])('%j is none', (text) => {
    expect(parseTimestamp(text)).toBeUndefined()
  })
})
