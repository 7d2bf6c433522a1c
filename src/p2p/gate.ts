import type { ConnectionGater, MultiaddrConnection, PeerId as LibraryPeerId } from '@libp2p/interface'
import type { Env } from '../core/env.ts'
import type { PeerId } from '../core/network.ts'
import { LruCache } from '../util/lru.ts'
import { hostOf, isLoopback } from './addresses.ts'

/** Bans that are remembered at once; the oldest are forgotten first. */
const MAX_BANS = 10_000

/** Connections one peer may have: two when both dial at once, and a new one beside a dying one. */
const MAX_CONNECTIONS_PER_PEER = 4

/** Who may connect. */
export interface GateOptions {
  /** Never let in. */
  readonly blocked: ReadonlySet<PeerId>
  /** Always let in: neither blocked nor banned, and counted among the reserved connections. */
  readonly privileged: ReadonlySet<PeerId>
  /** Connections in all. */
  readonly maxConnections: number
  /** Connections of `maxConnections` that are kept free for privileged peers. */
  readonly reserved: number
  /** New inbound connections of one host in a second. Undefined: 5, and no limit for this machine itself. */
  readonly inboundPerSecond: number | undefined
}

/** Decides over connections. */
export interface Gate {
  /** What libp2p asks. */
  readonly gater: ConnectionGater
  /** Refuses a peer for `ms` milliseconds; false for privileged peers, which cannot be banned. */
  ban(peer: PeerId, ms: number): boolean
  refuses(peer: PeerId): boolean
}

/** Makes a {@link Gate}. `connected` lists the peer of each open connection. */
export function createGate(
  { env, connected }: { readonly env: Env; readonly connected: () => readonly PeerId[] },
  { blocked, privileged, maxConnections, reserved, inboundPerSecond }: GateOptions,
): Gate {
  const bans = new LruCache<PeerId, number>(MAX_BANS)
  let second = 0
  const arrivals = new Map<string, number>()

  const refuses = (peer: PeerId): boolean => {
    if (privileged.has(peer)) return false
    if (blocked.has(peer)) return true
    const until = bans.get(peer)
    if (until === undefined) return false
    if (env.monotonic() < until) return true
    bans.delete(peer)
    return false
  }

  const tooFast = (connection: MultiaddrConnection): boolean => {
    const host = hostOf(connection.remoteAddr)
    if (host === undefined) return false
    const limit = inboundPerSecond ?? (isLoopback(host) ? Number.POSITIVE_INFINITY : 5)
    const now = Math.floor(env.monotonic() / 1000)
    if (now !== second) {
      second = now
      arrivals.clear()
    }
    const count = (arrivals.get(host) ?? 0) + 1
    arrivals.set(host, count)
    return count > limit
  }

  const isFull = (peer: PeerId): boolean => {
    const peers = connected()
    if (peers.filter((other) => other === peer).length >= MAX_CONNECTIONS_PER_PEER) return true
    if (privileged.has(peer)) return false
    return peers.filter((other) => !privileged.has(other)).length >= maxConnections - reserved
  }

  const text = (peer: LibraryPeerId): PeerId => peer.toString()
  return {
    gater: {
      denyDialPeer: (peer) => refuses(text(peer)),
      denyDialMultiaddr: () => false,
      denyInboundConnection: tooFast,
      denyInboundEncryptedConnection: (peer) => refuses(text(peer)) || isFull(text(peer)),
      denyOutboundEncryptedConnection: (peer) => refuses(text(peer)),
    },
    ban(peer, ms) {
      if (privileged.has(peer)) return false
      bans.set(peer, env.monotonic() + ms)
      return true
    },
    refuses,
  }
}
