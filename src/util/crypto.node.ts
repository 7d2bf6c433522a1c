import { createHash, createPrivateKey, createPublicKey, hash, type KeyObject, sign } from 'node:crypto'
import sodium from 'sodium-native'
import { isOddPoint, verifyByRule } from './ed25519-rule.ts'

const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

/** SHA-256 of `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  // As a string: handing over a small Buffer costs more than the hash and the loop together.
  const digest = hash('sha256', bytes, 'binary')
  const out = new Uint8Array(32)
  for (let i = 0; i < 32; i++) out[i] = digest.charCodeAt(i)
  return out
}

/** SHA-256 of `bytes` as a string of 32 characters, one a byte: the smallest key of a map or set. Not for people. */
export function sha256Name(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'binary')
}

/** SHA-256 of several parts as if they were one. */
export function sha256Parts(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = createHash('sha256')
  for (const part of parts) digest.update(part)
  return new Uint8Array(digest.digest())
}

/**
 * Whether `signature` (64 bytes) over `message` is by the raw ed25519 `publicKey` (32 bytes), by RFC 8032
 * without cofactor, as Go's crypto/ed25519 decides it. The fast library refuses some points that the rule allows:
 * those are decided by the rule itself.
 */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  if (sodium.crypto_sign_verify_detached(signature, message, publicKey)) return true
  if (!isOddPoint(publicKey) && !isOddPoint(signature.subarray(0, 32))) return false
  return verifyByRule(publicKey, message, signature)
}

/** Raw ed25519 public key of a 32-byte seed. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  return new Uint8Array(
    createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length),
  )
}

/** Keys of seeds, which nobody writes to: making one takes longer than signing with it. */
const privateKeys = new WeakMap<Uint8Array, KeyObject>()

function privateKeyOf(seed: Uint8Array): KeyObject {
  const known = privateKeys.get(seed)
  if (known !== undefined) return known
  const key = createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' })
  privateKeys.set(seed, key)
  return key
}

/** Ed25519 signature (64 bytes) over `message` by the key of a 32-byte seed. */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return new Uint8Array(sign(null, message, privateKeyOf(seed)))
}
