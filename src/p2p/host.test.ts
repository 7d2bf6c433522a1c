import { execFile } from 'node:child_process'
import { createServer, Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { IdentifyResult } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { afterEach, describe, expect, test, vi } from 'vitest'
import {
  addressOf,
  connect,
  dialFrom,
  type RawPeer,
  startRawPeer,
  testHosts,
  until,
  untilPeer,
} from '../../test/support/hosts.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { systemEnv } from '../core/env.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { isEvolveError } from '../util/errors.ts'
import { createHostOver } from './host.ts'
import { createLibrary, DHT_PROTOCOL } from './library.ts'
import { generateNodeKey, peerIdOf } from './identity.ts'
import { pingOver } from './ping.ts'

const hosts = testHosts()
const rawPeers: RawPeer[] = []
afterEach(async () => {
  await Promise.all(rawPeers.splice(0).map(async (peer) => await peer.stop()))
  await hosts.stop()
})

const { signal } = new AbortController()
const newKey = () => generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length)))

async function raw(encryption?: 'noise' | 'tls'): Promise<RawPeer> {
  const peer = await startRawPeer(encryption)
  rawPeers.push(peer)
  return peer
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (isEvolveError(error)) return error.code
    throw error
  }
  return 'none'
}

/** Whether a raw peer gets into a host and stays. */
async function isLetIn(from: RawPeer, host: Parameters<typeof addressOf>[0]): Promise<boolean> {
  try {
    const connection = await from.dial(multiaddr(addressOf(host)))
    // The other side decides after its part of the handshake; whoever may ping it is in.
    await pingOver(connection, new Uint8Array(32), { signal })
    return true
  } catch {
    return false
  }
}

