import { describe, expect, test } from 'vitest'
import { signEd25519 } from '#crypto'
import { makeChain } from '../../test/support/chain.ts'
import { utf8 } from '../util/bytes.ts'
import { encodeData, encodeSignedHeader } from './codec.ts'
import type { Data } from './data.ts'
import { encodeLegacyHeader, type Header, signHeader, type SignedHeader, signerOfSeed } from './header.ts'
import { initialState, nextState, type State } from './state.ts'
import {
  assertNotFromFuture,
  validateData,
  validateEnvelope,
  validateHeader,
  validatePair,
  validateProposer,
  validateSequence,
  validateSignedData,
} from './validate.ts'

const chain = makeChain({ count: 3 })
const { seed, genesis } = chain
const otherSeed = new Uint8Array(32).fill(3)
const none = new Uint8Array(0)

function blockAt(index: number): { readonly header: SignedHeader; readonly data: Data } {
  const block = chain.blocks[index]
  if (block === undefined) throw new Error(`no block ${index}`)
  return block
}

const signed = blockAt(1).header
const error = (code: string, reason?: string, verdict = 'reject'): unknown =>
  expect.objectContaining({
    code,
    verdict,
    data: reason === undefined ? expect.anything() : expect.objectContaining({ reason }),
  })
const resigned = (changes: Partial<Header>): SignedHeader =>
  signHeader({ ...signed.header, ...changes }, seed)

describe('validateHeader', () => {
  test('takes a header that is signed by its proposer', () => {
    expect(() => validateHeader(signed)).not.toThrow()
  })

  test('takes a signature over the legacy encoding, legacy fields or not', () => {
    const legacy = {
      lastCommitHash: new Uint8Array(32).fill(1),
      consensusHash: none,
      lastResultsHash: none,
    }
    for (const header of [signed.header, { ...signed.header, legacy }]) {
      const signature = signEd25519(seed, encodeLegacyHeader(header))
      expect(() => validateHeader({ ...signed, header, signature })).not.toThrow()
    }
  })

  test.each([
    ['no proposer', resigned({ proposerAddress: none }), 'INVALID_HEADER', 'no-proposer-address'],
    ['no time', resigned({ time: 0n }), 'INVALID_HEADER', 'zero-time'],
    ['no height', resigned({ height: 0 }), 'INVALID_HEADER', 'zero-height'],
    ['no chain id', resigned({ chainId: '' }), 'INVALID_HEADER', 'no-chain-id'],
    ['no signature', { ...signed, signature: none }, 'INVALID_SIGNATURE', 'empty-signature'],
    [
      'no signer',
      { ...signed, signer: { address: none, publicKey: none } },
      'INVALID_SIGNATURE',
      'no-public-key',
    ],
    [
      'a key that is none',
      { ...signed, signer: { ...signed.signer, publicKey: utf8('key') } },
      'INVALID_SIGNATURE',
      'bad-public-key',
    ],
    [
      'an address that is not of the key',
      { ...signed, signer: { ...signed.signer, address: new Uint8Array(32) } },
      'INVALID_SIGNATURE',
      'signer-address',
    ],
    [
      'another proposer',
      resigned({ proposerAddress: new Uint8Array(32) }),
      'INVALID_HEADER',
      'proposer-address',
    ],
    ['another signer', { ...signed, signer: signerOfSeed(otherSeed) }, 'INVALID_HEADER', 'proposer-address'],
    [
      'a signature by another key',
      { ...signed, signature: signHeader(signed.header, otherSeed).signature },
      'INVALID_SIGNATURE',
      'wrong-signature',
    ],
    [
      'a short signature',
      { ...signed, signature: signed.signature.subarray(1) },
      'INVALID_SIGNATURE',
      'wrong-signature',
    ],
    [
      'a change after signing',
      { ...signed, header: { ...signed.header, appHash: utf8('other') } },
      'INVALID_SIGNATURE',
      'wrong-signature',
    ],
  ])('refuses %s', (_what, header, code, reason) => {
    expect(() => validateHeader(header)).toThrow(error(code, reason))
  })
})

describe('validateEnvelope', () => {
  const envelopeSignature = signEd25519(seed, encodeSignedHeader(signed))

  test('takes a header whose signer signed the whole', () => {
    expect(() => validateEnvelope({ header: signed, envelopeSignature })).not.toThrow()
  })

  test.each([
    ['no signature', none, 'empty-signature'],
    ['a signature over something else', signed.signature, 'wrong-signature'],
  ])('refuses %s', (_what, signature, reason) => {
    expect(() => validateEnvelope({ header: signed, envelopeSignature: signature })).toThrow(
      error('INVALID_SIGNATURE', reason),
    )
  })

  test('refuses an invalid header in a valid envelope', () => {
    const header = { ...signed, signature: new Uint8Array(64) }
    const signature = signEd25519(seed, encodeSignedHeader(header))
    expect(() => validateEnvelope({ header, envelopeSignature: signature })).toThrow(
      error('INVALID_SIGNATURE'),
    )
  })
})

