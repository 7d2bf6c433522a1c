import { expect, test } from 'vitest'
import { sha256, signEd25519, verifyEd25519 } from '#crypto'
import { makeChain } from '../../../test/support/chain.ts'
import { envelopeBytes, signedDataBytes } from '../../../test/support/da-rig.ts'
import type { SignatureChecker } from '../../core/signatures.ts'
import { encodeDAHeaderEnvelope, encodeSignedData, encodeSignedHeader } from '../../types/codec.ts'
import { signerOfSeed } from '../../types/signer.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { packedChecks } from '../../util/signature-batch.ts'
import { decodeFound, type FoundData, type FoundHeader } from './found.ts'
import { checkAhead, type Halves, isSignedAsFound, isSignedBy } from './signed.ts'

const { genesis, seed, blocks } = makeChain({ count: 12, txsAt: (height) => [utf8(`tx ${height}`)] })
const proposer = genesis.proposerAddress
const other = sha256(utf8('somebody else'))
const wrong = signEd25519(other, utf8('something else'))

function blockAt(height: number) {
  const block = blocks[height - 1]
  if (block === undefined) throw new Error(`no block ${height}`)
  return block
}

/** Halves as they are found in blobs of these bytes. */
function found(...blobs: readonly Uint8Array[]): { headers: FoundHeader[]; data: FoundData[] } {
  const headers: FoundHeader[] = []
  const data: FoundData[] = []
  for (const bytes of blobs) {
    const one = decodeFound(bytes, bytes.length)
    if (one.kind === 'header') headers.push(one.found)
    else if (one.kind === 'data') data.push(one.found)
    else throw new Error(one.reason)
  }
  return { headers, data }
}

/** A checker on this thread. `blind` finds nothing good. */
function createChecker({ blind = false } = {}) {
  let checks = 0
  const checker: SignatureChecker = {
    async start() {},
    async stop() {},
    async check(batch) {
      const results = [...packedChecks(batch.finish())].map(({ publicKey, message, signature }) =>
        Number(!blind && verifyEd25519(publicKey, message, signature)),
      )
      checks += results.length
      return Uint8Array.from(results)
    },
  }
  return { checker, checks: () => checks }
}

const verdicts = ({ headers, data }: Halves): boolean[] => [
  ...headers.map(isSignedAsFound),
  ...data.map((one) => isSignedBy(one, proposer)),
]

const honest = (): Uint8Array[] =>
  [2, 3, 4].flatMap((height) => {
    const { header, data } = blockAt(height)
    return [envelopeBytes(header, seed), signedDataBytes(data, seed)]
  })

test('header, envelope and data of the proposer go to the checker, and are good', async () => {
  const halves = found(...honest(), encodeSignedHeader(blockAt(5).header))
  const { checker, checks } = createChecker()
  await checkAhead(checker, halves, () => proposer)
  expect(checks()).toBe(3 * 3 + 1)
  expect(verdicts(halves)).toEqual(Array.from({ length: 7 }, () => true))
})

test('what the checker does not find good is decided without it', async () => {
  const halves = found(...honest())
  const { checker, checks } = createChecker({ blind: true })
  await checkAhead(checker, halves, () => proposer)
  expect(checks()).toBe(9)
  expect(verdicts(halves)).toEqual(Array.from({ length: 6 }, () => true))
})

test('what is wrong in any part stays wrong, beside what is good', async () => {
  const { header, data } = blockAt(6)
  const envelopeSignature = signEd25519(seed, encodeSignedHeader(header))
  const signer = signerOfSeed(seed)
  const withSignature = (signature: Uint8Array) => ({ ...header, signature })
  const [first, second] = [envelopeBytes(header, seed), signedDataBytes(data, seed)]
  const bad = [
    encodeDAHeaderEnvelope({ header, envelopeSignature: wrong }),
    encodeDAHeaderEnvelope({ header, envelopeSignature: wrong.subarray(1) }),
    encodeDAHeaderEnvelope({ header: withSignature(wrong), envelopeSignature }),
    envelopeBytes(withSignature(wrong), seed),
    envelopeBytes(withSignature(wrong.subarray(1)), seed),
    envelopeBytes({ ...header, header: { ...header.header, appHash: utf8('another') } }, seed),
    envelopeBytes({ ...header, signer: { ...signer, publicKey: signerOfSeed(other).publicKey } }, seed),
    encodeSignedHeader(withSignature(wrong)),
    encodeSignedData({ data, signature: wrong, signer }),
    encodeSignedData({ data, signature: wrong.subarray(1), signer }),
    encodeSignedData({ data, signature: EMPTY_BYTES, signer }),
    encodeSignedData({ data: { ...data, txs: [utf8('another')] }, signature: wrong, signer }),
    signedDataBytes({ ...data, ...(data.metadata && { metadata: { ...data.metadata, time: 0n } }) }, seed),
  ]
  for (const [index, one] of bad.entries()) {
    const halves = found(first, one, second)
    const { checker } = createChecker()
    await checkAhead(checker, halves, () => proposer)
    // Headers stand before data, so that the bad one is between the good ones, whichever it is.
    expect([index, ...verdicts(halves)]).toEqual([index, true, false, true])
  }
})

test('strangers are not asked about', async () => {
  const { header, data } = blockAt(7)
  const by = signerOfSeed(other)
  const theirs = { ...header, header: { ...header.header, proposerAddress: by.address }, signer: by }
  const halves = found(envelopeBytes(theirs, other), signedDataBytes(data, other))
  const { checker, checks } = createChecker()
  await checkAhead(checker, halves, () => proposer)
  expect(checks()).toBe(0)
  expect(isSignedBy(halves.data[0] ?? expect.fail('no data'), by.address)).toBe(true)
})

test('large halves go in several batches', async () => {
  const data = { ...blockAt(8).data, txs: [new Uint8Array(900_000)] }
  const halves = found(
    ...[1, 2, 3].map((n) => signedDataBytes({ ...data, txs: [...data.txs, Uint8Array.of(n)] }, seed)),
  )
  const { checker, checks } = createChecker()
  await checkAhead(checker, halves, () => proposer)
  expect(checks()).toBe(3)
  expect(verdicts(halves)).toEqual([true, true, true])
})
