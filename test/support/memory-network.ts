import type { Env } from '../../src/core/env.ts'
import type {
  GossipMessage,
  GossipVerdict,
  Network,
  PeerEvents,
  PeerId,
  RequestContext,
  RequestHandler,
  ServeOptions,
} from '../../src/core/network.ts'
import { EvolveError } from '../../src/util/errors.ts'

/** What a node's gossip validator said of a message. */
export interface GossipRecord {
  readonly topic: string
  readonly message: GossipMessage
  readonly verdict: GossipVerdict
}

/** Where a test meddles with the wire. Each may be replaced at any time. */
export interface MemoryFaults {
  /** Decides what becomes of a request before it is opened; a promise holds it up. */
  request?: (from: PeerId, to: PeerId, protocol: string) => Fate | Promise<Fate>
  /** Awaited before each piece of an answer is handed over. */
  piece?: (from: PeerId, to: PeerId, piece: Uint8Array) => Promise<void>
  /** Decides whether a gossip message is lost on its way; a promise delays it. */
  gossip?: (from: PeerId, to: PeerId, topic: string) => boolean | Promise<boolean>
}

/** What becomes of a request. */
export type Fate = 'deliver' | 'unreachable' | 'reset'

/** A node of a {@link MemoryHub}: the {@link Network} port, and what happened to it. */
export interface MemoryNode extends Network {
  readonly bans: readonly { readonly peer: PeerId; readonly ms: number; readonly reason: string }[]
  /** Every request this node sent. */
  readonly asked: readonly { readonly peer: PeerId; readonly protocol: string; readonly bytes: Uint8Array }[]
  /** Every gossip message this node judged. */
  readonly judged: readonly GossipRecord[]
  /** Requests this node is answering. */
  readonly serving: number
}

/** Nodes in one process that can be connected to one another. */
export interface MemoryHub {
  /** May be replaced at any time. */
  faults: MemoryFaults
  /** Adds a node; `configured` are the peers its operator named. */
  node(id: PeerId, options?: { readonly configured?: readonly PeerId[] }): MemoryNode
  /** Connects two nodes; false when one of them bans the other. */
  connect(a: PeerId, b: PeerId): boolean
  disconnect(a: PeerId, b: PeerId): void
}

interface Service {
  readonly handler: RequestHandler
  readonly options: ServeOptions
  readonly streams: Set<Stream>
}

interface Stream {
  readonly peer: PeerId
  readonly controller: AbortController
  /** Ends the stream for both sides. */
  readonly reset: (why: string) => void
}

interface Topic {
  readonly validate: (message: GossipMessage) => Promise<GossipVerdict>
  readonly seen: Set<string>
}

interface NodeState {
  readonly node: MemoryNode
  readonly links: Set<PeerId>
  readonly watchers: Set<PeerEvents>
  readonly services: Map<string, Service>
  readonly topics: Map<string, Topic>
  /** Streams this node opened. */
  readonly outgoing: Set<Stream>
  readonly banned: Map<PeerId, number>
  readonly bans: { peer: PeerId; ms: number; reason: string }[]
  readonly asked: { peer: PeerId; protocol: string; bytes: Uint8Array }[]
  readonly judged: GossipRecord[]
}

function unreachable(peer: PeerId, why: string): EvolveError {
  return new EvolveError('PEER_UNREACHABLE', `no stream to ${peer}: ${why}`, { verdict: 'retry' })
}

function resetError(peer: PeerId, why: string): EvolveError {
  return new EvolveError('STREAM_RESET', `stream with ${peer} was reset: ${why}`, { verdict: 'retry' })
}

