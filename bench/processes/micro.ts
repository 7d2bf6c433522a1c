/*
 * Measures single steps, one after another in one thread. Argument: a MicroOrder as JSON. Tells a MicroResult.
 * Each goes round over many items of one chain, so that nothing is measured twice on what it remembers of an item.
 */
import { createHash } from 'node:crypto'
import { sha256, signEd25519, verifyEd25519 } from '#crypto'
import { createBlob } from '../../src/da/blob.ts'
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponseFrames,
  FrameReader,
  ResponseStatus,
} from '../../src/header/exchange/codec.ts'
import { dataKind, headerKind } from '../../src/sync/kinds.ts'
import {
  decodeDAHeaderEnvelope,
  decodeP2PData,
  decodeP2PSignedHeader,
  decodeSignedData,
  decodeState,
  encodeDAHeaderEnvelope,
  encodeData,
  encodeHeader,
  encodeP2PData,
  encodeP2PSignedHeader,
  encodeSignedData,
  encodeSignedHeader,
  encodeState,
} from '../../src/types/codec.ts'
import { type Data, dataCommitment, dataHash, emptyDataFor } from '../../src/types/data.ts'
import {
  encodedHeaderView,
  type Header,
  headerHash,
  type SignedHeader,
  signerOfSeed,
} from '../../src/types/header.ts'
import { namespaceBytes } from '../../src/types/namespace.ts'
import { initialState, nextState, type State } from '../../src/types/state.ts'
import {
  validateEnvelope,
  validateHeader,
  validateHeaderFields,
  validatePair,
  validateSignedData,
  validateSigner,
} from '../../src/types/validate.ts'
import { EMPTY_BYTES, equalBytes, fromHex, utf8 } from '../../src/util/bytes.ts'
import { CHAIN_ID, PROPOSER_SEED } from '../chain.ts'
import type { MicroOrder, MicroResult, MicroStep } from '../micro.ts'

const order: MicroOrder = JSON.parse(process.argv[2] ?? '{}')
const COUNT = 512
const LARGE_COUNT = 4
const MIB = 2 ** 20
/** Items in one answer of the exchange. */
const PAGE = 64
const BLOCK_TIME = 10_000_000n
const seed = fromHex(PROPOSER_SEED) ?? EMPTY_BYTES
const signer = signerOfSeed(seed)
const rawKey = signer.publicKey.subarray(4)
const namespace = namespaceBytes('bench')
const genesis = {
  chainId: CHAIN_ID,
  startTime: 1_700_000_000_000_000_000n,
  initialHeight: 1,
  proposerAddress: signer.address,
  daStartHeight: 0,
  daEpochForcedInclusion: 50,
}

interface Chain {
  readonly headers: readonly SignedHeader[]
  readonly data: readonly Data[]
  readonly states: readonly State[]
}

function makeChain(count: number, transactions: (height: number) => Uint8Array[]): Chain {
  const headers: SignedHeader[] = []
  const data: Data[] = []
  const states: State[] = []
  let state = initialState(genesis, sha256(utf8('state 0')))
  for (let index = 0; index < count; index++) {
    const height = 1_000_000 + index
    const time = genesis.startTime + BigInt(height) * BLOCK_TIME
    const below = data.at(-1)
    const lastDataHash = below === undefined ? sha256(utf8('data')) : dataHash(below)
    const block: Data = {
      metadata: { chainId: CHAIN_ID, height, time, lastDataHash },
      txs: transactions(height),
    }
    const header: Header = {
      version: { block: 11n, app: 1n },
      height,
      time,
      lastHeaderHash: state.lastHeaderHash.length === 0 ? sha256(utf8('header')) : state.lastHeaderHash,
      dataHash: dataCommitment(block),
      appHash: state.appHash,
      proposerAddress: signer.address,
      validatorHash: signer.address,
      chainId: CHAIN_ID,
    }
    const signed = { header, signer, signature: signEd25519(seed, encodeHeader(header)) }
    state = nextState(state, signed, {
      stateRoot: sha256(utf8(`state ${height}`)),
      nextProposerAddress: signer.address,
    })
    headers.push(signed)
    data.push(block)
    states.push(state)
  }
  return { headers, data, states }
}

const steps: MicroStep[] = []
/** What steps give, so that none of them is left out as useless. */
let sink: unknown

