/*
 * Numbers of the exchange. What both sides of the wire agree on stands first; then what a node allows others, and
 * what it takes from them. Durations are milliseconds.
 */

/** Items one request may ask for. Source: go-header v0.8.6. */
export const MAX_REQUEST_ITEMS = 64

const KIB = 1024
const MIB = 1024 * KIB

/** How much a node gives to those who ask. */
export interface ServerLimits {
  readonly maxRequestBytes: number
  /** For the request to arrive. */
  readonly readTimeout: number
  /** For each piece of the answer to be taken. */
  readonly writeTimeout: number
  /** For the whole answer; nobody listens longer. */
  readonly answerTimeout: number
  /** For one reading of the store; past it the answer is NOT_FOUND, while the asking peer still listens. */
  readonly storeTimeout: number
  readonly maxStreamsPerPeer: number
  /** Requests of one peer answered at the same time; further ones wait their turn. */
  readonly activePerPeer: number
  /** Requests answered at the same time. */
  readonly active: number
  /** The same, for configured peers, on top. */
  readonly activeConfigured: number
  /** Items are read from the store until they are this many bytes, sent, and read on. */
  readonly readBytes: number
  /** Largest piece handed to the network at once. */
  readonly pieceBytes: number
  /** An answer ends, short, after the item that brings it here. */
  readonly maxAnswerBytes: number
  readonly peerRate: Rate
  /** All peers that are not configured together; configured peers together have as much again. */
  readonly totalRate: Rate
  /** Answers NOT_FOUND a peer gets: at once, and in a second. Further ones come later. */
  readonly missRate: { readonly answers: number; readonly answersPerSecond: number }
  /** The longest a request waits for its peer to come back under its rate. Where it would be longer: reset. */
  readonly maxThrottle: number
}

/** Token buckets of items and bytes: what may be had at once, and what is added in a second. */
export interface Rate {
  readonly items: number
  readonly itemsPerSecond: number
  readonly bytes: number
  readonly bytesPerSecond: number
}

/**
 * A peer may fetch two million items as fast as it can, which is a long chain once; after that its answers wait.
 * What protects others in the meantime is that each peer is served only a few requests at a time, in turn.
 */
export const SERVER_LIMITS: ServerLimits = {
  maxRequestBytes: KIB,
  readTimeout: 5_000,
  writeTimeout: 8_000,
  answerTimeout: 10_000,
  storeTimeout: 5_000,
  maxStreamsPerPeer: 64,
  activePerPeer: 4,
  active: 48,
  activeConfigured: 16,
  readBytes: MIB,
  pieceBytes: MIB,
  maxAnswerBytes: 32 * MIB,
  peerRate: {
    items: 2_000_000,
    itemsPerSecond: 20_000,
    bytes: 2_048 * MIB,
    bytesPerSecond: 64 * MIB,
  },
  totalRate: {
    items: 8_000_000,
    itemsPerSecond: 100_000,
    bytes: 8_192 * MIB,
    bytesPerSecond: 256 * MIB,
  },
  missRate: { answers: 100, answersPerSecond: 20 },
  maxThrottle: 2_000,
}

/** How much a node takes from those it asks, and how it judges them. */
export interface ClientLimits {
  readonly maxFrameBytes: number
  /** Bytes of one answer; an answer that reaches them ends there. */
  readonly maxAnswerBytes: number
  /** For one request, from its sending to the end of its answer. */
  readonly requestTimeout: number
  /** For the peer to close its side once everything asked for is here. */
  readonly linger: number
  /** Requests of one range under way at the same time. */
  readonly maxInFlight: number
  /** The same, to one peer. */
  readonly maxInFlightPerPeer: number
  /** To begin with. */
  readonly firstInFlightPerPeer: number
  /** What a range may hold that came before its turn, with what is arriving: bytes, and {@link ITEM_COST} each. */
  readonly bufferBytes: number
  /** Bytes that one request for a range aims at: fewer items are asked for at once where items are large. */
  readonly aimBytes: number
  /** An answer that everything waits for is asked of a second peer after this, or after thrice the usual time. */
  readonly hedgeAfter: number
  /** Without anybody to ask, a range fails after this. */
  readonly noPeersAfter: number
  /** Once somebody answered for the head, the others have this long, or thrice as long as the slowest so far. */
  readonly headGrace: number
  /** Peers asked for the head or a single item where no trusted ones are. */
  readonly singlePeers: number
  /** How long a peer that sent garbage is refused. */
  readonly banTime: number
  /** Peers that are tracked. */
  readonly maxPeers: number
  /** How long the score of a peer that left is remembered. */
  readonly rememberFor: number
  /** A peer that does not have what was asked is asked again for it after the first, then twice that, up to the last. */
  readonly missingBackoff: BackoffRange
  /** The same for a peer whose streams fail, or which let everybody wait. */
  readonly failureBackoff: BackoffRange
  /** The same for a peer that takes no stream of this protocol. */
  readonly unreachableBackoff: BackoffRange
  /** The same for a configured peer, whatever it does. */
  readonly configuredBackoff: BackoffRange
}

/** First and last waiting time. */
export interface BackoffRange {
  readonly first: number
  readonly last: number
}

/** What a decoded item is taken to cost in memory beyond its bytes. */
export const ITEM_COST = 8_192

/** Limits of a node that asks, where nothing else is said. */
export const CLIENT_LIMITS: ClientLimits = {
  maxFrameBytes: 10 * MIB,
  maxAnswerBytes: 16 * MIB,
  requestTimeout: 8_000,
  linger: 250,
  maxInFlight: 32,
  maxInFlightPerPeer: 16,
  firstInFlightPerPeer: 4,
  bufferBytes: 32 * MIB,
  aimBytes: 4 * MIB,
  hedgeAfter: 500,
  noPeersAfter: 10_000,
  headGrace: 1_000,
  singlePeers: 4,
  banTime: 30 * 60_000,
  maxPeers: 100,
  rememberFor: 60 * 60_000,
  missingBackoff: { first: 100, last: 5_000 },
  failureBackoff: { first: 1_000, last: 30_000 },
  unreachableBackoff: { first: 2_000, last: 5 * 60_000 },
  configuredBackoff: { first: 1_000, last: 30_000 },
}
