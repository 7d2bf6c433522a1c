import * as crypto from 'node:crypto'
import { argon2idAsync } from '@noble/hashes/argon2.js'

/** Cost of the key derivation. Key files do not say it, so it can never change. */
const PASSES = 3
const MEMORY_KIB = 32 * 1024
const LANES = 4
const KEY_BYTES = 32

type NodeArgon2 = (
  algorithm: 'argon2id',
  parameters: {
    readonly message: Uint8Array
    readonly nonce: Uint8Array
    readonly parallelism: number
    readonly tagLength: number
    readonly memory: number
    readonly passes: number
  },
  callback: (error: Error | null, key: Buffer) => void,
) => void

/** Node's own Argon2, which versions before 24.7 do not have. */
const builtIn: { readonly argon2?: NodeArgon2 } = crypto

/**
 * The 32-byte key of a passphrase and salt: Argon2id with 3 passes over 32 MiB in 4 lanes. Off the main thread
 * where Node can; else in JavaScript, in steps that leave room for other work, some seconds in all.
 * Source: RFC 9106; ev-node v1.2.3 pkg/signer/file.
 */
export async function deriveKey(
  passphrase: Uint8Array,
  salt: Uint8Array,
  argon2: NodeArgon2 | 'none' = builtIn.argon2 ?? 'none',
): Promise<Uint8Array> {
  if (argon2 === 'none') {
    return await argon2idAsync(passphrase, salt, { t: PASSES, m: MEMORY_KIB, p: LANES, dkLen: KEY_BYTES })
  }
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
  const parameters = {
    message: passphrase,
    nonce: salt,
    parallelism: LANES,
    tagLength: KEY_BYTES,
    memory: MEMORY_KIB,
    passes: PASSES,
  }
  argon2('argon2id', parameters, (error, key) => {
    if (error === null) resolve(new Uint8Array(key))
    else reject(error)
  })
  return await promise
}

/** The key of files without a salt: the passphrase cut to 32 bytes, or repeated and mixed with the position. */
export function deriveKeyWithoutSalt(passphrase: Uint8Array): Uint8Array {
  const key = new Uint8Array(KEY_BYTES)
  for (let i = 0; i < KEY_BYTES; i++) {
    const byte = passphrase[i % passphrase.length] ?? 0
    key[i] = i < passphrase.length ? byte : byte ^ i
  }
  return key
}
