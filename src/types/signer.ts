import { ed25519PublicKey, sha256 } from '#crypto'
import { concatBytes, EMPTY_BYTES, equalBytes, fromHex, toHex } from '../util/bytes.ts'
import type { CanonicalReader } from '../util/canonical-reader.ts'
import { EvolveError } from '../util/errors.ts'
import { varintLength, WireReader, WireType, type WireWriter } from '../util/wire.ts'

/** Who signed: the address and the public key in libp2p's protobuf form. */
export interface Signer {
  readonly address: Uint8Array
  readonly publicKey: Uint8Array
}

/** Nobody. A signer without a key has no address either. */
export const NO_SIGNER: Signer = { address: EMPTY_BYTES, publicKey: EMPTY_BYTES }

/** Key type 1 (Ed25519) and 32 bytes of key, as libp2p's PublicKey message has them. */
const KEY_PREFIX: Uint8Array = fromHex('08011220') ?? EMPTY_BYTES
const RAW_KEY_LENGTH = 32
const ED25519 = 1

/** A raw ed25519 public key (32 bytes) in libp2p's protobuf form (36 bytes). */
export function marshalPublicKey(rawKey: Uint8Array): Uint8Array {
  if (rawKey.length !== RAW_KEY_LENGTH) {
    throw new EvolveError(
      'INVALID_KEY',
      `expected an ed25519 public key of 32 bytes, got ${rawKey.length} bytes`,
    )
  }
  return concatBytes(KEY_PREFIX, rawKey)
}

/**
 * The raw ed25519 public key (32 bytes) of a signer. Throws `INVALID_SIGNATURE` (reject) when there is no key, or one
 * of another kind: only ed25519 signs blocks here.
 */
export function rawPublicKey(signer: Signer): Uint8Array {
  const key = signer.publicKey
  if (key.length === KEY_PREFIX.length + RAW_KEY_LENGTH && startsWithPrefix(key)) {
    return key.subarray(KEY_PREFIX.length)
  }
  const raw = key.length === 0 ? undefined : readPublicKey(key)
  if (raw?.length === RAW_KEY_LENGTH) return raw
  const found = key.length === 0 ? 'none' : toHex(key.subarray(0, 64))
  throw new EvolveError('INVALID_SIGNATURE', `expected an ed25519 public key of the signer, got ${found}`, {
    verdict: 'reject',
    data: { reason: key.length === 0 ? 'no-public-key' : 'bad-public-key', publicKey: found },
  })
}

function startsWithPrefix(key: Uint8Array): boolean {
  for (let i = 0; i < KEY_PREFIX.length; i++) if (key[i] !== KEY_PREFIX[i]) return false
  return true
}

/** The key in a PublicKey message that is not in its usual form: fields swapped, repeated, or unknown ones added. */
function readPublicKey(bytes: Uint8Array): Uint8Array | undefined {
  let type: bigint | undefined
  let data: Uint8Array | undefined
  try {
    const reader = new WireReader(bytes)
    for (let field = reader.next(); field !== undefined; field = reader.next()) {
      if (field.number === 1 && field.type === WireType.Varint) type = reader.varint64()
      else if (field.number === 2 && field.type === WireType.Bytes) data = reader.bytes(field, 'key data')
      else reader.skip(field)
    }
  } catch (error) {
    if (error instanceof EvolveError) return undefined
    throw error
  }
  return type === BigInt(ED25519) ? data : undefined
}

/** The key that was asked for last, and its address: on most chains all headers have the same. */
let lastKey: Uint8Array = EMPTY_BYTES
let lastAddress: Uint8Array = sha256(EMPTY_BYTES)

/** The address of a raw ed25519 public key: its SHA-256, all 32 bytes. Shared: never write to it. */
export function proposerAddressOf(rawKey: Uint8Array): Uint8Array {
  if (equalBytes(rawKey, lastKey)) return lastAddress
  lastAddress = sha256(rawKey)
  lastKey = rawKey.slice()
  return lastAddress
}

/** The signer whose raw ed25519 public key this is. */
export function signerOf(rawKey: Uint8Array): Signer {
  return { address: proposerAddressOf(rawKey), publicKey: marshalPublicKey(rawKey) }
}

/** The signer that signs with a 32-byte ed25519 seed. */
export function signerOfSeed(seed: Uint8Array): Signer {
  return signerOf(ed25519PublicKey(seed))
}

/** Writes the field `number` of a message: its signer, also when it is nobody. Source: evnode.v1 Signer. */
export function writeSigner(writer: WireWriter, number: number, { address, publicKey }: Signer): WireWriter {
  const tag = number * 8 + WireType.Bytes
  if (publicKey.length === 0) return writer.varint(tag).varint(0)
  const addressLength = address.length === 0 ? 0 : 1 + varintLength(address.length) + address.length
  return writer
    .varint(tag)
    .varint(addressLength + 1 + varintLength(publicKey.length) + publicKey.length)
    .bytes(1, address)
    .bytes(2, publicKey)
}

/** Reads what {@link writeSigner} writes. */
export function readCanonicalSigner(reader: CanonicalReader, number: number): Signer {
  const around = reader.enter(number)
  const signer = { address: reader.bytes(1), publicKey: reader.bytes(2) }
  reader.leave(around)
  return signer.publicKey.length === 0 ? NO_SIGNER : signer
}
