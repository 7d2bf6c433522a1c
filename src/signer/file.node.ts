import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { ed25519PublicKey, sha256, signEd25519 } from '#crypto'
import type { Signer } from '../core/signer.ts'
import { concatBytes, equalBytes, fromBase64, toBase64, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { deriveKey, deriveKeyWithoutSalt } from './argon2.node.ts'

/** The key that signs blocks, in memory. */
export interface SigningKey {
  /** 32 bytes, secret. */
  readonly seed: Uint8Array
  /** Raw ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** SHA-256 of the public key: what headers and genesis name. */
  readonly address: Uint8Array
  /** Ed25519 signature (64 bytes) over `message`. */
  sign(message: Uint8Array): Uint8Array
}

const SEED_BYTES = 32
const PAIR_BYTES = 64
const NONCE_BYTES = 12
const SALT_BYTES = 16
const TAG_BYTES = 16

/** The signing key of a 32-byte seed. */
export function signingKeyOf(seed: Uint8Array): SigningKey {
  const publicKey = ed25519PublicKey(seed)
  return { seed, publicKey, address: sha256(publicKey), sign: (message) => signEd25519(seed, message) }
}

/** The signer of a key in memory. */
export function signerOfKey(key: SigningKey): Signer {
  return { publicKey: key.publicKey, address: key.address, sign: async (message) => key.sign(message) }
}

function corrupt(what: string): EvolveError {
  return new EvolveError('CORRUPT_SIGNER_FILE', `signer file: ${what}`)
}

function passphraseBytes(passphrase: string | Uint8Array): Uint8Array {
  return typeof passphrase === 'string' ? utf8(passphrase) : passphrase
}

interface SignerFile {
  readonly encrypted: Uint8Array
  readonly nonce: Uint8Array
  readonly publicKey: Uint8Array
  /** Empty in files of the old form. */
  readonly salt: Uint8Array
}

function readFile(text: string): SignerFile {
  let file: unknown
  try {
    file = JSON.parse(text)
  } catch {
    throw corrupt('it is not JSON; it may be cut short')
  }
  if (typeof file !== 'object' || file === null) throw corrupt('it must hold a JSON object')
  const field = (name: string, allowed: readonly number[]): Uint8Array => {
    const value: unknown = Reflect.get(file, name) ?? ''
    const bytes = typeof value === 'string' ? fromBase64(value) : undefined
    if (bytes === undefined) throw corrupt(`${name} is not base64`)
    if (!allowed.includes(bytes.length)) {
      throw corrupt(`${name} must be ${allowed.join(' or ')} bytes, found ${bytes.length}`)
    }
    return bytes
  }
  return {
    encrypted: field('priv_key_encrypted', [PAIR_BYTES + TAG_BYTES]),
    nonce: field('nonce', [NONCE_BYTES]),
    publicKey: field('pub_key', [SEED_BYTES]),
    salt: field('salt', [0, SALT_BYTES]),
  }
}

/**
 * The raw public key (32 bytes) that the text of a `signer.json` names. Without the passphrase nothing tells whether
 * it is that of the private key. Throws `CORRUPT_SIGNER_FILE`.
 */
export function publicKeyInSignerFile(text: string): Uint8Array {
  return readFile(text).publicKey
}

function decrypt(file: SignerFile, key: Uint8Array): Uint8Array {
  const cipher = createDecipheriv('aes-256-gcm', key, file.nonce)
  const body = file.encrypted.length - TAG_BYTES
  cipher.setAuthTag(file.encrypted.subarray(body))
  const plain = cipher.update(file.encrypted.subarray(0, body))
  try {
    cipher.final()
  } catch {
    plain.fill(0)
    throw new EvolveError(
      'WRONG_PASSPHRASE',
      'signer file: the passphrase does not open it, or the file was changed',
    )
  }
  return plain
}

/**
 * Opens the text of a `signer.json` with its passphrase, as it is: whoever reads it from a file trims it. Throws
 * `WRONG_PASSPHRASE`, or `CORRUPT_SIGNER_FILE` when the file is damaged or its public key is not that of its
 * private key; no message holds key material.
 * Source: ev-node v1.2.3 pkg/signer/file.
 */
export async function openSignerFile(text: string, passphrase: string | Uint8Array): Promise<SigningKey> {
  const file = readFile(text)
  const secret = passphraseBytes(passphrase)
  if (file.salt.length === 0 && secret.length === 0) {
    throw new EvolveError(
      'WRONG_PASSPHRASE',
      'signer file: it has no salt and cannot have an empty passphrase',
    )
  }
  const key = file.salt.length === 0 ? deriveKeyWithoutSalt(secret) : await deriveKey(secret, file.salt)
  const pair = decrypt(file, key)
  key.fill(0)
  const signing = signingKeyOf(new Uint8Array(pair.subarray(0, SEED_BYTES)))
  const whole = equalBytes(pair.subarray(SEED_BYTES), signing.publicKey)
  pair.fill(0)
  if (!whole) throw corrupt('the halves of the private key do not belong together')
  if (!equalBytes(file.publicKey, signing.publicKey)) {
    throw corrupt('pub_key is not the public key of the private key')
  }
  return signing
}

/**
 * The text of a `signer.json` that holds `seed`. Salt (16 bytes) and nonce (12 bytes) must be new random bytes
 * for each file; an empty salt gives the old form, whose key is the passphrase itself.
 */
export async function sealSignerFile(
  seed: Uint8Array,
  passphrase: string | Uint8Array,
  { salt, nonce }: { readonly salt: Uint8Array; readonly nonce: Uint8Array },
): Promise<string> {
  const { publicKey } = signingKeyOf(seed)
  const secret = passphraseBytes(passphrase)
  const key = salt.length === 0 ? deriveKeyWithoutSalt(secret) : await deriveKey(secret, salt)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const body = cipher.update(concatBytes(seed, publicKey))
  cipher.final()
  key.fill(0)
  return JSON.stringify({
    priv_key_encrypted: toBase64(concatBytes(body, cipher.getAuthTag())),
    nonce: toBase64(nonce),
    pub_key: toBase64(publicKey),
    ...(salt.length === 0 ? {} : { salt: toBase64(salt) }),
  })
}

/** Options of {@link createSignerFile}. */
export interface CreateSignerOptions {
  /** 32 bytes to keep instead of a new key. */
  readonly seed?: Uint8Array
  /** Source of secret random bytes; the system's as a rule. */
  readonly randomBytes?: (length: number) => Uint8Array
}

/** Makes a signing key and the text of the `signer.json` that holds it, encrypted with a passphrase. */
export async function createSignerFile(
  passphrase: string | Uint8Array,
  options: CreateSignerOptions = {},
): Promise<{ readonly text: string; readonly key: SigningKey }> {
  const random = options.randomBytes ?? randomBytes
  const seed = options.seed ?? new Uint8Array(random(SEED_BYTES))
  if (seed.length !== SEED_BYTES) {
    throw new EvolveError('INVALID_KEY', `expected a seed of ${SEED_BYTES} bytes, got ${seed.length}`)
  }
  const text = await sealSignerFile(seed, passphrase, {
    salt: new Uint8Array(random(SALT_BYTES)),
    nonce: new Uint8Array(random(NONCE_BYTES)),
  })
  return { text, key: signingKeyOf(seed) }
}
