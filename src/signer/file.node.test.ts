import { describe, expect, test } from 'vitest'
import { proposerAddressOf } from '../types/header.ts'
import { fromBase64, toBase64, utf8 } from '../util/bytes.ts'
import { ed25519PublicKey, verifyEd25519 } from '#crypto'
import { deriveKey } from './argon2.node.ts'
import { createSignerFile, openSignerFile, sealSignerFile } from './file.node.ts'

const seed = new Uint8Array(32).map((_, i) => i)
const salt = new Uint8Array(16).fill(1)
const nonce = new Uint8Array(12).fill(2)
const wrongPassphrase = expect.objectContaining({ code: 'WRONG_PASSPHRASE' })
const corrupt = expect.objectContaining({ code: 'CORRUPT_SIGNER_FILE' })

/** The file with one field changed. */
function withField(text: string, name: string, value: unknown): string {
  const file: unknown = JSON.parse(text)
  return JSON.stringify({ ...(typeof file === 'object' ? file : {}), [name]: value })
}

function fieldOf(text: string, name: string): Uint8Array {
  const file: unknown = JSON.parse(text)
  const value: unknown = typeof file === 'object' && file !== null ? Reflect.get(file, name) : undefined
  return fromBase64(String(value)) ?? new Uint8Array(0)
}

describe('a new signer file', () => {
  test('opens with its passphrase to the key that was made', async () => {
    const { text, key } = await createSignerFile('secret')
    const opened = await openSignerFile(text, utf8('secret'))
    expect(opened.seed).toEqual(key.seed)
    expect(opened.publicKey).toEqual(ed25519PublicKey(key.seed))
    expect(opened.address).toEqual(proposerAddressOf(key.publicKey))
    expect(verifyEd25519(opened.publicKey, utf8('hello'), opened.sign(utf8('hello')))).toBe(true)
    await expect(openSignerFile(text, 'Secret')).rejects.toThrow(wrongPassphrase)
    await expect(openSignerFile(text, '')).rejects.toThrow(wrongPassphrase)
  })

  test('is one line of JSON with the fields in order, and says nothing of the key', async () => {
    const { text } = await createSignerFile('secret', { seed })
    expect(Object.keys(JSON.parse(text))).toEqual(['priv_key_encrypted', 'nonce', 'pub_key', 'salt'])
    expect(text).not.toContain('\n')
    expect(fieldOf(text, 'priv_key_encrypted').length).toBe(80)
    expect(text).not.toContain(toBase64(seed).slice(0, 40))
  })

  test('has new salt and nonce each time', async () => {
    const [one, two] = [await createSignerFile('p', { seed }), await createSignerFile('p', { seed })]
    expect(one.key.publicKey).toEqual(two.key.publicKey)
    for (const name of ['salt', 'nonce', 'priv_key_encrypted']) {
      expect(fieldOf(one.text, name)).not.toEqual(fieldOf(two.text, name))
    }
  })

  test('takes its secrets from the given source', async () => {
    const asked: number[] = []
    const randomBytes = (length: number): Uint8Array => {
      asked.push(length)
      return new Uint8Array(length).fill(length)
    }
    const { text, key } = await createSignerFile('p', { randomBytes })
    expect(asked).toEqual([32, 16, 12])
    expect(key.seed).toEqual(new Uint8Array(32).fill(32))
    expect(fieldOf(text, 'nonce')).toEqual(new Uint8Array(12).fill(12))
    await expect(createSignerFile('p', { seed: seed.subarray(1) })).rejects.toThrow(
      expect.objectContaining({ code: 'INVALID_KEY' }),
    )
  })
})

describe('a signer file', () => {
  test('of the old form has no salt; its key is the passphrase, repeated and mixed or cut', async () => {
    for (const passphrase of ['p', 'a passphrase', 'x'.repeat(32), 'y'.repeat(40)]) {
      const text = await sealSignerFile(seed, passphrase, { salt: new Uint8Array(0), nonce })
      expect(text).not.toContain('salt')
      expect((await openSignerFile(text, passphrase)).seed).toEqual(seed)
      await expect(openSignerFile(text, `z${passphrase}`)).rejects.toThrow(wrongPassphrase)
    }
    const long = await sealSignerFile(seed, 'y'.repeat(40), { salt: new Uint8Array(0), nonce })
    expect((await openSignerFile(long, 'y'.repeat(32))).seed).toEqual(seed)
    await expect(openSignerFile(long, '')).rejects.toThrow(wrongPassphrase)
  })

  test('with a public key of another key is refused', async () => {
    const text = await sealSignerFile(seed, 'p', { salt, nonce })
    const other = toBase64(ed25519PublicKey(new Uint8Array(32)))
    await expect(openSignerFile(withField(text, 'pub_key', other), 'p')).rejects.toThrow(corrupt)
  })

  test('with changed ciphertext, nonce or salt does not open', async () => {
    const text = await sealSignerFile(seed, 'p', { salt, nonce })
    for (const name of ['priv_key_encrypted', 'nonce', 'salt']) {
      const changed = fieldOf(text, name).map((byte, i) => (i === 3 ? byte ^ 1 : byte))
      await expect(openSignerFile(withField(text, name, toBase64(changed)), 'p')).rejects.toThrow(
        wrongPassphrase,
      )
    }
  })

  test('that is cut short or not what it should be is called corrupt, without quoting it', async () => {
    const text = await sealSignerFile(seed, 'p', { salt, nonce })
    const broken = [
      '',
      'null',
      '7',
      '{}',
      text.slice(0, 50),
      withField(text, 'priv_key_encrypted', 'AAAA'),
      withField(text, 'priv_key_encrypted', 5),
      withField(text, 'nonce', 'not base64'),
      withField(text, 'pub_key', null),
      withField(text, 'salt', 'AAAA'),
    ]
    for (const one of broken) await expect(openSignerFile(one, 'p')).rejects.toThrow(corrupt)
    await expect(openSignerFile(text.slice(0, 50), 'p')).rejects.not.toThrow(text.slice(10, 40))
  })
})

test('the key of a passphrase is the same with and without Node’s own Argon2', async () => {
  expect(await deriveKey(utf8('p'), salt, 'none')).toEqual(await deriveKey(utf8('p'), salt))
})
