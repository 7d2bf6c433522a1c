/*
 * What keeps a host connected while it runs: configured peers, dead connections, and the DHT.
 */
import type { Connection, Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { Env } from '../core/env.ts'
import { type Service, startAll, stopAll } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { PeerId } from '../core/network.ts'
import { createDiscovery, type Discovery } from './discovery.ts'
import type { HostOptions } from './host-options.ts'
import type { LibraryServices } from './library.ts'
import { createLiveness } from './liveness.ts'
import { pingOver } from './ping.ts'
import { createSeeds } from './seeds.ts'

/** What keeping a host connected needs. */
export interface UpkeepDeps {
  readonly env: Env
  readonly logger: Logger
  readonly library: Libp2p<LibraryServices>
  /** Our own id. */
  readonly id: PeerId
  readonly configured: ReadonlyMap<PeerId, readonly Multiaddr[]>
  readonly peers: () => readonly PeerId[]
  /** Open, direct connections: all, or those of one peer. */
  readonly connections: (peer?: PeerId) => readonly Connection[]
}

/** Keeps a host connected. */
export interface Upkeep extends Service {
  /** Tells that the first connection to a peer opened, or the last one closed. */
  changed(peer: PeerId, what: 'connected' | 'disconnected'): void
  /** Tells that a peer speaks the DHT's protocol. */
  speaksDht(): void
}

function toward(peer: PeerId, addresses: readonly Multiaddr[]): Parameters<Libp2p['dial']>[0] {
  if (addresses.length === 0) return peerIdFromString(peer)
  return addresses.map((address) =>
    address.getComponents().at(-1)?.name === 'p2p' ? address : address.encapsulate(`/p2p/${peer}`),
  )
}

function discover({ env, logger, library, id, peers }: UpkeepDeps, chainId: string): Discovery | undefined {
  const { dht } = library.services
  if (dht === undefined) return undefined
  return createDiscovery<Multiaddr>(
    {
      env,
      logger,
      id,
      peers,
      async dial(peer, addresses, { signal }) {
        await library.dial(toward(peer, addresses), { signal })
      },
      async provide(place, { signal }) {
        let told = 0
        for await (const event of dht.provide(place, { signal })) {
          if (event.name === 'PEER_RESPONSE' && event.messageName === 'ADD_PROVIDER') told++
        }
        return told
      },
      async *find(place, { signal }) {
        for await (const found of library.contentRouting.findProviders(place, { signal })) {
          yield { peer: found.id.toString(), addresses: found.multiaddrs }
        }
      },
    },
    { chainId },
  )
}

/** Makes the {@link Upkeep} of a libp2p node; it is started after the node and stopped before it. */
export function createUpkeep(deps: UpkeepDeps, { chainId, redial, pingInterval }: HostOptions): Upkeep {
  const { env, logger, library, configured, connections } = deps
  const seeds = createSeeds(
    {
      env,
      logger,
      async dial(peer, addresses: readonly Multiaddr[], { signal }) {
        await library.dial(toward(peer, addresses), { signal })
      },
      isConnected: (peer) => connections(peer).length > 0,
    },
    configured,
    redial ?? { first: 500, last: 8_000 },
  )
  const liveness = createLiveness(
    {
      env,
      logger,
      connections: () =>
        connections().map((connection) => ({
          id: connection.id,
          configured: configured.has(connection.remotePeer.toString()),
          async ping(within) {
            const bytes = Uint8Array.from({ length: 32 }, () => Math.floor(env.random() * 256))
            await pingOver(connection, bytes, within)
          },
          drop(reason) {
            logger.warn('connection is dead', { peer: connection.remotePeer.toString(), reason })
            connection.abort(new Error(reason))
          },
        })),
    },
    { interval: pingInterval ?? 5_000, misses: 2 },
  )
  const discovery = discover(deps, chainId)
  const parts: readonly Service[] = [seeds, liveness, ...(discovery === undefined ? [] : [discovery])]

  return {
    async start(options) {
      await startAll(parts, options)
    },
    async stop() {
      await stopAll(parts)
    },
    changed(peer, what) {
      seeds.changed(peer)
      if (what === 'disconnected') discovery?.left()
    },
    speaksDht() {
      discovery?.joined()
    },
  }
}
