import { ed25519 } from '@noble/curves/ed25519.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { verifyByRule } from './ed25519-rule.ts'

/** SHA-256 of `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return nobleSha256(bytes)
}

/** SHA-256 of `bytes` as a string of 32 characters, one a byte: the smallest key of a map or set. Not for people. */
export function sha256Name(bytes: Uint8Array): string {
  return String.fromCharCode(...nobleSha256(bytes))
}

/** SHA-256 of several parts as if they were one. */
export function sha256Parts(...parts: readonly Uint8Array[]): Uint8Array {
  const digest = nobleSha256.create()
  for (const part of parts) digest.update(part)
  return digest.digest()
}

/**
 * Whether `signature` (64 bytes) over `message` is by the raw ed25519 `publicKey` (32 bytes), by RFC 8032
 * without cofactor, as Go's crypto/ed25519 decides it.
 */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verifyByRule(publicKey, message, signature)
}

/** Raw ed25519 public key of a 32-byte seed. */
export function ed25519PublicKey(seed: Uint8Array): Uint8Array {
  return ed25519.getPublicKey(seed)
}

/** Ed25519 signature (64 bytes) over `message` by the key of a 32-byte seed. */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return ed25519.sign(message, seed)
}