/** Times a second that `task` can be done; the best of some rounds, since others may use the machine too. */
function rateOf(task: (index: number) => unknown): number {
  const rounds = 4
  let best = 0
  let index = 0
  const run = (milliseconds: number): number => {
    const begun = performance.now()
    let done = 0
    let now = begun
    for (let burst = 1; now - begun < milliseconds; now = performance.now()) {
      for (let i = 0; i < burst; i++) sink = task(index++)
      done += burst
      if (performance.now() - now < 0.5) burst *= 2
    }
    return (done * 1_000) / (now - begun)
  }
  run(order.span / 2)
  for (let round = 0; round < rounds; round++) best = Math.max(best, run(order.span / 2 / rounds))
  return best
}

function step<T>(
  about: string,
  name: string,
  items: readonly T[],
  task: (item: T) => unknown,
  { bytes, bound }: Pick<MicroStep, 'bytes' | 'bound'> = {},
): void {
  const perSecond = rateOf((index) => {
    const item = items[index % items.length]
    return item === undefined ? undefined : task(item)
  })
  steps.push({
    about,
    name,
    perSecond,
    ...(bytes === undefined ? {} : { bytes }),
    ...(bound === undefined ? {} : { bound }),
  })
}

/** A header as it was made, which nothing is remembered of. */
const fresh = ({ header, ...rest }: SignedHeader): SignedHeader => ({ ...rest, header: { ...header } })

function headerSteps({ headers }: Chain): void {
  const about = 'headers'
  const encoded = headers.map(encodeP2PSignedHeader)
  const bytes = encoded[0]?.length ?? 0
  step(about, 'way of a header but for its signature', encoded, (message) => {
    const signed = decodeP2PSignedHeader(message)
    validateHeaderFields(signed.header)
    validateSigner(signed)
    sink = encodedHeaderView(signed.header)
    sink = headerHash(signed.header)
    return encodeP2PSignedHeader(signed)
  })
  step(
    about,
    'way of a header',
    encoded,
    (message) => {
      const signed = decodeP2PSignedHeader(message)
      validateHeader(signed)
      sink = headerHash(signed.header)
      return encodeP2PSignedHeader(signed)
    },
    { bound: 'signature check' },
  )
  step(about, 'decode', encoded, decodeP2PSignedHeader, { bytes })
  step(about, 'decode and hash', encoded, (message) => headerHash(decodeP2PSignedHeader(message).header))
  step(about, 'encode one that was made here', headers, (signed) => encodeP2PSignedHeader(fresh(signed)))
  step(about, 'hash one that was made here', headers, ({ header }) => headerHash({ ...header }))
  step(about, 'check of its signer', headers, validateSigner)
  step(about, 'check', headers, validateHeader, { bound: 'signature check' })
}

function dataSteps(about: string, { headers, data }: Chain): void {
  const encoded = data.map(encodeP2PData)
  const bytes = encoded[0]?.length ?? 0
  const options = { bytes, bound: 'sha256' } as const
  step(about, 'decode', encoded, decodeP2PData, { bytes })
  step(about, 'encode', data, encodeP2PData, { bytes })
  step(about, 'hash', data, (one) => dataHash({ ...one }), options)
  step(about, 'commitment', data, (one) => dataCommitment({ ...one }), options)
  const pairs = headers.map((header, index) => ({ header, message: encoded[index] ?? EMPTY_BYTES }))
  step(about, 'decode, match with its header, hash and encode', pairs, ({ header, message }) => {
    const one = decodeP2PData(message)
    validatePair(header, one)
    sink = dataHash(one)
    return encodeP2PData(one)
  })
}

function emptySteps({ headers, states }: Chain): void {
  let below: Uint8Array = sha256(utf8('data'))
  step('blocks', 'derive, hash and encode the data of an empty block', headers, ({ header }) => {
    const one = emptyDataFor(header, below)
    below = dataHash(one)
    return encodeP2PData(one)
  })
  step('blocks', 'encode a state', states, encodeState)
  step('blocks', 'decode a state', states.map(encodeState), decodeState)
}

