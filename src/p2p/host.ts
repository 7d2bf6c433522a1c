/*
 * The libp2p host of a node: who it is connected to, and the Network port over those connections.
 */
import type { Connection, Libp2p, PeerId as LibraryPeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { type Multiaddr, multiaddr } from '@multiformats/multiaddr'
import type { Env } from '../core/env.ts'
import { type Service, startAll, stopAll } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Network, PeerEvents, PeerId } from '../core/network.ts'
import { gossipTopic } from '../types/names.ts'
import { createSerial } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { parseListenAddress, parsePeerAddress, parsePeerId } from './addresses.ts'
import { createDiscovery } from './discovery.ts'
import { createGate } from './gate.ts'
import { createGossip, type Gossip } from './gossip.ts'
import { type NodeKey, peerIdOf } from './identity.ts'
import { DHT_PROTOCOL, type LibraryOptions, type LibraryServices } from './library.ts'
import { createLiveness, type Watched } from './liveness.ts'
import { pingOver } from './ping.ts'
import { createSeeds, type RedialDelays } from './seeds.ts'
import { createServing, type Serving } from './serving.ts'
import { asError, LIBRARY_STREAM_LIMIT, requestOver } from './streams.ts'

/** How a host is reached and whom it knows. */
export interface HostOptions {
  readonly nodeKey: NodeKey
  /** Gives the gossip topics that may be joined, and the place in the DHT where the peers of a chain meet. */
  readonly chainId: string
  /** Multiaddresses to listen on; none for a host that only dials. */
  readonly listen: readonly string[]
  /** Multiaddresses with peer ids of the peers that are kept connected. Our own is passed over. */
  readonly peers: readonly string[]
  /** Ids of peers that may not connect. */
  readonly blockedPeers?: readonly string[]
  /** Ids of peers that may always connect: blocks, bans and the limit of connections do not hold for them. */
  readonly allowedPeers?: readonly string[]
  /** Whether to look for peers in the DHT, and to serve it. Default true. */
  readonly discovery?: boolean
  /** Connections in all. Default 100. */
  readonly maxConnections?: number
  /** Connections of these that are kept free for configured and allowed peers. Default 4. */
  readonly reservedConnections?: number
  /** New inbound connections of one host in a second. Default 5, and no limit for this machine itself. */
  readonly inboundPerSecond?: number
  /** Pauses between attempts to connect to a configured peer. Default 1 s, doubling up to 30 s. */
  readonly redial?: RedialDelays
  /** Milliseconds between pings of configured peers; two unanswered close the connection. Default 5,000. */
  readonly pingInterval?: number
  /** Whether libp2p's own log goes to our logger's debug level. It is slow. Default false. */
  readonly libraryLog?: boolean
}

/** An open connection. */
export interface ConnectionInfo {
  readonly peer: PeerId
  /** The peer's multiaddress, with its id. */
  readonly address: string
  /** `outbound` when we dialled. */
  readonly direction: 'inbound' | 'outbound'
  /** Unix nanoseconds. */
  readonly openedAt: bigint
  /** Protocol of the encryption: `/tls/1.0.0` or `/noise`. */
  readonly encryption: string | undefined
}

/** A libp2p host. Before start and after stop, what needs connections throws `NOT_STARTED`. */
export interface Host extends Service, Network {
  /** Multiaddresses it can be reached at, each with its peer id; none while it does not run. */
  addresses(): string[]
  connections(): ConnectionInfo[]
  /** Connects to a multiaddress with a peer id. Rejects with `INVALID_PEER_ADDRESS` or `PEER_UNREACHABLE`. */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<PeerId>
}

