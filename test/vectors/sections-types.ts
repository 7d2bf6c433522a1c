/*
 * Sections about single objects: headers, data, signed headers, signed data.
 */
import { ed25519PublicKey, sha256, signEd25519, verifyEd25519 } from '#crypto'
import {
  decodeDAHeaderEnvelope,
  decodeData,
  decodeHeader,
  decodeP2PData,
  decodeP2PSignedHeader,
  decodeSignedData,
  decodeSignedHeader,
  encodeDAHeaderEnvelope,
  encodeData,
  encodeHeader,
  encodeP2PData,
  encodeP2PSignedHeader,
  encodeSignedData,
  encodeSignedHeader,
} from '../../src/types/codec.ts'
import { dataCommitment, dataHash, type SignedData } from '../../src/types/data.ts'
import {
  encodeLegacyHeader,
  headerHash,
  type SignedHeader,
  signerOf,
  slimHeaderHash,
} from '../../src/types/header.ts'
import {
  assertNotFromFuture,
  validateHeader,
  validateHeaderFields,
  validateSignedData,
} from '../../src/types/validate.ts'
import { concatBytes, toHex } from '../../src/util/bytes.ts'
import { isEvolveError } from '../../src/util/errors.ts'
import { WireWriter } from '../../src/util/wire.ts'
import type { Fields } from './fields.ts'
import { kindOf } from './kinds.ts'
import { type FileHeader, readData, readHeader, textOf } from './read.ts'

/** Longest time ahead of now that a header may have, in milliseconds. */
const ALLOWANCE_MS = 60_000

/** Our encoding of a header whose height we do not take, with that height put in. */
function withHeight({ header, beyond }: FileHeader, encoded: Uint8Array): Uint8Array {
  if (beyond === undefined) return encoded
  const { version } = header
  const before = new WireWriter().presentBytes(
    1,
    new WireWriter().uint64(1, version.block).uint64(2, version.app).finish(),
  )
  const head = before.finish()
  const height = new WireWriter().uint64(2, beyond).finish()
  return concatBytes(head, height, encoded.subarray(head.length + 2))
}

/** A case of `headers`. Heights and times that we refuse to decode are checked for the refusal, and by encoding. */
export function checkHeader(fields: Fields): void {
  fields.text('name')
  const file = readHeader(fields)
  const { header, beyond, late } = file
  const binary = fields.presentBytes('binary')
  const slim = (): Uint8Array => withHeight(file, encodeHeader(header))
  const legacy = (): Uint8Array => withHeight(file, encodeLegacyHeader(header))
  const refused = beyond !== undefined || late
  const hash = (): Uint8Array => {
    if (!refused) return headerHash(header)
    return sha256(header.legacy === undefined ? slim() : legacy())
  }
  fields.sameBytes('binary', binary, slim)
  fields.sameBytes('legacy_binary', fields.presentBytes('legacy_binary'), legacy)
  fields.sameBytes('hash', fields.presentBytes('hash'), hash)
  fields.sameBytes('slim_hash', fields.presentBytes('slim_hash'), () =>
    refused ? sha256(slim()) : slimHeaderHash(header),
  )
  const afterDecode = fields.presentBytes('hash_after_decode')
  if (refused) {
    fields.sameBytes('hash_after_decode', afterDecode, hash)
    fields.same('binary', 'DECODE_FAILED', () => {
      try {
        return textOf(decodeHeader(binary))
      } catch (error) {
        return isEvolveError(error) ? error.code : String(error)
      }
    })
    return
  }
  fields.sameBytes('hash_after_decode', afterDecode, () => headerHash(decodeHeader(binary)))
  fields.same('binary', textOf(header), () => textOf(decodeHeader(binary)))
}

