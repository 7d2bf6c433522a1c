import { expect, test } from 'vitest'
import { signingKeyOf } from './file.node.ts'
import { formatPrivateKey, parsePrivateKey } from './private-key-text.ts'

/** RFC 8032, test 1. */
const text =
  '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a'

test('a key is its seed and its public key in hex, and comes back from it', () => {
  const key = parsePrivateKey(` ${text.toUpperCase()}\n`)
  expect(formatPrivateKey(key)).toBe(text)
  expect(key.address).toEqual(signingKeyOf(key.seed).address)
})

test.each([
  ['', '0 digits'],
  [text.slice(0, 64), '64 digits'],
  [`${text}00`, '130 digits'],
  [`0x${text}`, '130 characters that are not hex'],
  [text.replace('9', '8'), 'not that of the seed'],
  [`${text.slice(0, -1)}b`, 'not that of the seed'],
])('%s is refused and not quoted', (wrong, found) => {
  expect(() => parsePrivateKey(wrong)).toThrow(
    expect.objectContaining({ code: 'INVALID_KEY', message: expect.stringContaining(found) }),
  )
  expect(() => parsePrivateKey(wrong)).not.toThrow(/9d61|8d61/i)
})
