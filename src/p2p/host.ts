/*
 * The libp2p host of a node: who it is connected to, and the Network port over those connections.
 */
import type { Connection, IdentifyResult, Libp2p, PeerId as LibraryPeerId } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import type { PeerEvents, PeerId } from '../core/network.ts'
import { gossipTopic } from '../types/names.ts'
import { createSerial } from '../util/async.ts'
import { describeError, EvolveError } from '../util/errors.ts'
import { parseListenAddress, parsePeerAddress, parsePeerId } from './addresses.ts'
import { createGate } from './gate.ts'
import { createGossip, type Gossip } from './gossip.ts'
import type { Host, HostDeps, HostOptions } from './host-options.ts'
import { peerIdOf } from './identity.ts'
import { DHT_PROTOCOL, type LibraryOptions, type LibraryServices } from './library.ts'
import { createServing, type Serving } from './serving.ts'
import { LIBRARY_STREAM_LIMIT, requestOver } from './streams.ts'
import { createUpkeep, type Upkeep } from './upkeep.ts'

/** Milliseconds within which a gossip stream that ended may come back before its connection is given up. */
const STREAM_BACK_WITHIN = 1_000

/** Value of the mark by which libp2p closes configured peers last when there are too many connections. */
const CONFIGURED_VALUE = 100

/** What runs between start and stop. */
interface Running {
  readonly library: Libp2p<LibraryServices>
  readonly gossip: Gossip
  readonly upkeep: Upkeep
  readonly serving: Map<string, Serving>
}

function isDirect(connection: Connection): boolean {
  return connection.status === 'open' && connection.direct && connection.limits === undefined
}

async function hangUp(connection: Connection, reason: string): Promise<void> {
  try {
    await connection.close()
  } catch {
    connection.abort(new Error(reason))
  }
}