/** A case of `data`. */
export function checkData(fields: Fields): void {
  fields.text('name')
  const data = readData(fields)
  const binary = fields.presentBytes('binary')
  fields.sameBytes('binary', binary, () => encodeData(data))
  fields.same('binary', textOf(data), () => textOf(decodeData(binary)))
  fields.sameBytes('hash', fields.presentBytes('hash'), () => dataHash(data))
  fields.sameBytes('da_commitment', fields.presentBytes('da_commitment'), () => dataCommitment(data))
  if (data.metadata !== undefined) {
    const sent = { ...data, daHeightHint: 7 }
    fields.same('txs', textOf(sent), () => textOf(decodeP2PData(encodeP2PData(sent))))
  }
}

/** A case of `signed_headers`. `now` in unix nanoseconds. */
export function checkSignedHeader(fields: Fields, now: bigint): void {
  fields.text('name')
  const headerFields = fields.object('header')
  const { header, beyond } = readHeader(headerFields)
  headerFields.holds('height', 'a height up to 2^53-1', () => beyond === undefined)
  const signerFields = fields.object('signer')
  const signed: SignedHeader = {
    header,
    signature: fields.bytes('signature'),
    signer: { address: signerFields.bytes('address'), publicKey: signerFields.bytes('pub_key') },
  }
  const seed = fields.presentBytes('private_key_seed')
  const daHeightHint = Number(fields.uint64('da_height_hint'))
  const binary = fields.presentBytes('binary')
  const p2pBinary = fields.presentBytes('p2p_binary')
  const envelopeBinary = fields.presentBytes('da_envelope_binary')
  const envelopeSignature = fields.presentBytes('envelope_signature')
  const sent = { ...signed, daHeightHint }
  const envelope = { header: signed, envelopeSignature }
  fields.sameBytes('binary', binary, () => encodeSignedHeader(signed))
  fields.same('binary', textOf(signed), () => textOf(decodeSignedHeader(binary)))
  fields.sameBytes('p2p_binary', p2pBinary, () => encodeP2PSignedHeader(sent))
  fields.same('p2p_binary', textOf(sent), () => textOf(decodeP2PSignedHeader(p2pBinary)))
  fields.sameBytes('da_envelope_binary', envelopeBinary, () => encodeDAHeaderEnvelope(envelope))
  fields.same('da_envelope_binary', textOf(envelope), () => textOf(decodeDAHeaderEnvelope(envelopeBinary)))
  fields.sameBytes('envelope_signature', envelopeSignature, () => signEd25519(seed, binary))
  fields.holds('envelope_signature', 'a signature over binary', () =>
    verifyEd25519(ed25519PublicKey(seed), binary, envelopeSignature),
  )
  fields.sameBytes('hash', fields.presentBytes('hash'), () => headerHash(header))
  const expected = fields.kind('validate_basic')
  fields.same('validate_basic', expected ?? 'null', () =>
    kindOf(expected, () => {
      validateHeaderFields(header)
      assertNotFromFuture(header.time, now, ALLOWANCE_MS)
      validateHeader(signed)
    }),
  )
  if (expected !== undefined) return
  fields.sameBytes(
    'signer.pub_key',
    signed.signer.publicKey,
    () => signerOf(ed25519PublicKey(seed)).publicKey,
  )
  fields.holds('signature', 'made by the key over one of the two encodings', () => {
    const found = toHex(signed.signature)
    return [encodeHeader(header), encodeLegacyHeader(header)].some(
      (payload) => toHex(signEd25519(seed, payload)) === found,
    )
  })
}

/** A case of `signed_data`. */
export function checkSignedData(fields: Fields): void {
  fields.text('name')
  const data = readData(fields.object('data'))
  const seed = fields.presentBytes('private_key_seed')
  const signature = fields.presentBytes('signature')
  const binary = fields.presentBytes('binary')
  const signed = (): SignedData => ({ data, signature, signer: signerOf(ed25519PublicKey(seed)) })
  fields.sameBytes('signature', signature, () => signEd25519(seed, encodeData(data)))
  fields.sameBytes('binary', binary, () => encodeSignedData(signed()))
  fields.same('binary', textOf(signed()), () => textOf(decodeSignedData(binary)))
  fields.same('signature', 'null', () =>
    kindOf(undefined, () => validateSignedData(decodeSignedData(binary))),
  )
}
