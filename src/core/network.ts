/** A peer's id in its usual text form (base58, `12D3Koo…`). */
export type PeerId = string

/** What a gossip validator says of a message. */
export type GossipVerdict = 'accept' | 'ignore' | 'reject'

/** A gossip message as it came in; its signature is checked already. */
export interface GossipMessage {
  readonly data: Uint8Array
  /** Who first published it. */
  readonly from: PeerId
  /** Who handed it to us. */
  readonly sender: PeerId
}

/** A joined gossip topic. */
export interface GossipTopic {
  /** Sends to all peers of the topic; resolves with how many it was handed to. */
  publish(data: Uint8Array): Promise<number>
  /** Leaves the topic. */
  leave(): Promise<void>
}

/** One request being answered. */
export interface RequestContext {
  readonly peer: PeerId
  /** Aborts when the peer went away, the time is over or the handler was removed. */
  readonly signal: AbortSignal
}

/**
 * Answers one request: yields the bytes of the answer, in pieces of any size. The stream is closed after the
 * last piece. Throwing resets the stream: the peer sees a failure, not an answer.
 */
export type RequestHandler = (request: Uint8Array, context: RequestContext) => AsyncIterable<Uint8Array>

/** Limits of a request handler. */
export interface ServeOptions {
  /** Largest request in bytes, without its length prefix. */
  readonly maxRequestBytes: number
  /** Milliseconds for the request to arrive. */
  readonly readTimeout: number
  /** Milliseconds for each piece of the answer to be taken by the peer. */
  readonly writeTimeout: number
  /** Streams of one peer that may be open at once. */
  readonly maxStreamsPerPeer: number
}

/** A peer comes or goes. */
export interface PeerEvents {
  connected(peer: PeerId): void
  disconnected(peer: PeerId): void
}

/**
 * What the header library needs of a peer-to-peer host: length-prefixed request/response, gossip, and who is
 * there. The libp2p host implements it; tests may implement it in memory.
 */
export interface Network {
  readonly id: PeerId
  /** Peers with an open, direct connection. */
  peers(): readonly PeerId[]
  /** Whether the operator named this peer. Such peers are slowed down, never banned. */
  isConfigured(peer: PeerId): boolean
  /** Tells of peers until the returned function is called. */
  watchPeers(events: PeerEvents): () => void
  /**
   * Opens a stream, sends `request` behind its uvarint length, closes the sending side and hands over what comes
   * back, piece by piece, until the peer closes. `onData` may return false to stop reading early (the stream is
   * then reset and the promise resolves). Rejects with `STREAM_RESET` when the peer resets, `PEER_UNREACHABLE`
   * when no stream can be opened, and the signal's reason when it aborts.
   */
  request(
    peer: PeerId,
    protocol: string,
    request: Uint8Array,
    options: { readonly signal: AbortSignal; readonly onData: (bytes: Uint8Array) => boolean | void },
  ): Promise<void>
  /** Answers requests of a protocol until the returned function is called, which also ends those under way. */
  serve(protocol: string, options: ServeOptions, handler: RequestHandler): Promise<() => Promise<void>>
  /** Joins a topic. Each message goes through `validate`; what it accepts is relayed. */
  join(topic: string, validate: (message: GossipMessage) => Promise<GossipVerdict>): Promise<GossipTopic>
  /** Closes the connections of a peer and refuses new ones for `ms` milliseconds. Configured peers are only disconnected. */
  ban(peer: PeerId, ms: number, reason: string): Promise<void>
}
