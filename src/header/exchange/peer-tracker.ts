import { type Backoff, createBackoff, type Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Network, PeerId } from '../../core/network.ts'
import { LruCache } from '../../util/lru.ts'
import type { Answer, Question } from './ask.ts'
import type { BackoffRange, ClientLimits } from './limits.ts'

/** Parts of a {@link PeerTracker}. */
export interface PeerTrackerDeps {
  readonly network: Network
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** A connected peer and what is known of it. Times are those of `env.monotonic`. */
export interface TrackedPeer {
  readonly id: PeerId
  readonly configured: boolean
  /** Bytes per millisecond, a running mean that begins at 1; goes down by a fifth with each failure. */
  readonly score: number
  /** Whether it ever answered with an item. */
  readonly proven: boolean
  /** Requests under way to it. */
  readonly inFlight: number
  /** Requests that may be under way to it: grows with good answers, halves with others. */
  readonly window: number
  /** It is left alone until then. */
  readonly restUntil: number
  /** It said NOT_FOUND for this height; undefined when it did not, or has shown more since. */
  readonly lacksFrom: number | undefined
  /** It is asked for heights from `lacksFrom` on again after this. */
  readonly lacksUntil: number
}

interface PeerState extends TrackedPeer {
  score: number
  proven: boolean
  inFlight: number
  window: number
  restUntil: number
  lacksFrom: number | undefined
  lacksUntil: number
  /** Full answers since it last failed. */
  streak: number
  readonly missing: Backoff
  readonly failure: Backoff
  readonly unreachable: Backoff
}

/** Tells of tracked peers. */
export interface TrackerEvents {
  joined(peer: TrackedPeer): void
  /** It is gone, or banned. */
  left(peer: PeerId): void
  /** Somebody else's request to it is over: there is room for another. */
  freed?(peer: PeerId): void
}

const FIRST_SCORE = 1
const LEAST_SCORE = 1e-6
const FAILURE_FACTOR = 0.8
/** Full answers in a row after which a peer's failures are forgotten. */
const TRUST_AGAIN = 64
const REMEMBERED_BANS = 1_024

/** Whether `peer` may be asked for items from `height` on at the moment `now`. */
export function mayBeAsked(peer: TrackedPeer, height: number, now: number): boolean {
  if (peer.restUntil > now) return false
  return peer.lacksFrom === undefined || height < peer.lacksFrom || peer.lacksUntil <= now
}

/**
 * Who is there, how fast, how honest. Peers come and go with their connections; scores of those that left are
 * remembered for a while. Garbage gets a peer banned for a time; a configured peer is only left alone for a while.
 * Source: go-header v0.8.6 p2p/peer_tracker.go, peer_stats.go.
 */
export class PeerTracker {
  readonly #deps: PeerTrackerDeps
  readonly #protocol: string
  readonly #limits: ClientLimits
  readonly #peers = new Map<PeerId, PeerState>()
  readonly #gone: LruCache<PeerId, { readonly score: number; readonly until: number }>
  readonly #banned = new LruCache<PeerId, number>(REMEMBERED_BANS)
  readonly #listeners = new Set<TrackerEvents>()
  #unwatch: (() => void) | undefined

  constructor(deps: PeerTrackerDeps, options: { readonly protocol: string; readonly limits: ClientLimits }) {
    this.#deps = deps
    this.#protocol = options.protocol
    this.#limits = options.limits
    this.#gone = new LruCache(options.limits.maxPeers)
  }

  /** Begins to follow the connections. */
  start(): void {
    if (this.#unwatch !== undefined) return
    const { network } = this.#deps
    this.#unwatch = network.watchPeers({
      connected: (peer) => this.#connected(peer),
      disconnected: (peer) => this.#disconnected(peer),
    })
    for (const peer of network.peers()) this.#connected(peer)
  }

