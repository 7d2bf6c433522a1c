/*
 * Who signed a half. What was found good is remembered, so that each signature is checked once, and many can be checked
 * at once before anybody asks.
 */
import type { SignatureChecker } from '../../core/signatures.ts'
import { decodeSignedData } from '../../types/codec.ts'
import { encodedHeaderView, type SignedHeader } from '../../types/header.ts'
import { proposerAddressOf, rawPublicKey, type Signer } from '../../types/signer.ts'
import {
  validateEnvelope,
  validateHeader,
  validateHeaderFields,
  validateSignedData,
} from '../../types/validate.ts'
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { createSignatureBatch, type SignatureBatch } from '../../util/signature-batch.ts'
import { WireReader } from '../../util/wire.ts'
import type { FoundData, FoundHeader } from './found.ts'

/** The canonical bytes of halves that were found signed by who they name. They cover every signature in them. */
const good = new WeakSet<Uint8Array>()

/** Bytes of messages that go to the checker at once: more are not held twice. */
const BATCH_BYTES = 1024 * 1024

const SIGNATURE = 64
/** With tag and length. */
const SIGNATURE_FIELD = SIGNATURE + 2

/** Whether a header is complete and signed by the proposer it names. */
export function isSigned(header: SignedHeader): boolean {
  return passes(() => validateHeader(header))
}

/** As {@link isSigned}, and so is the envelope. A header in the old form has none. */
export function isSignedAsFound(found: FoundHeader): boolean {
  return remembered(found.bytes, () =>
    found.envelopeSignature.length === 0 ? validateHeader(found.header) : validateEnvelope(found),
  )
}

/** Whether data names `proposer` as its signer and is signed by it. */
export function isSignedBy({ signer, bytes }: FoundData, proposer: Uint8Array): boolean {
  if (!equalBytes(signer.address, proposer)) return false
  return remembered(bytes, () => validateSignedData(decodeSignedData(bytes)))
}

/** Whether a check does not throw what says that something is wrong. */
export function passes(check: () => void): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof EvolveError) return false
    throw error
  }
}

function remembered(bytes: Uint8Array, check: () => void): boolean {
  if (good.has(bytes)) return true
  if (!passes(check)) return false
  good.add(bytes)
  return true
}

/** Halves of one DA height. */
export interface Halves {
  readonly headers: readonly FoundHeader[]
  readonly data: readonly FoundData[]
}

/**
 * Checks the signatures of those halves that name the proposer expected of their height, many at once. Who asks for the
 * others, or for what the checker does not find good, has them checked then. Never rejects.
 */
export async function checkAhead(
  checker: SignatureChecker,
  { headers, data }: Halves,
  expected: (height: number) => Uint8Array,
): Promise<void> {
  const keyOf = createKeys()
  let batch = createSignatureBatch(2 * headers.length + data.length, 256)
  let bytes = 0
  /** The bytes of each half, once for each of its signatures in the batch. */
  let asked: Uint8Array[] = []

  const flush = async (): Promise<void> => {
    const results = asked.length === 0 ? [] : await checker.check(batch)
    let index = 0
    while (index < asked.length) {
      const half = asked[index]
      let all = true
      for (; index < asked.length && asked[index] === half; index++) all &&= results[index] === 1
      if (all && half !== undefined) good.add(half)
    }
    batch = createSignatureBatch(asked.length, 256)
    bytes = 0
    asked = []
  }
  const took = async (half: Uint8Array, count: number): Promise<void> => {
    for (let one = 0; one < count; one++) asked.push(half)
    bytes += half.length
    if (bytes >= BATCH_BYTES) await flush()
  }

  for (const found of headers) {
    const { header } = found.header
    if (!equalBytes(header.proposerAddress, expected(header.height))) continue
    await took(found.bytes, packHeader(batch, found, keyOf))
  }
  for (const found of data) {
    if (!equalBytes(found.signer.address, expected(found.height))) continue
    await took(found.bytes, packData(batch, found, keyOf))
  }
  await flush()
}

type Keys = (signer: Signer) => Uint8Array | undefined

/** The keys of signers whose key gives their address. One proposer signs nearly everything: its key is looked at once. */
function createKeys(): Keys {
  let last: { readonly signer: Signer; readonly key: Uint8Array } | undefined
  return (signer) => {
    if (
      last !== undefined &&
      equalBytes(last.signer.publicKey, signer.publicKey) &&
      equalBytes(last.signer.address, signer.address)
    )
      return last.key
    let key: Uint8Array | undefined
    if (!passes(() => (key = rawPublicKey(signer)))) return undefined
    if (key === undefined || !equalBytes(proposerAddressOf(key), signer.address)) return undefined
    last = { signer, key }
    return key
  }
}

/**
 * Packs the signatures of a header and its envelope; how many. None when something is wrong without looking at them, or
 * when only who looks closer can tell.
 */
function packHeader(batch: SignatureBatch, found: FoundHeader, keyOf: Keys): number {
  const { header, envelopeSignature, bytes } = found
  const key = keyOf(header.signer)
  if (key === undefined || !equalBytes(header.header.proposerAddress, header.signer.address)) return 0
  if (header.signature.length !== SIGNATURE || !passes(() => validateHeaderFields(header.header))) return 0
  if (envelopeSignature.length !== 0 && envelopeSignature.length !== SIGNATURE) return 0
  batch.add(key, encodedHeaderView(header.header), header.signature)
  if (envelopeSignature.length === 0) return 1
  // The field of the signature stands behind all that it signs.
  batch.add(key, bytes.subarray(0, bytes.length - SIGNATURE_FIELD), envelopeSignature)
  return 2
}

/** As {@link packHeader}, for data. */
function packData(batch: SignatureBatch, { signer, bytes }: FoundData, keyOf: Keys): number {
  const key = keyOf(signer)
  if (key === undefined) return 0
  const reader = new WireReader(bytes)
  let payload: Uint8Array | undefined
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    const value = reader.bytes(field, 'field')
    if (field.number === 1) payload = value
    else if (field.number === 2) return Number(payload !== undefined && batch.add(key, payload, value))
  }
  return 0
}
