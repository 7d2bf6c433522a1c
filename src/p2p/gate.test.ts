import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { hostOf, isLoopback, parseListenAddress, parsePeerAddress, parsePeerId } from './addresses.ts'
import { createGate } from './gate.ts'

const ids = [
  '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
  '12D3KooWHdiAxVd8uMQR1hGWXccidmfCwLqcMpGwR6QcTP6QRMuD',
  '12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq',
] as const
const [a, b, c] = ids

function setUp(options: Partial<Parameters<typeof createGate>[1]> = {}) {
  const virtual = createVirtualEnv()
  const connected: string[] = []
  const gate = createGate(
    { env: virtual.env, connected: () => connected },
    {
      blocked: new Set(),
      privileged: new Set(),
      maxConnections: 8,
      reserved: 2,
      inboundPerSecond: undefined,
      ...options,
    },
  )
  return { virtual, gate, connected }
}

describe('the gate', () => {
  test('refuses blocked peers, unless they are allowed', () => {
    const { gate } = setUp({ blocked: new Set([a, b]), privileged: new Set([b]) })
    expect(ids.map((id) => gate.refuses(id))).toEqual([true, false, false])
  })

  test('refuses banned peers until the ban is over, and cannot ban privileged ones', async () => {
    const { gate, virtual } = setUp({ privileged: new Set([b]) })
    expect(gate.ban(a, 30_000)).toBe(true)
    expect(gate.ban(b, 30_000)).toBe(false)
    expect(ids.map((id) => gate.refuses(id))).toEqual([true, false, false])
    await virtual.advance(29_999)
    expect(gate.refuses(a)).toBe(true)
    await virtual.advance(1)
    expect(gate.refuses(a)).toBe(false)
    expect(gate.refuses(c)).toBe(false)
  })

  test('forgets the oldest of very many bans', () => {
    const { gate } = setUp()
    for (let index = 0; index < 10_001; index++) gate.ban(`peer ${index}`, 1_000)
    expect(gate.refuses('peer 0')).toBe(false)
    expect(gate.refuses('peer 1')).toBe(true)
    expect(gate.refuses('peer 10000')).toBe(true)
  })
})

describe('addresses', () => {
  test('of peers need a place and a peer id', () => {
    for (const place of [
      '/ip4/203.0.113.7/tcp/7676',
      '/ip6/2001:db8::1/tcp/1',
      '/dns4/node.example/tcp/80',
    ]) {
      const text = `${place}/p2p/${a}`
      expect(parsePeerAddress(text)).toMatchObject({ peer: a })
      expect(parsePeerAddress(text).address.toString()).toBe(text)
    }
    const wrong = [
      '',
      'x',
      '203.0.113.7:7676',
      '/ip4/203.0.113.7/tcp/7676',
      `/p2p/${a}`,
      `/ip4/300.0.0.1/tcp/1/p2p/${a}`,
    ]
    for (const text of [...wrong, '/ip4/1.2.3.4/tcp/7676/p2p/xyz', `/ip4/1.2.3.4/tcp/99999/p2p/${a}`]) {
      expect(() => parsePeerAddress(text)).toThrow(
        expect.objectContaining({
          code: 'INVALID_PEER_ADDRESS',
          message: expect.stringContaining(`'${text}'`),
        }),
      )
    }
  })

  test('and ids that cannot be read are named', () => {
    expect(parsePeerId(a)).toBe(a)
    expect(() => parsePeerId('nobody')).toThrow(expect.objectContaining({ code: 'INVALID_PEER_ID' }))
    expect(() => parseListenAddress('0.0.0.0:1')).toThrow(
      expect.objectContaining({ code: 'INVALID_LISTEN_ADDRESS' }),
    )
  })

  test('know their host, and whether it is this machine', () => {
    const host = (text: string) => hostOf(parseListenAddress(text))
    expect(host('/ip4/192.0.2.1/tcp/1')).toBe('192.0.2.1')
    expect(host('/dns/node.example/tcp/1')).toBe('node.example')
    expect(host('/unix/%2Ftmp%2Fsocket')).toBeUndefined()
    expect(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'].map(isLoopback)).not.toContain(false)
    expect(['192.0.2.1', '::2', '227.0.0.1', 'node.example'].map(isLoopback)).not.toContain(true)
  })
})