describe('a host', () => {
  test('has the id of its key and tells its addresses while it runs', async () => {
    const nodeKey = newKey()
    const host = hosts.make({ nodeKey })
    expect(host.id).toBe(peerIdOf(nodeKey))
    expect(host.addresses()).toEqual([])
    await host.start()
    expect(addressOf(host)).toMatch(new RegExp(`^/ip4/127\\.0\\.0\\.1/tcp/\\d+/p2p/${host.id}$`))
    await host.stop()
    expect(host.addresses()).toEqual([])
  })

  test('starts and stops twice and in any order', async () => {
    const host = hosts.make()
    await host.stop()
    await Promise.all([host.start(), host.start()])
    await Promise.all([host.stop(), host.stop()])
    await host.start()
    const other = await hosts.start()
    await connect(host, other)
    await host.stop()
    expect([host.peers(), host.connections()]).toEqual([[], []])
    await untilPeer(other, host.id, false)
  })

  test('that does not run says so', async () => {
    const host = hosts.make()
    const limits = { maxRequestBytes: 1, readTimeout: 1, writeTimeout: 1, maxStreamsPerPeer: 1 }
    const calls = [
      host.dial(`/ip4/127.0.0.1/tcp/1/p2p/${host.id}`),
      host.join('/topic', async () => 'accept'),
      host.serve('/protocol', limits, async function* () {}),
      host.request(host.id, '/protocol', new Uint8Array(0), { signal, onData() {} }),
    ]
    expect(await Promise.all(calls.map(codeOf))).toEqual(Array(4).fill('NOT_STARTED'))
  })

  test('cannot start where somebody listens, and can be started when they are gone', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const host = hosts.make({ listen: [`/ip4/127.0.0.1/tcp/${port}`] })
    expect(await codeOf(host.start())).toBe('ADDRESS_IN_USE')
    await new Promise((resolve) => server.close(resolve))
    await host.start()
    expect(addressOf(host)).toContain(`/tcp/${port}/`)
  })

  test('does not start when its signal says so', async () => {
    const host = hosts.make()
    const reason = new Error('not now')
    await expect(host.start({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await host.start()
  })

  test('refuses options it cannot read, by name', () => {
    expect(() => hosts.make({ peers: ['/ip4/1.2.3.4/tcp/1'] })).toThrow(
      expect.objectContaining({ code: 'INVALID_PEER_ADDRESS' }),
    )
    expect(() => hosts.make({ blockedPeers: ['x'] })).toThrow(
      expect.objectContaining({ code: 'INVALID_PEER_ID' }),
    )
    expect(() => hosts.make({ listen: ['x'] })).toThrow(
      expect.objectContaining({ code: 'INVALID_LISTEN_ADDRESS' }),
    )
  })

  test('tells who comes and goes, and how they are connected', async () => {
    const [a, b] = [await hosts.start(), await hosts.start()]
    const events: string[] = []
    const unwatch = b.watchPeers({
      connected: (peer) => events.push(`+${peer}`),
      disconnected: (peer) => events.push(`-${peer}`),
    })
    expect(await a.dial(addressOf(b))).toBe(b.id)
    await untilPeer(b, a.id)
    expect(a.connections()).toMatchObject([
      { peer: b.id, address: addressOf(b), direction: 'outbound', encryption: '/tls/1.0.0' },
    ])
    expect(b.connections()).toMatchObject([{ peer: a.id, direction: 'inbound' }])
    await a.stop()
    await untilPeer(b, a.id, false)
    expect(events).toEqual([`+${a.id}`, `-${a.id}`])
    unwatch()
    await a.start()
    await connect(a, b)
    expect(events).toHaveLength(2)
  })

  test('speaks TLS and Noise', async () => {
    const host = await hosts.start()
    for (const encryption of ['tls', 'noise'] as const) {
      const peer = await raw(encryption)
      const connection = await dialFrom(peer, host)
      expect(connection.encryption).toContain(encryption)
    }
  })

  test('lets what it sends in one turn leave together', async () => {
    const [corks, uncorks] = [vi.spyOn(Socket.prototype, 'cork'), vi.spyOn(Socket.prototype, 'uncork')]
    try {
      const host = await hosts.start()
      await dialFrom(await raw('noise'), host)
      await until(() => corks.mock.calls.length === uncorks.mock.calls.length)
      expect(corks.mock.calls.length).toBeGreaterThan(0)
    } finally {
      vi.restoreAllMocks()
    }
  })

  test('passes the log of libp2p on only when it is asked to', async () => {
    const lines: string[] = []
    const logger: Logger = {
      ...noopLogger,
      debug: (message) => void lines.push(message),
      child: () => logger,
    }
    await hosts.start({}, { logger })
    expect(lines.filter((line) => line.startsWith('libp2p'))).toEqual([])
    await hosts.start({ libraryLog: true }, { logger })
    expect(lines).toContain('libp2p')
  })

  test('cannot dial what is not there', async () => {
    const [host, gone] = [await hosts.start(), await hosts.start()]
    const address = addressOf(gone)
    await gone.stop()
    expect(await codeOf(host.dial(address))).toBe('PEER_UNREACHABLE')
    expect(await codeOf(host.dial('/ip4/127.0.0.1/tcp/1'))).toBe('INVALID_PEER_ADDRESS')
    expect(await codeOf(host.dial(addressOf(host)))).toBe('PEER_UNREACHABLE')
  })
})

describe('configured peers', () => {
  test('are connected at start, told apart, and our own address among them is passed over', async () => {
    const nodeKey = newKey()
    const [a, b] = [await hosts.start(), await hosts.start()]
    const host = await hosts.start({
      nodeKey,
      peers: [addressOf(a), `/ip4/127.0.0.1/tcp/1/p2p/${peerIdOf(nodeKey)}`],
    })
    await untilPeer(host, a.id)
    await connect(b, host)
    expect([a.id, b.id, host.id].map((id) => host.isConfigured(id))).toEqual([true, false, false])
  })

  test('are connected again when they come back on the same port', async () => {
    const virtual = createVirtualEnv()
    const nodeKey = newKey()
    const seed = await hosts.start({ nodeKey })
    const address = addressOf(seed)
    const host = await hosts.start({ peers: [address] }, { env: virtual.env })
    await untilPeer(host, seed.id)
    await seed.stop()
    await untilPeer(host, seed.id, false)
    await virtual.advance(1_500)
    await hosts.start({ nodeKey, listen: [address.replace(/\/p2p\/.*/, '')] })
    await until(async () => {
      await virtual.advance(500)
      return host.peers().includes(seed.id)
    })
    expect(host.connections()).toMatchObject([{ peer: seed.id, direction: 'outbound' }])
  })

  test('cannot be banned, only disconnected, and come back', async () => {
    const virtual = createVirtualEnv()
    const seed = await hosts.start()
    const host = await hosts.start({ peers: [addressOf(seed)] }, { env: virtual.env })
    await untilPeer(host, seed.id)
    await host.ban(seed.id, 60_000, 'test')
    await untilPeer(host, seed.id, false)
    await until(async () => {
      await virtual.advance(500)
      return host.peers().includes(seed.id)
    })
    expect(host.connections()).toMatchObject([{ peer: seed.id, direction: 'outbound' }])
  })

  test('are marked, so that libp2p closes them last', async () => {
    const failures: string[] = []
    const logger: Logger = {
      ...noopLogger,
      debug: (message) => void (message === 'configured peer not marked' && failures.push(message)),
    }
    const seed = await hosts.start()
    let marks = async (): Promise<string[]> => []
    const host = createHostOver(
      async (options) => {
        const library = await createLibrary({ transports: [tcp()], connectionEncrypters: [tls()] }, options)
        marks = async () => [...(await library.peerStore.get(peerIdFromString(seed.id))).tags.keys()]
        return library
      },
      { env: systemEnv, logger, metrics: noopMetrics },
      { nodeKey: newKey(), chainId: 'p2p-test', listen: [], peers: [addressOf(seed)], discovery: false },
    )
    await host.start()
    try {
      await untilPeer(host, seed.id)
      await until(async () => failures.length > 0 || (await marks()).includes('evolve-configured'))
      expect(failures).toEqual([])
    } finally {
      await host.stop()
    }
  })

  test('find a place when all that others may have are taken', async () => {
    const key = newKey()
    const host = await hosts.start({
      maxConnections: 4,
      reservedConnections: 2,
      peers: [`/ip4/127.0.0.1/tcp/1/p2p/${peerIdOf(key)}`],
    })
    expect([await isLetIn(await raw(), host), await isLetIn(await raw(), host)]).toEqual([true, true])
    expect(await isLetIn(await raw(), host)).toBe(false)
    const friend = await hosts.start({ nodeKey: key })
    await connect(friend, host)
    expect(host.peers()).toHaveLength(3)
  })
})

describe('peers that are not wanted', () => {
  test('are refused when blocked, in both directions', async () => {
    const peer = await hosts.start()
    const host = await hosts.start({ blockedPeers: [peer.id] })
    expect(await codeOf(host.dial(addressOf(peer)))).toBe('PEER_UNREACHABLE')
    const stranger = await raw()
    const blocking = await hosts.start({ blockedPeers: [stranger.peerId.toString()] })
    expect(await isLetIn(stranger, blocking)).toBe(false)
    expect(await isLetIn(stranger, host)).toBe(true)
  })

  test('are let in when they are allowed too', async () => {
    const stranger = await raw()
    const id = stranger.peerId.toString()
    const host = await hosts.start({ blockedPeers: [id], allowedPeers: [id] })
    expect(await isLetIn(stranger, host)).toBe(true)
  })

  test('are disconnected and refused while they are banned', async () => {
    const virtual = createVirtualEnv()
    const host = await hosts.start({}, { env: virtual.env })
    const peer = await raw()
    await dialFrom(peer, host)
    const id = peer.peerId.toString()
    await host.ban(id, 60_000, 'test')
    await untilPeer(host, id, false)
    await until(() => peer.getConnections().length === 0)
    expect(await isLetIn(peer, host)).toBe(false)
    await virtual.advance(60_000)
    expect(await isLetIn(peer, host)).toBe(true)
  })

  test('are refused when one machine opens too many connections at once', async () => {
    const virtual = createVirtualEnv()
    const host = await hosts.start({ inboundPerSecond: 3 }, { env: virtual.env })
    const tries: boolean[] = []
    for (let index = 0; index < 5; index++) tries.push(await isLetIn(await raw(), host))
    expect(tries).toEqual([true, true, true, false, false])
    await virtual.advance(1_000)
    expect(await isLetIn(await raw(), host)).toBe(true)
  })

  test('cannot take more than a few connections each', async () => {
    const host = await hosts.start()
    const peer = await raw()
    for (let index = 0; index < 6; index++) {
      try {
        await peer.dial(multiaddr(addressOf(host)), { force: true })
      } catch {
        // Refused, as it should be.
      }
    }
    expect(host.connections().length).toBeLessThanOrEqual(4)
  })
})

describe('the DHT', () => {
  test('brings three hosts together that know one of them only', async () => {
    const virtual = createVirtualEnv()
    const deps = { env: virtual.env }
    const seed = await hosts.start({ discovery: true }, deps)
    const options = { discovery: true, peers: [addressOf(seed)] }
    const [a, b] = [await hosts.start(options, deps), await hosts.start(options, deps)]
    await untilPeer(a, seed.id)
    await untilPeer(b, seed.id)
    await until(async () => {
      await virtual.advance(10_000)
      return a.peers().includes(b.id) && b.peers().includes(a.id)
    })
    expect(seed.peers()).toHaveLength(2)
  })

  test('is not served by a host without discovery', async () => {
    const [without, withDht] = [await hosts.start(), await hosts.start({ discovery: true })]
    const peer = await raw()
    const speaks = new Map<string, boolean>()
    peer.addEventListener('peer:identify', ({ detail }: CustomEvent<IdentifyResult>) =>
      speaks.set(detail.peerId.toString(), detail.protocols.includes(DHT_PROTOCOL)),
    )
    for (const host of [without, withDht]) await dialFrom(peer, host)
    await until(() => speaks.size === 2)
    expect([without, withDht].map(({ id }) => speaks.get(id))).toEqual([false, true])
  })
})

test('a stopped host lets its process end', async () => {
  const script = fileURLToPath(new URL('../../test/support/host-run.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=evolve-source', script], {
    timeout: 15_000,
  })
  expect(stdout.trim()).toBe('stopped')
})