function addressesByPeer(texts: readonly string[], own: PeerId): Map<PeerId, Multiaddr[]> {
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
  const { nodeKey, chainId, maxConnections = 100, reservedConnections = 4 } = options
  const id = peerIdOf(nodeKey)
  const configured = addressesByPeer(options.peers, id)
  const allowed = new Set((options.allowedPeers ?? []).map(parsePeerId))
  const listen = options.listen.map((text) => parseListenAddress(text).toString())
  const topics = [gossipTopic(chainId, 'headerSync'), gossipTopic(chainId, 'dataSync')]

  const serial = createSerial()
  const watchers = new Set<PeerEvents>()
  const present = new Set<PeerId>()
  const identified = new Map<PeerId, { readonly agent: string; readonly protocols: readonly string[] }>()
  let library: Libp2p<LibraryServices> | undefined
  let running: Running | undefined

  const connections = (peer?: PeerId): Connection[] =>
    library?.getConnections(peer === undefined ? undefined : peerIdFromString(peer)).filter(isDirect) ?? []

  const gate = createGate(
    { env, connected: () => connections().map(({ remotePeer }) => remotePeer.toString()) },
    {
      blocked: new Set((options.blockedPeers ?? []).map(parsePeerId)),
      privileged: new Set([...allowed, ...configured.keys()]),
      maxConnections,
      reserved: reservedConnections,
      inboundPerSecond: options.inboundPerSecond,
    },
  )

  function started(): Running {
    if (running === undefined) throw new EvolveError('NOT_STARTED', 'the host is not running')
    return running
  }

  function tell(peer: PeerId, what: 'connected' | 'disconnected'): void {
    const changed = what === 'connected' ? !present.has(peer) : present.has(peer)
    if (!changed) return
    if (what === 'connected') present.add(peer)
    else {
      present.delete(peer)
      identified.delete(peer)
    }
    metrics.gauge('p2p_peers', present.size)
    running?.upkeep.changed(peer, what)
    for (const watcher of watchers) {
      try {
        watcher[what](peer)
      } catch (error) {
        logger.error('peer watcher failed', { peer, error })
      }
    }
  }

  /** Lets libp2p close configured peers last, for as long as it remembers them. */
  async function mark(node: Libp2p<LibraryServices>, peer: LibraryPeerId): Promise<void> {
    try {
      await node.peerStore.merge(peer, { tags: { 'evolve-configured': { value: CONFIGURED_VALUE } } })
    } catch (error) {
      logger.debug('configured peer not marked', { peer: peer.toString(), error })
    }
  }

  function attach(node: Libp2p<LibraryServices>): void {
    node.addEventListener('peer:connect', ({ detail }: CustomEvent<LibraryPeerId>) => {
      const peer = detail.toString()
      if (connections(peer).length === 0) return
      if (configured.has(peer)) void mark(node, detail)
      tell(peer, 'connected')
    })
    node.addEventListener('peer:disconnect', ({ detail }: CustomEvent<LibraryPeerId>) =>
      tell(detail.toString(), 'disconnected'),
    )
    node.addEventListener('peer:identify', ({ detail }: CustomEvent<IdentifyResult>) => {
      identified.set(detail.peerId.toString(), {
        agent: detail.agentVersion ?? '',
        protocols: detail.protocols,
      })
      if (detail.protocols.includes(DHT_PROTOCOL)) running?.upkeep.speaksDht()
    })
  }

  /** A peer that no longer takes our gossip is let go, so that both sides start afresh. */
  function onGossipStreamLost(peer: PeerId, isBack: () => boolean): void {
    const check = (): void => {
      if (isBack()) return
      for (const connection of connections(peer)) {
        logger.debug('dropping a peer whose gossip stream ended', { peer })
        connection.abort(new Error('the gossip stream ended'))
      }
    }
    if (library !== undefined) env.timer(STREAM_BACK_WITHIN, check, { background: true })
  }

  async function start(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    const node = await build({
      nodeKey,
      listen,
      topics,
      gater: gate.gater,
      maxConnections,
      discovery: options.discovery ?? true,
      log: options.libraryLog === true ? logger : undefined,
      onGossipStreamLost,
    })
    library = node
    attach(node)
    const upkeep = createUpkeep(
      { env, logger, library: node, id, configured, peers: () => [...present], connections },
      options,
    )
    try {
      await node.start()
      const gossip = createGossip({ service: node.services.pubsub, logger, metrics }, topics)
      running = { library: node, gossip, upkeep, serving: new Map() }
      await upkeep.start()
      signal?.throwIfAborted()
    } catch (cause) {
      await stop()
      signal?.throwIfAborted()
      throw startError(listen, cause)
    }
    logger.info('listening for peers', { id, addresses: addresses() })
  }

  async function stop(): Promise<void> {
    const [node, was] = [library, running]
    running = undefined
    await was?.upkeep.stop()
    await Promise.all([...(was?.serving.values() ?? [])].map(async (one) => await one.close()))
    was?.gossip.close()
    await node?.stop()
    library = undefined
    for (const peer of present) tell(peer, 'disconnected')
  }

  function addresses(): string[] {
    return library?.getMultiaddrs().map((address) => address.toString()) ?? []
  }

  return {
    id,
    addresses,
    async start(startOptions) {
      await serial.run(async () => {
        if (running === undefined) await start(startOptions?.signal)
      })
    },
    async stop() {
      await serial.run(stop)
    },
    connections: () =>
      connections().map(({ remotePeer, remoteAddr, direction, timeline, encryption }) => ({
        peer: remotePeer.toString(),
        address: remoteAddr.toString(),
        direction,
        openedAt: BigInt(timeline.open) * 1_000_000n,
        encryption,
        protocols: identified.get(remotePeer.toString())?.protocols ?? [],
        agent: identified.get(remotePeer.toString())?.agent ?? '',
        configured: configured.has(remotePeer.toString()),
      })),
    peers: () => [...present],
    isConfigured: (peer) => configured.has(peer),
    watchPeers(events) {
      watchers.add(events)
      return () => watchers.delete(events)
    },
    async dial(text, { signal } = {}) {
      const { peer, address } = parsePeerAddress(text)
      const node = started().library
      try {
        await node.dial(address, signal === undefined ? {} : { signal })
      } catch (cause) {
        signal?.throwIfAborted()
        throw new EvolveError('PEER_UNREACHABLE', `cannot connect to ${text}`, { cause, verdict: 'retry' })
      }
      return peer
    },
    async request(peer, protocol, request, requestOptions) {
      started()
      const [connection] = connections(peer)
      if (connection === undefined) {
        const data = { peer, protocol }
        throw new EvolveError('PEER_UNREACHABLE', `${peer} is not connected`, { data, verdict: 'retry' })
      }
      let received = 0
      const onData: typeof requestOptions.onData = (bytes) => {
        received += bytes.length
        return requestOptions.onData(bytes)
      }
      try {
        await requestOver(connection, protocol, request, { ...requestOptions, onData })
      } finally {
        metrics.count('p2p_message_receive_bytes_total', received, { message_type: protocol })
      }
    },
    async serve(protocol, serveOptions, handler) {
      const { library: node, serving } = started()
      if (serving.has(protocol)) throw new EvolveError('ALREADY_SERVED', `${protocol} is served already`)
      const own = createServing({ env, logger, metrics }, protocol, serveOptions, handler)
      serving.set(protocol, own)
      await node.handle(protocol, (stream, connection) => own.handle(stream, connection), {
        maxInboundStreams: LIBRARY_STREAM_LIMIT,
        maxOutboundStreams: LIBRARY_STREAM_LIMIT,
      })
      return async () => {
        if (serving.get(protocol) !== own) return
        serving.delete(protocol)
        await node.unhandle(protocol)
        await own.close()
      }
    },
    async join(topic, validate) {
      return started().gossip.join(topic, validate)
    },
    async ban(peer, ms, reason) {
      const banned = gate.ban(peer, ms)
      logger.info(banned ? 'peer banned' : 'peer disconnected', { peer, reason, ...(banned ? { ms } : {}) })
      metrics.count('p2p_bans_total')
      await Promise.all(connections(peer).map(async (connection) => await hangUp(connection, reason)))
    },
  }
}

/** libp2p quotes the stacks of what it could not listen on. */
function startError(listen: readonly string[], cause: unknown): EvolveError {
  const where = listen.join(', ') || 'nothing'
  return describeError(cause).includes('EADDRINUSE')
    ? new EvolveError('ADDRESS_IN_USE', `${where} is in use by another process or node`, { data: { listen } })
    : new EvolveError('HOST_START_FAILED', `the host did not start; it was to listen on ${where}`, { cause })
}