function exchangeSteps({ headers }: Chain): void {
  const about = 'exchange'
  const bodies = headers.slice(0, PAGE).map(encodeP2PSignedHeader)
  const frames = encodeResponseFrames(bodies, ResponseStatus.Ok)
  const requests = headers.map(({ header }) => ({ origin: BigInt(header.height), amount: 64n }))
  step(
    about,
    `frames of ${PAGE} headers, written`,
    [bodies],
    (all) => encodeResponseFrames(all, ResponseStatus.Ok),
    {
      bytes: frames.length,
    },
  )
  step(
    about,
    `frames of ${PAGE} headers, read`,
    [frames],
    (chunk) => {
      new FrameReader(MIB).push(chunk, (frame) => {
        sink = decodeResponse(frame).body
      })
    },
    { bytes: frames.length },
  )
  step(about, 'request, written', requests, encodeRequest)
  step(about, 'request, read', requests.map(encodeRequest), decodeRequest)
}

function gossipSteps(small: Chain): void {
  const about = 'gossip'
  step(
    about,
    'header, decoded and judged by itself',
    small.headers.map((header) => headerKind.encode(header)),
    (message) => {
      headerKind.validate(headerKind.decode(message))
    },
    { bound: 'signature check' },
  )
  step(
    about,
    'data of 10 transactions, decoded and judged by itself',
    small.data.map((data) => dataKind.encode(data)),
    (message) => {
      dataKind.validate(dataKind.decode(message))
    },
  )
}

function daSteps(small: Chain, megabytes: readonly Uint8Array[]): void {
  const about = 'DA'
  const envelopes = small.headers.map((header) =>
    encodeDAHeaderEnvelope({ header, envelopeSignature: signEd25519(seed, encodeSignedHeader(header)) }),
  )
  const signedData = small.data.map((data) =>
    encodeSignedData({ data, signer, signature: signEd25519(seed, encodeData(data)) }),
  )
  step(about, 'envelope of a header, decoded', envelopes, decodeDAHeaderEnvelope)
  step(about, 'envelope of a header, decoded and checked', envelopes, (blob) =>
    validateEnvelope(decodeDAHeaderEnvelope(blob)),
  )
  step(
    about,
    'signed data of 10 transactions, decoded and checked',
    signedData,
    (blob) => validateSignedData(decodeSignedData(blob)),
    { bound: 'signature check' },
  )
  step(about, 'blob of a header, commitment', envelopes, (blob) => createBlob(namespace, blob))
  step(about, 'blob of 1 MB, commitment', megabytes, (blob) => createBlob(namespace, blob), {
    bytes: megabytes[0]?.length ?? 0,
    bound: 'sha256',
  })
}

function primitiveSteps({ headers }: Chain): void {
  const about = 'hashes and signatures'
  const signed = headers.map(({ header, signature }) => ({ message: encodeHeader(header), signature }))
  const hashes = headers.map(({ header }) => headerHash(header))
  const copies = hashes.map((hash) => ({ hash, copy: hash.slice() }))
  step(about, 'sha256 of 32 bytes', hashes, sha256)
  step(about, 'sha256 of a header', signed, ({ message }) => sha256(message))
  step(about, 'sha256 of 1 MiB', [large], sha256, { bytes: MIB, bound: 'sha256' })
  step(
    about,
    'ed25519 check',
    signed,
    ({ message, signature }) => verifyEd25519(rawKey, message, signature),
    { bound: 'signature check' },
  )
  step(about, 'ed25519 signature', signed, ({ message }) => signEd25519(seed, message))
  step(about, 'two equal hashes compared', copies, ({ hash, copy }) => equalBytes(hash, copy))
}

const large = new Uint8Array(MIB).fill(7)
const sha256Bytes = MIB * rateOf(() => createHash('sha256').update(large).digest())
const small = makeChain(COUNT, (height) =>
  Array.from({ length: 10 }, (_, index) => utf8(`key${(height * 10 + index) % 5_000}=value${height}`)),
)
const empty = makeChain(COUNT, () => [])
const megabyte = makeChain(LARGE_COUNT, (height) =>
  Array.from({ length: 16 }, (_, index) => new Uint8Array(62_500).fill(height + index)),
)
primitiveSteps(empty)
headerSteps(empty)
emptySteps(empty)
dataSteps('data without transactions', empty)
dataSteps('data of 10 small transactions', small)
dataSteps('data of 1 MB', megabyte)
exchangeSteps(empty)
gossipSteps(small)
daSteps(small, megabyte.data.map(encodeData))
if (sink === steps) throw new Error('no step gives the list of steps')
process.send?.({ steps, sha256Bytes } satisfies MicroResult)
process.once('disconnect', () => process.exit())
