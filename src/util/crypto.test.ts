import { readFileSync } from 'node:fs'
import { ed25519 } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as browser from './crypto.browser.ts'
import * as node from './crypto.node.ts'
import { concatBytes, fromHex, toHex, utf8 } from './bytes.ts'

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

const { Point } = ed25519
const ORDER = Point.Fn.ORDER

function scalarBytes(scalar: bigint): Uint8Array {
  return fromHex(scalar.toString(16).padStart(64, '0'))?.toReversed() ?? new Uint8Array(0)
}

function scalarOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${toHex(bytes.toReversed())}`)
}

/** A signature with the given point, by the key of `seed` but made for the public key as given. */
function craft(
  seed: Uint8Array,
  publicKey: Uint8Array,
  point: Uint8Array,
  nonce: bigint,
  message: Uint8Array,
): Uint8Array {
  const secret = scalarOf(ed25519.utils.getExtendedPublicKey(seed).head) % ORDER
  const challenge = scalarOf(sha512(concatBytes(point, publicKey, message))) % ORDER
  return concatBytes(point, scalarBytes((nonce + challenge * secret) % ORDER))
}

describe('crypto of browsers and of Node', () => {
  test('agree on hashes, of bytes in one piece or many', () => {
    const property = fc.property(fc.array(fc.uint8Array({ size: 'medium' }), { maxLength: 4 }), (parts) => {
      const whole = Uint8Array.from(parts.flatMap((part) => [...part]))
      const expected = node.sha256(whole)
      expect(expected.length).toBe(32)
      expect(browser.sha256(whole)).toEqual(expected)
      const name = String.fromCharCode(...expected)
      expect([node.sha256Name(whole), browser.sha256Name(whole)]).toEqual([name, name])
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

  test('agree on signatures with any bit changed', () => {
    const property = fc.property(fc.nat({ max: 767 }), (bit) => {
      const bytes = concatBytes(signature, key)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const [wrong, wrongKey] = [bytes.subarray(0, 64), bytes.subarray(64)]
      expect(node.verifyEd25519(wrongKey, message, wrong)).toBe(false)
      expect(browser.verifyEd25519(wrongKey, message, wrong)).toBe(false)
    })
    fc.assert(property, { numRuns: 60 })
  })

  const [first] = signatures()
  if (first === undefined) throw new Error('no signatures')
  const { seed, message, signature } = first
  const key = node.ed25519PublicKey(seed)
  const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
  const neutral = Point.ZERO.toBytes()
  const nonce = 12345678901234567890n
  const point = Point.BASE.multiply(nonce)
  const mixedKey = Point.fromBytes(key).add(torsion).toBytes()
  // y = p + 1: the neutral element again, not in its canonical form.
  const neutralAgain = fromHex(`ee${'ff'.repeat(30)}7f`) ?? new Uint8Array(0)
  const zero = new Uint8Array(32)

  // What Go's crypto/ed25519 says of each, tried there.
  test.each([
    ['a signature made here', true, key, craft(seed, key, point.toBytes(), nonce, message)],
    ['the neutral element as its point', true, key, craft(seed, key, neutral, 0n, message)],
    ['the neutral element as point and key', true, neutral, concatBytes(neutral, zero)],
    ['the neutral element as key, in another form', true, neutralAgain, concatBytes(neutral, zero)],
    [
      'the neutral element as point, in another form',
      false,
      key,
      craft(seed, key, neutralAgain, 0n, message),
    ],
    [
      'low order added to its point',
      false,
      key,
      craft(seed, key, point.add(torsion).toBytes(), nonce, message),
    ],
    ['low order added to its key', false, mixedKey, craft(seed, mixedKey, point.toBytes(), nonce, message)],
    [
      'a number that is not reduced',
      false,
      key,
      concatBytes(signature.subarray(0, 32), scalarBytes(scalarOf(signature.subarray(32)) + ORDER)),
    ],
    ['a short signature', false, key, signature.subarray(1)],
    ['no signature', false, key, new Uint8Array(0)],
    ['a short key', false, key.subarray(1), signature],
    ['another key', false, node.ed25519PublicKey(zero), signature],
    ['a key that is no point', false, new Uint8Array(32).fill(2), signature],
  ])('agree on %s: %s', (_what, good, publicKey, odd) => {
    expect(node.verifyEd25519(publicKey, message, odd)).toBe(good)
    expect(browser.verifyEd25519(publicKey, message, odd)).toBe(good)
  })

  test('agree to refuse another message', () => {
    expect(node.verifyEd25519(key, message.subarray(1), signature)).toBe(false)
    expect(browser.verifyEd25519(key, message.subarray(1), signature)).toBe(false)
  })
})
