import { describe, expect, test } from 'vitest'
import {
  checkDaAddress,
  checkJsonObject,
  checkHostPort,
  checkListenAddress,
  checkPeerAddress,
  checkPeerId,
} from './addresses.ts'

const ED25519 = '12D3KooWM1NYkRUKHGF5aQgPcqXbcZzUsEcqBMFSFhMPGKnXKSLH'
const RSA = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'
const AS_CID = 'bafzbeie5745rpv2m6tjyuugywy4d5ewrqgqqhfnf445he3omzpjbx5xqxe'

describe('addresses', () => {
  test.each([ED25519, RSA, AS_CID])('%s is a peer id', (id) => {
    expect(checkPeerId(id)).toBeUndefined()
    expect(checkPeerAddress(`/dns4/node.example/tcp/7676/p2p/${id}`)).toBeUndefined()
  })

  test.each(['', 'bob', '1', ED25519.slice(0, -1), `${ED25519}x`, ED25519.replace('W', '0'), 'QmQm'])(
    '%j is not',
    (id) => {
      expect(checkPeerId(id)).toContain('expected peer ids')
      expect(checkPeerAddress(`/ip4/1.2.3.4/tcp/7676/p2p/${id}`)).toContain('expected multiaddresses')
    },
  )

  test.each(['', '1.2.3.4:7676', '/ip4/1.2.3.4/tcp/7676', `/p2p/${ED25519}`, '/ip4/1.2.3.256/tcp/1', '/x/y'])(
    '%j is no peer address',
    (address) => {
      expect(checkPeerAddress(address)).toContain('expected multiaddresses')
    },
  )

  test.each(['/ip4/0.0.0.0/tcp/7676', '/ip6/::/tcp/0', '/ip4/0.0.0.0/tcp/80/ws', '/dns4/a.b/tcp/1'])(
    '%s can be listened on',
    (address) => {
      expect(checkListenAddress(address)).toBeUndefined()
    },
  )

  test.each(['', '0.0.0.0:7676', '/ip4/0.0.0.0', '/ip4/0.0.0.0/tcp/70000', '/tcp'])(
    '%j cannot',
    (address) => {
      expect(checkListenAddress(address)).toContain('expected a multiaddress')
    },
  )

  test.each([':26660', '127.0.0.1:0', 'localhost:7331', '[::1]:7331', 'node.example:65535'])(
    '%s is host:port',
    (address) => {
      expect(checkHostPort(address)).toBeUndefined()
    },
  )

  test.each(['', '7331', 'localhost', 'localhost:', '::1:7331', 'http://x:1', 'a:65536', 'a b:1'])(
    '%j is not',
    (address) => {
      expect(checkHostPort(address)).toContain('expected host:port')
    },
  )
})

describe('a DA address', () => {
  test.each([
    '',
    '  ',
    'http://localhost:7980',
    'https://da.example/rpc',
    'ws://[::1]:7980',
    'localhost:7980',
  ])('may be %j', (text) => {
    expect(checkDaAddress(text)).toBeUndefined()
  })

  test.each(['localhost', 'ftp://localhost:7980', 'http://', 'http//localhost'])('may not be %j', (text) => {
    expect(checkDaAddress(text)).toContain('http://localhost:7980')
  })
})

describe('a JSON object', () => {
  test.each(['', ' ', '{}', '{"gas_price": 0.01, "key_name": "a"}'])('may be %j', (text) => {
    expect(checkJsonObject(text)).toBeUndefined()
  })

  test.each(['-', '[]', 'null', '7', '"a"', '{"a":'])('may not be %j', (text) => {
    expect(checkJsonObject(text)).toContain('JSON object')
  })
})
