import * as fc from 'fast-check'
import type { DAHeaderEnvelope } from '../../src/types/codec.ts'
import type { Data, P2PData, SignedData } from '../../src/types/data.ts'
import type { Header, P2PSignedHeader, SignedHeader, Signer } from '../../src/types/header.ts'
import type { State } from '../../src/types/state.ts'

/*
 * Any value that our messages can carry: what decodes to itself.
 */
const bytes = fc.uint8Array({ maxLength: 40 })
const hash = fc.oneof(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.constant(new Uint8Array(0)), bytes)
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const height = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.maxSafeNat())
const time = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
const version = fc.record({ block: uint64, app: uint64 })
const legacy = fc
  .record({ lastCommitHash: hash, consensusHash: hash, lastResultsHash: hash })
  .filter((one) => one.lastCommitHash.length + one.consensusHash.length + one.lastResultsHash.length > 0)

/** Headers, with and without legacy fields. */
export const anyHeader: fc.Arbitrary<Header> = fc
  .record({
    version,
    height,
    time,
    lastHeaderHash: hash,
    dataHash: hash,
    appHash: fc.uint8Array({ maxLength: 300 }),
    proposerAddress: hash,
    validatorHash: hash,
    chainId: text,
  })
  .chain((header) =>
    fc.oneof(
      fc.constant(header),
      legacy.map((fields) => ({ ...header, legacy: fields })),
    ),
  )

/** A signer without a key has no address. */
const signer: fc.Arbitrary<Signer> = fc.oneof(
  fc.constant({ address: new Uint8Array(0), publicKey: new Uint8Array(0) }),
  fc.record({ address: hash, publicKey: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
)

/** Signed headers; the signatures are any bytes. */
export const anySignedHeader: fc.Arbitrary<SignedHeader> = fc.record({
  header: anyHeader,
  signature: fc.uint8Array({ maxLength: 70 }),
  signer,
})

/** Signed headers of peers. */
export const anyP2PSignedHeader: fc.Arbitrary<P2PSignedHeader> = fc
  .tuple(anySignedHeader, height)
  .map(([signed, daHeightHint]) => ({ ...signed, daHeightHint }))

/** Headers as on DA. */
export const anyEnvelope: fc.Arbitrary<DAHeaderEnvelope> = fc.record({
  header: anySignedHeader,
  envelopeSignature: fc.uint8Array({ maxLength: 70 }),
})

const metadata = fc.record({ chainId: text, height, time, lastDataHash: hash })
const txs = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 })

/** Data as blocks have it. */
export const anyDataWithMetadata: fc.Arbitrary<Required<Data>> = fc.record({ metadata, txs })

/** Data, with and without metadata. */
export const anyData: fc.Arbitrary<Data> = fc.oneof(anyDataWithMetadata, fc.record({ txs }))

/** Data of peers. */
export const anyP2PData: fc.Arbitrary<P2PData> = fc.record({ metadata, txs, daHeightHint: height })

/** Data as on DA; the signatures are any bytes. */
export const anySignedData: fc.Arbitrary<SignedData> = fc.record({
  data: anyData,
  signature: fc.uint8Array({ maxLength: 70 }),
  signer,
})

/** States. */
export const anyState: fc.Arbitrary<State> = fc.record({
  version,
  chainId: text,
  initialHeight: height,
  lastBlockHeight: height,
  lastBlockTime: time,
  daHeight: height,
  appHash: fc.uint8Array({ maxLength: 300 }),
  lastHeaderHash: hash,
  nextProposerAddress: hash,
})