describe('data', () => {
  const { data } = blockAt(1)
  const metadata = data.metadata
  if (metadata === undefined) throw new Error('no metadata')

  test('that is complete is taken', () => {
    expect(() => validateData(data)).not.toThrow()
  })

  test.each([
    ['metadata', { txs: data.txs }, 'no-metadata'],
    ['chain id', { ...data, metadata: { ...metadata, chainId: '' } }, 'no-chain-id'],
    ['height', { ...data, metadata: { ...metadata, height: 0 } }, 'zero-height'],
    ['time', { ...data, metadata: { ...metadata, time: 0n } }, 'zero-time'],
  ])('without %s is refused', (_what, wrong, reason) => {
    expect(() => validateData(wrong)).toThrow(error('INVALID_DATA', reason))
  })

  test('that is signed by its signer is taken, else refused', () => {
    const good = { data, signature: signEd25519(seed, encodeData(data)), signer: signerOfSeed(seed) }
    expect(() => validateSignedData(good)).not.toThrow()
    expect(() => validateSignedData({ ...good, signer: signerOfSeed(otherSeed) })).toThrow(
      error('INVALID_SIGNATURE', 'wrong-signature'),
    )
    expect(() => validateSignedData({ ...good, signature: none })).toThrow(
      error('INVALID_SIGNATURE', 'empty-signature'),
    )
    const address = signerOfSeed(otherSeed).address
    expect(() => validateSignedData({ ...good, signer: { ...good.signer, address } })).toThrow(
      error('INVALID_SIGNATURE', 'signer-address'),
    )
    expect(() => validateSignedData({ ...good, data: { txs: data.txs } })).toThrow(error('INVALID_DATA'))
  })

  test('belongs to its header', () => {
    expect(() => validatePair(signed, data)).not.toThrow()
  })

  test.each([
    ['another chain', { ...data, metadata: { ...metadata, chainId: 'other' } }, 'DATA_MISMATCH', 'metadata'],
    ['another height', { ...data, metadata: { ...metadata, height: 9 } }, 'DATA_MISMATCH', 'metadata'],
    ['another time', { ...data, metadata: { ...metadata, time: 9n } }, 'DATA_MISMATCH', 'metadata'],
    ['other transactions', { ...data, txs: [utf8('other')] }, 'DATA_MISMATCH', 'data-hash'],
    ['no transactions', { ...data, txs: [] }, 'DATA_MISMATCH', 'data-hash'],
    ['no metadata', { txs: data.txs }, 'INVALID_DATA', 'no-metadata'],
  ])('of %s does not belong to the header', (_what, wrong, code, reason) => {
    expect(() => validatePair(signed, wrong)).toThrow(error(code, reason))
  })

  test('without transactions does not belong to a header without a data hash', () => {
    const header = resigned({ dataHash: none })
    expect(() => validatePair(header, { ...data, txs: [] })).toThrow(error('DATA_MISMATCH', 'data-hash'))
  })
})

describe('a header against the state below', () => {
  const start = initialState(genesis, blockAt(0).header.header.appHash)
  const state: State = nextState(start, blockAt(0).header, {
    stateRoot: signed.header.appHash,
    nextProposerAddress: none,
  })

  test('is the next one', () => {
    expect(() => validateProposer(state, signed)).not.toThrow()
    expect(() => validateSequence(state, signed)).not.toThrow()
    expect(() => validateSequence(state, resigned({ time: state.lastBlockTime }))).not.toThrow()
  })

  test.each([
    ['chain id', resigned({ chainId: 'other' }), 'WRONG_CHAIN_ID', 'reject'],
    ['height', resigned({ height: 3 }), 'UNEXPECTED_HEIGHT', 'reject'],
    ['time', resigned({ time: state.lastBlockTime - 1n }), 'UNORDERED_TIME', 'reject'],
    [
      'last header hash',
      resigned({ lastHeaderHash: new Uint8Array(32) }),
      'LAST_HEADER_HASH_MISMATCH',
      'halt',
    ],
    ['app hash', resigned({ appHash: new Uint8Array(32) }), 'APP_HASH_MISMATCH', 'halt'],
  ])('of another %s is not', (_what, wrong, code, verdict) => {
    expect(() => validateSequence(state, wrong)).toThrow(error(code, undefined, verdict))
    // Each time, not only the first.
    expect(() => validateSequence(state, wrong)).toThrow(error(code, undefined, verdict))
  })

  test('by another proposer is not', () => {
    const other = signHeader(
      { ...signed.header, proposerAddress: signerOfSeed(otherSeed).address },
      otherSeed,
    )
    expect(() => validateHeader(other)).not.toThrow()
    expect(() => validateProposer(state, other)).toThrow(error('UNEXPECTED_PROPOSER'))
  })

  test('is judged at the first height too, except for a link', () => {
    const first = blockAt(0).header
    const changed = (changes: Partial<Header>): SignedHeader =>
      signHeader({ ...first.header, ...changes }, seed)
    expect(() => validateSequence(start, first)).not.toThrow()
    expect(() => validateSequence(start, changed({ lastHeaderHash: new Uint8Array(32) }))).not.toThrow()
    expect(() => validateSequence(start, changed({ height: 2 }))).toThrow(error('UNEXPECTED_HEIGHT'))
    expect(() => validateSequence(start, changed({ time: genesis.startTime - 1n }))).toThrow(
      error('UNORDERED_TIME'),
    )
    expect(() => validateSequence(start, changed({ appHash: utf8('x') }))).toThrow(
      error('APP_HASH_MISMATCH', undefined, 'halt'),
    )
  })

  test('says both hashes when they differ', () => {
    const wrong = resigned({ appHash: Uint8Array.of(0xab) })
    expect(() => validateSequence({ ...state, appHash: none }, wrong)).toThrow(
      'expected app hash none for height 2, got ab',
    )
  })
})

test('a time may be ahead of now by the allowance', () => {
  const now = 1_000_000_000_000n
  expect(() => assertNotFromFuture(now + 60_000_000_000n, now, 60_000)).not.toThrow()
  expect(() => assertNotFromFuture(0n, now, 0)).not.toThrow()
  expect(() => assertNotFromFuture(now + 60_000_000_001n, now, 60_000)).toThrow(
    expect.objectContaining({ code: 'FROM_FUTURE', verdict: 'reject' }),
  )
})