/** What a host is given. */
export interface HostDeps {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Milliseconds within which a gossip stream that ended may come back before its connection is given up. */
const STREAM_BACK_WITHIN = 1_000

/** Value of the mark by which libp2p closes configured peers last when there are too many connections. */
const CONFIGURED_VALUE = 1_000

/** What runs between start and stop. */
interface Running {
  readonly library: Libp2p<LibraryServices>
  readonly gossip: Gossip
  readonly parts: readonly Service[]
  readonly detach: () => void
}

function direct(connection: Connection): boolean {
  return connection.status === 'open' && connection.direct && connection.limits === undefined
}

async function hangUp(connection: Connection, reason: string): Promise<void> {
  try {
    await connection.close()
  } catch {
    connection.abort(new Error(reason))
  }
}

function byPeer(texts: readonly string[], own: PeerId): Map<PeerId, Multiaddr[]> {
  const peers = new Map<PeerId, Multiaddr[]>()
  for (const text of texts) {
    const { peer, address } = parsePeerAddress(text)
    if (peer === own) continue
    peers.set(peer, [...(peers.get(peer) ?? []), address])
  }
  return peers
}

/**
 * Makes a {@link Host} over a libp2p node that `build` makes for the platform. Throws `INVALID_PEER_ADDRESS`,
 * `INVALID_PEER_ID` or `INVALID_LISTEN_ADDRESS` for options that cannot be read.
 */
export function createHostOver(
  build: (options: LibraryOptions) => Promise<Libp2p<LibraryServices>>,
  { env, logger, metrics }: HostDeps,
  options: HostOptions,
): Host {
  const { chainId, discovery: discovering = true, maxConnections = 100, reservedConnections = 4 } = options
  const id = peerIdOf(options.nodeKey)
  const configured = byPeer(options.peers, id)
  const allowed = new Set((options.allowedPeers ?? []).map(parsePeerId))
  const listen = options.listen.map((text) => parseListenAddress(text).toString())
  const topics = [gossipTopic(chainId, 'headerSync'), gossipTopic(chainId, 'dataSync')]

  const serial = createSerial()
  const watchers = new Set<PeerEvents>()
  const present = new Set<PeerId>()
  const serving = new Map<string, Serving>()
  let running: Running | undefined

  const gate = createGate(
    { env, connected: () => (running?.library.getConnections() ?? []).map((one) => one.remotePeer.toString()) },
    {
      blocked: new Set((options.blockedPeers ?? []).map(parsePeerId)),
      privileged: allowed.union(new Set(configured.keys())),
      maxConnections,
      reserved: reservedConnections,
      inboundPerSecond: options.inboundPerSecond,
    },
  )

  const started = (): Running => {
    if (running === undefined) throw new EvolveError('NOT_STARTED', 'the host is not running')
    return running
  }
  const connectionsOf = (peer: PeerId): Connection[] =>
    running === undefined ? [] : running.library.getConnections(peerIdFromString(peer)).filter(direct)

  function tell(peer: PeerId, what: keyof PeerEvents): void {
    metrics.gauge('p2p_peers', present.size)
    for (const watcher of watchers) {
      try {
        watcher[what](peer)
      } catch (error) {
        logger.error('peer watcher failed', { peer, error })
      }
    }
  }

  async function connect(
    library: Libp2p<LibraryServices>,
    peer: PeerId,
    addresses: readonly Multiaddr[],
    { signal }: { readonly signal?: AbortSignal },
  ): Promise<void> {
    const target = addresses.length === 0 ? peerIdFromString(peer) : withPeer(addresses, peer)
    await library.dial(target, signal === undefined ? {} : { signal })
  }

  /** A peer that no longer takes our gossip is let go, so that both sides start afresh. */
  function gossipStreamLost(peer: PeerId, isBack: () => boolean): void {
    env.timer(
      STREAM_BACK_WITHIN,
      () => {
        if (isBack()) return
        for (const connection of connectionsOf(peer)) {
          logger.debug('dropping a peer whose gossip stream ended', { peer })
          connection.abort(new Error('the gossip stream ended'))
        }
      },
      { background: true },
    )
  }

  function watched(library: Libp2p<LibraryServices>): Watched[] {
    return library
      .getConnections()
      .filter(direct)
      .map((connection) => ({
        id: connection.id,
        configured: configured.has(connection.remotePeer.toString()),
        ping: async (within) => {
          const bytes = Uint8Array.from({ length: 32 }, () => Math.floor(env.random() * 256))
          await pingOver(connection, bytes, within)
        },
        drop: (reason) => {
          logger.warn('connection is dead', { peer: connection.remotePeer.toString(), reason })
          connection.abort(new Error(reason))
        },
      }))
  }
}
