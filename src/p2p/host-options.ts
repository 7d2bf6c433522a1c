import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Network, PeerId } from '../core/network.ts'
import type { PeerConnection } from '../core/node-view.ts'
import type { NodeKey } from './identity.ts'
import type { RedialDelays } from './seeds.ts'

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
  /** Pauses between attempts to connect to a configured peer. Default 0.5 s, doubling up to 8 s. */
  readonly redial?: RedialDelays
  /** Milliseconds between pings of configured peers; two unanswered close the connection. Default 5,000. */
  readonly pingInterval?: number
  /** Whether libp2p's own log goes to our logger's debug level. It is slow. Default false. */
  readonly libraryLog?: boolean
}

/** A libp2p host. Before start and after stop, what needs connections throws `NOT_STARTED`. */
export interface Host extends Service, Network {
  /** Multiaddresses it can be reached at, each with its peer id; none while it does not run. */
  addresses(): string[]
  connections(): PeerConnection[]
  /** Connects to a multiaddress with a peer id. Rejects with `INVALID_PEER_ADDRESS` or `PEER_UNREACHABLE`. */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<PeerId>
}

/** What a host is given. */
export interface HostDeps {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}
