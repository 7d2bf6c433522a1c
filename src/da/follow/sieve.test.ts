import { describe, expect, test } from 'vitest'
import { sha256, signEd25519 } from '#crypto'
import { makeChain } from '../../../test/support/chain.ts'
import { envelopeBytes, signedDataBytes } from '../../../test/support/da-rig.ts'
import type { Blob } from '../../core/da.ts'
import { createProposers } from '../../core/proposers.ts'
import { encodeDAHeaderEnvelope, encodeData, encodeSignedData } from '../../types/codec.ts'
import { signHeader } from '../../types/header.ts'
import { signerOfSeed } from '../../types/signer.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { createSieve, type SieveOptions } from './sieve.ts'

const chain = makeChain({ count: 8 })
const { genesis, seed } = chain
const elsewhere = makeChain({ count: 2, chainId: 'elsewhere' })
const stranger = sha256(utf8('a stranger'))

const blobOf = (data: Uint8Array): Blob => ({
  namespace: EMPTY_BYTES,
  data,
  shareVersion: 0,
  commitment: EMPTY_BYTES,
  index: 0,
})

function at(height: number, of = chain) {
  const block = of.blocks[height - 1]
  if (block === undefined) throw new Error(`no block ${height}`)
  return block
}

const header = (height: number, by = seed): Blob => {
  const { header: own } = at(height).header
  const signed = signHeader({ ...own, proposerAddress: signerOfSeed(by).address }, by)
  return blobOf(envelopeBytes(signed, by))
}
const data = (height: number, by = seed): Blob => blobOf(signedDataBytes(at(height).data, by))

/** Claims to be the proposer's, with a signature by a stranger. */
const forgedHeader = (height: number): Blob => blobOf(envelopeBytes(at(height).header, stranger))
const forgedData = (height: number): Blob => {
  const own = at(height).data
  const signature = signEd25519(stranger, encodeData(own))
  return blobOf(encodeSignedData({ data: own, signature, signer: signerOfSeed(seed) }))
}

function sieve(options: Partial<SieveOptions> = {}) {
  return createSieve({
    maxBlobBytes: 100_000,
    chainId: genesis.chainId,
    crowdedBytes: 1_000_000,
    proposers: createProposers(1, genesis.proposerAddress),
    ...options,
  })
}

describe('a sieve', () => {
  test('keeps halves of our chain, whoever they are by, and passes over everything else', () => {
    const it = sieve()
    const kept = [header(1), data(1), header(2, stranger), data(2, stranger), forgedHeader(4)]
    expect(kept.map(it.keep)).toEqual(kept.map(() => true))
    const others = [
      blobOf(EMPTY_BYTES),
      blobOf(utf8('garbage')),
      blobOf(new Uint8Array(100_001)),
      blobOf(envelopeBytes(at(1, elsewhere).header, seed)),
      blobOf(signedDataBytes(at(1, elsewhere).data, seed)),
    ]
    expect(others.map(it.keep)).toEqual(others.map(() => false))
    it.take(kept)
    expect([it.headers.length, it.data.length, it.crowdedOut]).toEqual([3, 2, undefined])
    expect(Object.fromEntries(it.drops)).toEqual({
      no_blob: 1,
      undecodable: 1,
      too_large: 1,
      other_chain: 2,
    })
  })

  test('once it is crowded, keeps only what the expected proposer has signed, once', () => {
    const it = sieve({ crowdedBytes: 3_000 })
    let strangers = 0
    while (it.keep(header(3, stranger))) strangers++
    expect(strangers).toBeLessThan(4)
    expect(it.crowdedOut).toBe(3)
    expect([header(1), data(1), header(2)].map(it.keep)).toEqual([true, true, true])
    const others = [header(1), data(1), data(5, stranger), forgedHeader(4), forgedData(4)]
    expect(others.map(it.keep)).toEqual(others.map(() => false))
    expect(it.crowdedOut).toBe(5)
    expect(it.drops.get('crowded')).toBe(6)
  })

  test('expects of each height the proposer of its term, and of the next ones the last', () => {
    const proposers = createProposers(1, genesis.proposerAddress)
    proposers.name(5, signerOfSeed(stranger).address)
    const it = sieve({ crowdedBytes: -1, proposers })
    const blobs = [header(4), header(6), header(6, stranger), data(7, stranger), data(7)]
    expect(blobs.map(it.keep)).toEqual([true, false, true, true, false])
    expect(it.crowdedOut).toBe(7)
  })

  test('where it is not known who took over when, takes the first and the last proposer', () => {
    const [second, third] = [sha256(utf8('second')), sha256(utf8('third'))]
    const proposers = createProposers(1, genesis.proposerAddress)
    proposers.name(6, signerOfSeed(second).address)
    const it = sieve({ crowdedBytes: -1, proposers })
    const blobs = [header(2), header(3, second), header(4, third), header(7, second), header(7)]
    expect(blobs.map(it.keep)).toEqual([true, true, false, true, false])
  })

  test('without proposers nothing is crowded, without a chain all are ours', () => {
    const it = sieve({ crowdedBytes: -1, proposers: undefined, chainId: undefined })
    expect(it.keep(header(1, stranger))).toBe(true)
    expect(it.keep(blobOf(envelopeBytes(at(1, elsewhere).header, seed)))).toBe(true)
  })

  test('takes headers in the old form when their proposer has signed them', () => {
    const it = sieve({ crowdedBytes: -1 })
    const old = (signed = at(1).header): Blob =>
      blobOf(encodeDAHeaderEnvelope({ header: signed, envelopeSignature: EMPTY_BYTES }))
    expect(it.keep(old())).toBe(true)
    expect(it.keep(old({ ...at(1).header, signature: at(2).header.signature }))).toBe(false)
  })

  test('asks about blobs that nobody asked about, and takes only those that stay', () => {
    const it = sieve()
    it.take([header(1), blobOf(utf8('garbage')), data(1), data(2)])
    expect([it.headers.length, it.data.map(({ height }) => height)]).toEqual([1, [1, 2]])
    const { keptBytes, seenBytes } = it
    it.take([blobOf(new Uint8Array(50_000))])
    expect([it.keptBytes, it.seenBytes > seenBytes + 50_000]).toEqual([keptBytes, true])
  })
})
