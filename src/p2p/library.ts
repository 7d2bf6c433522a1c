import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type Identify, identify, type IdentifyPush, identifyPush } from '@libp2p/identify'
import { type ConnectionGater, KEEP_ALIVE, type Libp2p, type PeerStore } from '@libp2p/interface'
import { type KadDHT, kadDHT, type KadDHTComponents, passthroughMapper } from '@libp2p/kad-dht'
import { type Ping, ping } from '@libp2p/ping'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import type { Logger } from '../core/logger.ts'
import { createBoundedDatastore } from './datastore.ts'
import { facade } from './facade.ts'
import { gossipService, type OpenGossipSub, type StreamLost } from './gossip-service.ts'
import type { NodeKey } from './identity.ts'
import { libraryLog } from './library-log.ts'
import { sparseYamux } from './sparse-windows.ts'

/** Protocol of the DHT that the Go nodes of a chain form. */
export const DHT_PROTOCOL = '/ipfs/kad/1.0.0'

/** Largest receive window of a stream, and so most that lies unread in one. */
const MAX_WINDOW = 1024 * 1024

/** Milliseconds for a dial, and for the handshakes of an inbound connection. */
const CONNECT_TIMEOUT = 5_000

/** The services of our libp2p node; `dht` is absent when discovery is off. */
export type LibraryServices = {
  readonly identify: Identify
  readonly identifyPush: IdentifyPush
  readonly ping: Ping
  readonly pubsub: OpenGossipSub
  readonly dht?: KadDHT
}

/** What a libp2p node is built of. */
export interface LibraryOptions {
  readonly nodeKey: NodeKey
  readonly listen: readonly string[]
  readonly topics: readonly string[]
  readonly gater: ConnectionGater
  readonly maxConnections: number
  readonly discovery: boolean
  /** Where the library's own log goes; undefined for nowhere. */
  readonly log: Logger | undefined
  readonly onGossipStreamLost: StreamLost
}

/**
 * The DHT marks the peers nearest to it to be reconnected for ever. Whom we keep connected is decided by the
 * operator and by discovery, so its marks are left out.
 */
function withoutKeepAlive(store: PeerStore): PeerStore {
  return facade(store, {
    merge: async (peer, { tags, ...data }, options) => {
      const kept = Object.entries(tags ?? {}).filter(([name]) => !name.startsWith(KEEP_ALIVE))
      return await store.merge(
        peer,
        tags === undefined ? data : { ...data, tags: Object.fromEntries(kept) },
        options,
      )
    },
  })
}

function dhtService(): (components: KadDHTComponents) => KadDHT {
  const create = kadDHT({
    protocol: DHT_PROTOCOL,
    clientMode: false,
    peerInfoMapper: passthroughMapper,
    allowQueryWithZeroPeers: true,
  })
  return (components) =>
    create({
      peerId: components.peerId,
      privateKey: components.privateKey,
      registrar: components.registrar,
      addressManager: components.addressManager,
      peerStore: withoutKeepAlive(components.peerStore),
      connectionManager: components.connectionManager,
      datastore: components.datastore,
      events: components.events,
      logger: components.logger,
      ping: components.ping,
    })
}

/** How a platform connects: transports, and encryption in the order it is offered. */
export type LibraryPlatform = Required<Pick<Libp2pOptions, 'transports' | 'connectionEncrypters'>>

/** Builds the libp2p node, not yet started. */
export async function createLibrary(
  platform: LibraryPlatform,
  options: LibraryOptions,
): Promise<Libp2p<LibraryServices>> {
  const { nodeKey, listen, topics, gater, maxConnections, log, onGossipStreamLost } = options
  const privateKey = await generateKeyPairFromSeed('Ed25519', nodeKey.seed)
  const self = privateKey.publicKey.toCID().toString()
  return await createLibp2p<LibraryServices>({
    start: false,
    privateKey,
    nodeInfo: { userAgent: 'evolve-node' },
    addresses: { listen: [...listen] },
    ...platform,
    streamMuxers: [
      sparseYamux({
        maxInboundStreams: 1024,
        maxOutboundStreams: 4096,
        // The first window must stay at the protocol's 256 KiB: the other side counts on it.
        streamOptions: { maxStreamWindowSize: MAX_WINDOW, maxReadBufferLength: MAX_WINDOW },
      }),
    ],
    logger: libraryLog(log),
    connectionGater: gater,
    connectionMonitor: { enabled: false },
    connectionManager: {
      maxConnections,
      dialTimeout: CONNECT_TIMEOUT,
      addressDialTimeout: CONNECT_TIMEOUT,
      inboundUpgradeTimeout: CONNECT_TIMEOUT,
      inboundStreamProtocolNegotiationTimeout: CONNECT_TIMEOUT,
      outboundStreamProtocolNegotiationTimeout: CONNECT_TIMEOUT,
      maxParallelDials: 16,
      // One host cannot fill this while it may only open a few connections in a second; the gate counts those.
      maxIncomingPendingConnections: 64,
      inboundConnectionThreshold: Number.MAX_SAFE_INTEGER,
    },
    datastore: createBoundedDatastore({
      maxEntries: 10_000,
      maxBytes: 32 * 1024 * 1024,
      pinned: (key) => key.includes(self),
    }),
    services: {
      identify: identify(),
      identifyPush: identifyPush(),
      ping: ping(),
      pubsub: gossipService(topics, onGossipStreamLost),
      ...(options.discovery ? { dht: dhtService() } : {}),
    },
  })
}
