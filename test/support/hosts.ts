import { setImmediate as turn } from 'node:timers/promises'
import { type Identify, identify } from '@libp2p/identify'
import type { Connection, Libp2p, PrivateKey, Stream } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { systemEnv } from '../../src/core/env.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { PeerId } from '../../src/core/network.ts'
import { createHost, type Host, type HostDeps, type HostOptions } from '../../src/p2p/host.node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { framed } from '../../src/p2p/streams.ts'
import { deferred } from '../../src/util/async.ts'
import { concatBytes, utf8 } from '../../src/util/bytes.ts'

/** Hosts of one test, stopped together. */
export interface TestHosts {
  /** Makes a host on a free port of 127.0.0.1, without discovery; not started. */
  make(options?: Partial<HostOptions>, deps?: Partial<HostDeps>): Host
  /** Makes a host and starts it. */
  start(options?: Partial<HostOptions>, deps?: Partial<HostDeps>): Promise<Host>
  stop(): Promise<void>
}

/** Makes {@link TestHosts} of one chain. */
export function testHosts(chainId = 'p2p-test'): TestHosts {
  const hosts: Host[] = []
  const make: TestHosts['make'] = (options = {}, deps = {}) => {
    const host = createHost(
      { env: systemEnv, logger: noopLogger, metrics: noopMetrics, ...deps },
      {
        nodeKey: generateNodeKey((length) => crypto.getRandomValues(new Uint8Array(length))),
        chainId,
        listen: ['/ip4/127.0.0.1/tcp/0'],
        peers: [],
        discovery: false,
        ...options,
      },
    )
    hosts.push(host)
    return host
  }
  return {
    make,
    async start(options, deps) {
      const host = make(options, deps)
      await host.start()
      return host
    },
    async stop() {
      await Promise.all(hosts.splice(0).map(async (host) => await host.stop()))
    },
  }
}

/** Lets the event loop turn until `holds` says so. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await turn()
}

/** A libp2p node without any protocol of ours, to speak them by hand. */
export type RawPeer = Libp2p<{ readonly identify: Identify }>

/** Starts a {@link RawPeer} on a free port of 127.0.0.1. Whoever starts it stops it. */
export async function startRawPeer(
  encryption: 'noise' | 'tls' = 'noise',
  privateKey?: PrivateKey,
): Promise<RawPeer> {
  return await createLibp2p({
    ...(privateKey === undefined ? {} : { privateKey }),
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [encryption === 'tls' ? tls() : noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  })
}

/** Connects a raw peer to a host. */
export async function dialFrom(raw: RawPeer, host: Host): Promise<Awaited<ReturnType<RawPeer['dial']>>> {
  const connection = await raw.dial(multiaddr(addressOf(host)))
  await untilPeer(host, raw.peerId.toString())
  return connection
}

/**
 * Opens a stream and sends negotiation, `bytes` and the end of the sending side in one piece, not waiting for any
 * answer, as the Go nodes do.
 */
export async function sendAtOnce(
  connection: Connection,
  protocol: string,
  bytes: Uint8Array,
): Promise<Stream> {
  const muxer: unknown = Reflect.get(connection, 'muxer')
  if (!isMuxer(muxer)) throw new Error('the connection has no muxer')
  const stream = await muxer.createStream()
  const lines = ['/multistream/1.0.0\n', `${protocol}\n`].map((line) => framed(utf8(line)))
  stream.send(concatBytes(...lines, bytes))
  await stream.close()
  return stream
}

function isMuxer(value: unknown): value is { createStream(): Promise<Stream> } {
  return typeof value === 'object' && value !== null && 'createStream' in value
}

/** The one address of a host that listens on one port. */
export function addressOf(host: Host): string {
  const [address] = host.addresses()
  if (address === undefined) throw new Error('the host does not listen')
  return address
}

/** Resolves when `peer` is connected to `host` (or no longer is). */
export async function untilPeer(host: Host, peer: PeerId, there = true): Promise<void> {
  const { promise, resolve } = deferred<void>()
  const check = (): void => {
    if (host.peers().includes(peer) === there) resolve()
  }
  const unwatch = host.watchPeers({ connected: check, disconnected: check })
  check()
  await promise
  unwatch()
}

/** Connects two hosts and waits until both know. */
export async function connect(a: Host, b: Host): Promise<void> {
  await a.dial(addressOf(b))
  await untilPeer(a, b.id)
  await untilPeer(b, a.id)
}
