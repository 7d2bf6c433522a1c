import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as browser from './crypto.browser.ts'
import * as node from './crypto.node.ts'
import { fromHex, toHex, utf8 } from './bytes.ts'

interface Signed {
  readonly seed: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/** Bytes at a path of the golden vectors. */
function signatures(): Signed[] {
  const file: unknown = JSON.parse(
    readFileSync(new URL('../../test/vectors/vectors.json', import.meta.url), 'utf8'),
  )
  const get = (value: unknown, name: string): unknown =>
    typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  const bytes = (value: unknown, name: string): Uint8Array => {
    const text = get(value, name)
    return (typeof text === 'string' ? fromHex(text) : undefined) ?? new Uint8Array(0)
  }
  const cases = get(file, 'signed_headers')
  return (Array.isArray(cases) ? cases : []).map((one: unknown) => ({
    seed: bytes(one, 'private_key_seed'),
    message: bytes(one, 'binary'),
    signature: bytes(one, 'envelope_signature'),
  }))
}

/** The order of the group: adding it to a signature's number gives another one that a lax check takes. */
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

function plusOrder(signature: Uint8Array): Uint8Array {
  const number = BigInt(`0x${toHex(signature.slice(32).toReversed())}`) + ORDER
  const high = fromHex(number.toString(16).padStart(64, '0'))?.toReversed() ?? new Uint8Array(32)
  return Uint8Array.from([...signature.subarray(0, 32), ...high])
}

describe('crypto of browsers and of Node', () => {
  test('agree on hashes, of bytes in one piece or many', () => {
    const property = fc.property(fc.array(fc.uint8Array({ size: 'medium' }), { maxLength: 4 }), (parts) => {
      const whole = Uint8Array.from(parts.flatMap((part) => [...part]))
      const expected = node.sha256(whole)
      expect(expected.length).toBe(32)
      expect(browser.sha256(whole)).toEqual(expected)
      expect(browser.sha256Parts(...parts)).toEqual(expected)
      expect(node.sha256Parts(...parts)).toEqual(expected)
    })
    fc.assert(property)
    expect(toHex(node.sha256(utf8('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })

  test('agree on keys and signatures of the golden vectors', () => {
    const all = signatures()
    expect(all.length).toBeGreaterThan(20)
    for (const { seed, message, signature } of all) {
      for (const crypto of [node, browser]) {
        expect(crypto.signEd25519(seed, message)).toEqual(signature)
        expect(crypto.verifyEd25519(crypto.ed25519PublicKey(seed), message, signature)).toBe(true)
      }
      expect(browser.ed25519PublicKey(seed)).toEqual(node.ed25519PublicKey(seed))
    }
  })

  const [first] = signatures()
  if (first === undefined) throw new Error('no signatures')
  const { seed, message, signature } = first
  const key = node.ed25519PublicKey(seed)
  const flipped = signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte))
  const small = fromHex('01'.padEnd(64, '0')) ?? new Uint8Array(0)

  test.each([
    ['a changed signature', key, message, flipped],
    ['another message', key, message.subarray(1), signature],
    ['a short signature', key, message, signature.subarray(1)],
    ['an empty signature', key, message, new Uint8Array(0)],
    ['a short key', key.subarray(1), message, signature],
    ['another key', node.ed25519PublicKey(new Uint8Array(32)), message, signature],
    ['a key that is no point', new Uint8Array(32).fill(2), message, signature],
    ['a number that is not reduced', key, message, plusOrder(signature)],
  ])('agree to refuse %s', (_what, publicKey, text, wrong) => {
    expect(node.verifyEd25519(publicKey, text, wrong)).toBe(false)
    expect(browser.verifyEd25519(publicKey, text, wrong)).toBe(false)
  })

  test('Node decides odd keys as RFC 8032 without cofactor does', () => {
    // With the neutral element as key and as the point of the signature, number 0 fits every message.
    const neutral = Uint8Array.from([...small, ...new Uint8Array(32)])
    expect(node.verifyEd25519(small, message, neutral)).toBe(true)
  })
})
