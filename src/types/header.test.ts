import { describe, expect, test } from 'vitest'
import { ed25519PublicKey, sha256, verifyEd25519 } from '#crypto'
import { makeChain } from '../../test/support/chain.ts'
import { utf8 } from '../util/bytes.ts'
import { WireWriter } from '../util/wire.ts'
import {
  encodeHeader,
  encodeLegacyHeader,
  type Header,
  headerHash,
  marshalPublicKey,
  proposerAddressOf,
  rawPublicKey,
  signerOf,
  signerOfSeed,
  signHeader,
  slimHeaderHash,
} from './header.ts'

const { blocks, seed } = makeChain({ count: 2 })
const header = blocks[1]?.header.header
if (header === undefined) throw new Error('no block')
const legacy = {
  lastCommitHash: new Uint8Array(32).fill(5),
  consensusHash: new Uint8Array(0),
  lastResultsHash: new Uint8Array(0),
}

describe('the hash of a header', () => {
  test('is that of its canonical encoding', () => {
    expect(headerHash(header)).toEqual(sha256(encodeHeader(header)))
    expect(slimHeaderHash(header)).toEqual(headerHash(header))
  })

  test('is computed once', () => {
    expect(headerHash(header)).toBe(headerHash(header))
    expect(headerHash({ ...header })).not.toBe(headerHash(header))
  })

  test('is that of the legacy encoding when a legacy field is set', () => {
    const old: Header = { ...header, legacy }
    expect(headerHash(old)).toEqual(sha256(encodeLegacyHeader(old)))
    expect(slimHeaderHash(old)).toEqual(sha256(encodeHeader(old)))
    expect(headerHash(old)).not.toEqual(slimHeaderHash(old))
  })

  test('is the usual one when all legacy fields are empty', () => {
    const empty = { ...legacy, lastCommitHash: new Uint8Array(0) }
    expect(headerHash({ ...header, legacy: empty })).toEqual(headerHash(header))
  })
})

test('the legacy encoding has its fields in order, zeros for an unset consensus hash, and no zero left out', () => {
  const zero: Header = { ...header, height: 0, time: 0n, chainId: '', legacy }
  const expected = new WireWriter()
    .presentBytes(1, new Uint8Array(0))
    .presentUint(2, 0)
    .presentUint(3, 0)
    .bytes(4, zero.lastHeaderHash)
    .bytes(5, legacy.lastCommitHash)
    .bytes(6, zero.dataHash)
    .bytes(7, new Uint8Array(32))
    .bytes(8, zero.appHash)
    .bytes(10, zero.proposerAddress)
    .finish()
  expect(encodeLegacyHeader(zero)).toEqual(expected)
})

test.each([0n, 1n, 127n, 128n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 56n - 1n, 2n ** 63n - 1n, 2n ** 64n - 1n])(
  'versions of %d are encoded with their length',
  (block) => {
    const version = new WireWriter().uint64(1, block).uint64(2, 1n).finish()
    const expected = new WireWriter().presentBytes(1, version).finish()
    const encoded = encodeHeader({ ...header, version: { block, app: 1n } })
    expect(encoded.subarray(0, expected.length)).toEqual(expected)
  },
)

test('an encoding is the caller’s own', () => {
  const first = encodeHeader(header)
  const copy = first.slice()
  encodeHeader({ ...header, chainId: 'another' })
  encodeLegacyHeader(header)
  expect(first).toEqual(copy)
})

test('signing gives a signature over the canonical encoding and the signer of the seed', () => {
  const signed = signHeader(header, seed)
  const key = ed25519PublicKey(seed)
  expect(signed.signer).toEqual(signerOf(key))
  expect(signed.signer).toEqual(signerOfSeed(seed))
  expect(signed.signer.address).toEqual(proposerAddressOf(key))
  expect(verifyEd25519(key, encodeHeader(header), signed.signature)).toBe(true)
})

describe('public keys', () => {
  const key = ed25519PublicKey(seed)
  const address = proposerAddressOf(key)
  const read = (publicKey: Uint8Array): Uint8Array => rawPublicKey({ address, publicKey })
  const refused = expect.objectContaining({ code: 'INVALID_SIGNATURE', verdict: 'reject' })

  test('come back from their libp2p form', () => {
    expect(marshalPublicKey(key).length).toBe(36)
    expect(read(marshalPublicKey(key))).toEqual(key)
  })

  test('are read with their fields in any order', () => {
    expect(read(new WireWriter().presentBytes(2, key).presentUint(1, 1).finish())).toEqual(key)
    expect(read(new WireWriter().uint(1, 1).bytes(2, key).uint(3, 9).finish())).toEqual(key)
  })

  test.each([
    ['none', new Uint8Array(0)],
    ['of another kind', new WireWriter().presentUint(1, 2).bytes(2, key).finish()],
    ['without a kind', new WireWriter().bytes(2, key).finish()],
    ['too short', new WireWriter().presentUint(1, 1).bytes(2, key.subarray(1)).finish()],
    ['no message', utf8('not a key at all')],
    ['raw', key],
  ])('that are %s are refused', (_what, publicKey) => {
    expect(() => read(publicKey)).toThrow(refused)
  })

  test('of another length are not marshalled', () => {
    expect(() => marshalPublicKey(key.subarray(1))).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
  })
})