  stop(): void {
    this.#unwatch?.()
    this.#unwatch = undefined
    for (const peer of this.#peers.keys()) this.#forget(peer, false)
  }

  /** Peers that are connected and not banned, best score first. */
  peers(): readonly TrackedPeer[] {
    return [...this.#peers.values()].toSorted((a, b) => b.score - a.score)
  }

  get(peer: PeerId): TrackedPeer | undefined {
    return this.#peers.get(peer)
  }

  /** Tells `events` of peers until the returned function is called. */
  watch(events: TrackerEvents): () => void {
    this.#listeners.add(events)
    return () => this.#listeners.delete(events)
  }

  /** Notes that a request goes out. The function it gives notes that it is over, and tells all but `owner` of the room. */
  occupy(peer: PeerId, owner?: TrackerEvents): () => void {
    const state = this.#peers.get(peer)
    if (state === undefined) return () => undefined
    state.inFlight++
    return () => {
      state.inFlight--
      for (const listener of this.#listeners) if (listener !== owner) listener.freed?.(peer)
    }
  }

  /** Draws the conclusions from an answer. */
  judge(peer: PeerId, question: Question, answer: Answer<unknown>): void {
    const protocol = this.#protocol
    this.#deps.metrics.observe('header_exchange_response_seconds', answer.ms / 1000, {
      protocol,
      end: answer.end,
    })
    this.#deps.metrics.count('header_exchange_received_bytes_total', answer.bytes, { protocol })
    const state = this.#peers.get(peer)
    if (state === undefined) return
    if (answer.items.length > 0) this.#praise(state, question, answer)
    if (answer.surplus) this.#slow(state)
    switch (answer.end) {
      case 'missing':
        this.#slow(state)
        if (question.type === 'range') this.#lacks(state, question.from)
        break
      case 'empty':
      case 'failed':
        this.#fail(state)
        break
      case 'unreachable':
        this.#rest(state, state.unreachable)
        break
      case 'garbage':
        this.punish(peer, answer.error)
        break
      case 'complete':
      case 'short':
      case 'aborted':
        break
    }
  }

  /** Others answered while this peer let everybody wait: it is left alone for a while. */
  stalled(peer: PeerId): void {
    const state = this.#peers.get(peer)
    if (state !== undefined) this.#fail(state)
  }

  /** A peer sent what no honest peer sends: banned for a time, or, when configured, left alone for a while. */
  punish(peer: PeerId, reason: unknown): void {
    const { network, logger, metrics, env } = this.#deps
    const state = this.#peers.get(peer)
    metrics.count('header_exchange_penalties_total', 1, { protocol: this.#protocol })
    if (network.isConfigured(peer)) {
      logger.warn('configured peer sent a wrong answer, leaving it alone for a while', {
        peer,
        error: reason,
      })
      if (state !== undefined) this.#fail(state)
      return
    }
    logger.warn('banning a peer for a wrong answer', { peer, error: reason })
    this.#banned.set(peer, env.monotonic() + this.#limits.banTime)
    this.#forget(peer, true)
    const text = reason instanceof Error ? reason.message : String(reason)
    network.ban(peer, this.#limits.banTime, text).catch((error: unknown) => {
      logger.warn('banning a peer failed', { peer, error })
    })
  }

  #praise(state: PeerState, question: Question, answer: Answer<unknown>): void {
    state.score = (state.score + answer.bytes / Math.max(answer.ms, 1)) / 2
    state.proven = true
    state.unreachable.reset()
    if (answer.end === 'complete') {
      if (++state.streak >= TRUST_AGAIN) state.failure.reset()
      state.window = Math.min(state.window + 1, this.#limits.maxInFlightPerPeer)
    }
    const reached = question.type === 'range' ? question.from + answer.items.length - 1 : 0
    if (state.lacksFrom !== undefined && reached >= state.lacksFrom) {
      state.lacksFrom = undefined
      state.missing.reset()
    }
  }

  #slow(state: PeerState): void {
    state.streak = 0
    state.score = Math.max(state.score * FAILURE_FACTOR, LEAST_SCORE)
    state.window = Math.max(1, Math.floor(state.window / 2))
  }

  #fail(state: PeerState): void {
    if (this.#rest(state, state.failure)) this.#slow(state)
  }

  /** Leaves a peer alone for a while; false when it was resting already. */
  #rest(state: PeerState, backoff: Backoff): boolean {
    const now = this.#deps.env.monotonic()
    // Requests that were under way together fail together: that counts once.
    if (state.restUntil > now) return false
    state.restUntil = now + backoff.next()
    return true
  }

  #lacks(state: PeerState, height: number): void {
    const now = this.#deps.env.monotonic()
    // Answers that were on their way together say one thing, not many.
    if (state.lacksFrom === undefined || state.lacksUntil <= now) {
      state.lacksUntil = now + state.missing.next()
    }
    state.lacksFrom = Math.min(state.lacksFrom ?? height, height)
  }

  #connected(peer: PeerId): void {
    const { network, env } = this.#deps
    const now = env.monotonic()
    if (peer === network.id || this.#peers.has(peer)) return
    if ((this.#banned.get(peer) ?? 0) > now) return
    const configured = network.isConfigured(peer)
    if (this.#peers.size >= this.#limits.maxPeers && !(configured && this.#dropWorst())) return
    const known = this.#gone.get(peer)
    this.#gone.delete(peer)
    const backoff = (range: BackoffRange): Backoff => {
      const { first, last } = configured ? this.#limits.configuredBackoff : range
      return createBackoff(first, last)
    }
    const { first, last } = this.#limits.missingBackoff
    const state: PeerState = {
      id: peer,
      configured,
      score: known !== undefined && known.until > now ? known.score : FIRST_SCORE,
      proven: false,
      inFlight: 0,
      window: this.#limits.firstInFlightPerPeer,
      restUntil: 0,
      lacksFrom: undefined,
      lacksUntil: 0,
      streak: 0,
      missing: createBackoff(first, last),
      failure: backoff(this.#limits.failureBackoff),
      unreachable: backoff(this.#limits.unreachableBackoff),
    }
    this.#peers.set(peer, state)
    this.#gauge()
    for (const listener of this.#listeners) listener.joined(state)
  }

  #disconnected(peer: PeerId): void {
    const wasFull = this.#peers.size >= this.#limits.maxPeers
    this.#forget(peer, false)
    if (!wasFull) return
    for (const other of this.#deps.network.peers()) this.#connected(other)
  }

  #forget(peer: PeerId, banned: boolean): void {
    const state = this.#peers.get(peer)
    if (state === undefined) return
    this.#peers.delete(peer)
    if (!banned) {
      this.#gone.set(peer, {
        score: state.score,
        until: this.#deps.env.monotonic() + this.#limits.rememberFor,
      })
    }
    this.#gauge()
    for (const listener of this.#listeners) listener.left(peer)
  }

  /** Makes room for a configured peer; false when all are configured. */
  #dropWorst(): boolean {
    const worst = this.peers().findLast((peer) => !peer.configured)
    if (worst !== undefined) this.#forget(worst.id, false)
    return worst !== undefined
  }

  #gauge(): void {
    this.#deps.metrics.gauge('header_exchange_tracked_peers', this.#peers.size, { protocol: this.#protocol })
  }
}
