import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isEvolveError } from '../util/errors.ts'
import { formatNodeKey, generateNodeKey, parseNodeKey, peerIdOf } from './identity.ts'

const seeded = (byte: number) => generateNodeKey((length) => new Uint8Array(length).fill(byte))
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })

function refusal(text: string): string {
  try {
    parseNodeKey(text)
  } catch (error) {
    if (isEvolveError(error, 'INVALID_NODE_KEY')) return error.message
    throw error
  }
  return 'accepted'
}

describe('a node key', () => {
  test('survives being written and read', () => {
    fc.assert(
      fc.property(bytes32, (seed) => {
        const key = generateNodeKey(() => seed)
        expect(parseNodeKey(formatNodeKey(key))).toEqual(key)
      }),
      { numRuns: 20 },
    )
  })

  test('has the peer id that libp2p gives it', async () => {
    for (const byte of [0, 1, 7, 255]) {
      const libp2p = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(byte))
      expect(peerIdOf(seeded(byte))).toBe(peerIdFromPrivateKey(libp2p).toString())
    }
  })

  test('is one line of JSON with two base64 fields', () => {
    expect(formatNodeKey(seeded(1))).toMatch(
      /^\{"priv_key":"[A-Za-z0-9+/]{86}==","pub_key":"[A-Za-z0-9+/]{43}="\}$/,
    )
  })

  test('cut short anywhere is refused', () => {
    const text = formatNodeKey(seeded(2))
    for (let length = 0; length < text.length; length++)
      expect(refusal(text.slice(0, length)), `${length} characters`).not.toBe('accepted')
  })

  test('whose parts do not belong together is refused', () => {
    const [a, b] = [JSON.parse(formatNodeKey(seeded(3))), JSON.parse(formatNodeKey(seeded(4)))]
    expect(refusal(JSON.stringify({ ...a, pub_key: b.pub_key }))).toContain('pub_key is not the public key')
    const torn = Buffer.concat([
      Buffer.from(a.priv_key, 'base64').subarray(0, 32),
      Buffer.from(b.pub_key, 'base64'),
    ])
    expect(refusal(JSON.stringify({ ...b, priv_key: torn.toString('base64') }))).toContain('halves')
  })

  test('of another shape is refused with what was expected', () => {
    const { pub_key } = JSON.parse(formatNodeKey(seeded(5)))
    expect(refusal('[]')).toContain('priv_key must be base64 text')
    expect(refusal('null')).toContain('JSON object')
    expect(refusal(JSON.stringify({ priv_key: 7, pub_key }))).toContain('found number')
    expect(refusal(JSON.stringify({ priv_key: '***', pub_key }))).toContain('not base64')
    expect(refusal(JSON.stringify({ priv_key: pub_key, pub_key }))).toContain('must be 64 bytes, found 32')
  })

  test('that cannot be read is not quoted', () => {
    const text = formatNodeKey(seeded(6))
    const secret = JSON.parse(text).priv_key.slice(0, 12)
    expect(refusal(`${text}x`)).not.toContain(secret)
    expect(refusal(text.slice(0, -3))).not.toContain(secret)
  })
})