/** Makes a {@link MemoryHub}. With `env`, bans end by its clock; without they last. */
export function createMemoryHub({ env }: { readonly env?: Env } = {}): MemoryHub {
  const nodes = new Map<PeerId, NodeState>()
  const faults: MemoryFaults = {}
  let messages = 0

  function stateOf(id: PeerId): NodeState {
    const state = nodes.get(id)
    if (state === undefined) throw new Error(`no node ${id} in this hub`)
    return state
  }

  function isBanned(state: NodeState, peer: PeerId): boolean {
    const until = state.banned.get(peer)
    return until !== undefined && (env === undefined || env.monotonic() < until)
  }

  function connect(a: PeerId, b: PeerId): boolean {
    const [one, two] = [stateOf(a), stateOf(b)]
    if (isBanned(one, b) || isBanned(two, a)) return false
    if (one.links.has(b)) return true
    one.links.add(b)
    two.links.add(a)
    for (const watcher of one.watchers) watcher.connected(b)
    for (const watcher of two.watchers) watcher.connected(a)
    return true
  }

  function disconnect(a: PeerId, b: PeerId): void {
    const [one, two] = [stateOf(a), stateOf(b)]
    if (!one.links.delete(b)) return
    two.links.delete(a)
    for (const [state, other] of [
      [one, b],
      [two, a],
    ] as const) {
      for (const stream of state.outgoing) if (stream.peer === other) stream.reset('disconnected')
      for (const watcher of state.watchers) watcher.disconnected(other)
    }
  }

  async function request(
    from: NodeState,
    peer: PeerId,
    protocol: string,
    bytes: Uint8Array,
    options: { readonly signal: AbortSignal; readonly onData: (bytes: Uint8Array) => boolean | void },
  ): Promise<void> {
    options.signal.throwIfAborted()
    from.asked.push({ peer, protocol, bytes })
    const fate = (await faults.request?.(from.node.id, peer, protocol)) ?? 'deliver'
    options.signal.throwIfAborted()
    if (fate === 'unreachable' || !from.links.has(peer)) throw unreachable(peer, 'not connected')
    const service = stateOf(peer).services.get(protocol)
    if (service === undefined) throw unreachable(peer, `it does not speak ${protocol}`)
    const mine = [...service.streams].filter((stream) => stream.peer === from.node.id)
    if (fate === 'reset' || bytes.length > service.options.maxRequestBytes)
      throw resetError(peer, 'request refused')
    if (mine.length >= service.options.maxStreamsPerPeer) throw resetError(peer, 'too many streams')
    await exchange(from, peer, service, bytes, options)
  }

  async function exchange(
    from: NodeState,
    peer: PeerId,
    service: Service,
    bytes: Uint8Array,
    options: { readonly signal: AbortSignal; readonly onData: (bytes: Uint8Array) => boolean | void },
  ): Promise<void> {
    const controller = new AbortController()
    const { promise: over, reject } = Promise.withResolvers<never>()
    const end = (reason: unknown): void => {
      controller.abort(reason)
      reject(reason)
    }
    const reset = (why: string): void => end(resetError(peer, why))
    const outgoing: Stream = { peer, controller, reset }
    const incoming: Stream = { peer: from.node.id, controller, reset }
    const onAbort = (): void => end(options.signal.reason)
    from.outgoing.add(outgoing)
    service.streams.add(incoming)
    options.signal.addEventListener('abort', onAbort, { once: true })
    const context: RequestContext = { peer: from.node.id, signal: controller.signal }
    const answer = service.handler(bytes, context)[Symbol.asyncIterator]()
    try {
      await Promise.race([pump(from.node.id, peer, answer, options.onData, controller.signal), over])
    } catch (error) {
      if (controller.signal.aborted) throw controller.signal.reason
      throw resetError(peer, error instanceof Error ? error.message : String(error))
    } finally {
      controller.abort(resetError(peer, 'closed'))
      from.outgoing.delete(outgoing)
      service.streams.delete(incoming)
      options.signal.removeEventListener('abort', onAbort)
      // A handler that waits for something else than its signal must not hold up the one who asked.
      answer.return?.()?.catch(() => undefined)
    }
  }

  async function pump(
    to: PeerId,
    from: PeerId,
    answer: AsyncIterator<Uint8Array>,
    onData: (bytes: Uint8Array) => boolean | void,
    signal: AbortSignal,
  ): Promise<void> {
    for (;;) {
      const step = await answer.next()
      if (signal.aborted || step.done === true) return
      await faults.piece?.(from, to, step.value)
      if (signal.aborted || onData(step.value) === false) return
    }
  }

  async function deliver(
    to: NodeState,
    topicName: string,
    id: string,
    message: GossipMessage,
  ): Promise<void> {
    const topic = to.topics.get(topicName)
    if (topic === undefined || topic.seen.has(id)) return
    if ((await faults.gossip?.(message.sender, to.node.id, topicName)) === true) return
    if (!to.links.has(message.sender) || topic.seen.has(id)) return
    topic.seen.add(id)
    const verdict = await topic.validate(message)
    to.judged.push({ topic: topicName, message, verdict })
    if (verdict === 'accept') relay(to, topicName, id, message)
  }

  function relay(from: NodeState, topicName: string, id: string, message: GossipMessage): number {
    let handed = 0
    for (const peer of from.links) {
      const to = stateOf(peer)
      if (peer === message.from || peer === message.sender || !to.topics.has(topicName)) continue
      handed++
      deliver(to, topicName, id, { ...message, sender: from.node.id }).catch((error: unknown) => {
        // A validator never rejects; saying so loudly fails the test that runs.
        throw error
      })
    }
    return handed
  }

  function node(
    id: PeerId,
    { configured = [] }: { readonly configured?: readonly PeerId[] } = {},
  ): MemoryNode {
    if (nodes.has(id)) throw new Error(`node ${id} is in this hub already`)
    const bans: NodeState['bans'] = []
    const asked: NodeState['asked'] = []
    const judged: GossipRecord[] = []
    const services = new Map<string, Service>()
    const port: MemoryNode = {
      id,
      bans,
      asked,
      judged,
      get serving() {
        return [...services.values()].reduce((sum, service) => sum + service.streams.size, 0)
      },
      peers: () => [...state.links],
      isConfigured: (peer) => configured.includes(peer),
      watchPeers(events) {
        state.watchers.add(events)
        return () => state.watchers.delete(events)
      },
      request: async (peer, protocol, bytes, options) => await request(state, peer, protocol, bytes, options),
      async serve(protocol, options, handler) {
        if (services.has(protocol)) throw new Error(`${id} serves ${protocol} already`)
        const service: Service = { handler, options, streams: new Set() }
        services.set(protocol, service)
        return async () => {
          if (services.get(protocol) === service) services.delete(protocol)
          for (const stream of service.streams) stream.reset('handler removed')
        }
      },
      async join(topicName, validate) {
        const topic: Topic = { validate, seen: new Set() }
        state.topics.set(topicName, topic)
        return {
          async publish(data) {
            const message: GossipMessage = { data, from: id, sender: id }
            const messageId = `${id}/${++messages}`
            topic.seen.add(messageId)
            return relay(state, topicName, messageId, message)
          },
          async leave() {
            if (state.topics.get(topicName) === topic) state.topics.delete(topicName)
          },
        }
      },
      async ban(peer, ms, reason) {
        bans.push({ peer, ms, reason })
        if (!configured.includes(peer)) state.banned.set(peer, (env?.monotonic() ?? 0) + ms)
        disconnect(id, peer)
      },
    }
    const state: NodeState = {
      node: port,
      links: new Set(),
      watchers: new Set(),
      services,
      topics: new Map(),
      outgoing: new Set(),
      banned: new Map(),
      bans,
      asked,
      judged,
    }
    nodes.set(id, state)
    return port
  }

  return { faults, node, connect, disconnect }
}
