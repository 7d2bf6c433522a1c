import type { Env } from '../../core/env.ts'
import type { PeerId } from '../../core/network.ts'
import type { Answer } from './ask.ts'
import type { ClientLimits } from './limits.ts'
import { mayBeAsked, type PeerTracker, type TrackedPeer, type TrackerEvents } from './peer-tracker.ts'

/** A peer as one session sees it. */
interface Member {
  /** It failed: asked again only when nobody else is left. */
  out: boolean
  /** The lowest height, of those still missing, for which it said NOT_FOUND. */
  lacks: number | undefined
}

/** What a request is for. */
export interface ChooseOptions {
  readonly now: number
  /** Everything waits for it: peers that were never tried are asked for something else first. */
  readonly urgent: boolean
  readonly except: readonly PeerId[]
}

/** The peers of one session: those that are connected, and those that connect while it lasts. */
export class SessionPeers {
  readonly #tracker: PeerTracker
  readonly #limits: ClientLimits
  readonly #members = new Map<PeerId, Member>()
  /** Who was here before, so that coming back does not count as somebody new. */
  readonly #known = new Set<PeerId>()
  readonly #events: TrackerEvents
  readonly #unwatch: () => void
  /** Since when there is nobody to ask. */
  #aloneSince: number | undefined

  /** `onChance` is called when a peer was added, or when one has room again that others had taken. */
  constructor(
    deps: { readonly tracker: PeerTracker; readonly env: Env },
    limits: ClientLimits,
    onChance: () => void,
  ) {
    this.#tracker = deps.tracker
    this.#limits = limits
    for (const peer of deps.tracker.peers()) this.#add(peer)
    this.#events = {
      joined: (peer) => {
        if (!this.#known.has(peer.id)) this.#aloneSince = undefined
        this.#add(peer)
        onChance()
      },
      left: (peer) => this.#members.delete(peer),
      freed: onChance,
    }
    this.#unwatch = deps.tracker.watch(this.#events)
  }

  /** Notes that a request of this session goes out. The function it gives notes that it is over. */
  occupy(id: PeerId): () => void {
    return this.#tracker.occupy(id, this.#events)
  }

  close(): void {
    this.#unwatch()
    this.#members.clear()
  }

  #add(peer: TrackedPeer): void {
    if (this.#known.size >= KNOWN_PEERS) this.#known.clear()
    this.#known.add(peer.id)
    this.#members.set(peer.id, { out: false, lacks: undefined })
  }

  *#each(): Generator<{ readonly member: Member; readonly peer: TrackedPeer }> {
    for (const [id, member] of this.#members) {
      const peer = this.#tracker.get(id)
      if (peer !== undefined) yield { member, peer }
    }
  }

  #anyUsable(now: number): boolean {
    for (const { member, peer } of this.#each()) if (!member.out && peer.restUntil <= now) return true
    return false
  }

  /** Looks who can be asked; when nobody can, those that failed and have rested are let in again. */
  review(now: number, busy: boolean): void {
    if (busy || this.#anyUsable(now)) return
    this.#aloneSince ??= now
    for (const { member, peer } of this.#each()) if (peer.restUntil <= now) member.out = false
  }

  /** Whether there was nobody to ask for too long. */
  lost(now: number): boolean {
    return this.#aloneSince !== undefined && now - this.#aloneSince >= this.#limits.noPeersAfter
  }

  /** Notes what an answer says of its peer's part in this session. */
  answered(id: PeerId, from: number, answer: Answer<unknown>): void {
    if (answer.items.length > 0) this.#aloneSince = undefined
    const member = this.#members.get(id)
    if (member === undefined) return
    if (answer.end === 'missing') member.lacks = Math.min(member.lacks ?? from, from)
    if (answer.end === 'garbage') member.out = true
    if (answer.items.length > 0) return
    if (answer.end === 'empty' || answer.end === 'failed' || answer.end === 'unreachable') member.out = true
  }

  exclude(id: PeerId): void {
    const member = this.#members.get(id)
    if (member !== undefined) member.out = true
  }

  /** The lowest missing height is another one now: who once lacked it may have it meanwhile. */
  frontMoved(front: number, now: number): void {
    for (const { member, peer } of this.#each()) {
      const { lacks } = member
      if (lacks === undefined || lacks > front) continue
      if (lacks < front || peer.lacksUntil <= now) member.lacks = undefined
    }
  }

  /** Whether all that can be asked now or soon, and there are some, have said NOT_FOUND for `height`. */
  allLack(height: number, now: number): boolean {
    let some = false
    for (const { member, peer } of this.#each()) {
      if (member.out || peer.restUntil > now + this.#limits.noPeersAfter) continue
      if (member.lacks !== height) return false
      some = true
    }
    return some
  }

  /** The peer to be asked for items from `height` on; undefined when none can be now. */
  choose(height: number, { now, urgent, except }: ChooseOptions): PeerId | undefined {
    let best: PeerId | undefined
    let bestValue = -1
    for (const { member, peer } of this.#each()) {
      if (member.out || peer.inFlight >= peer.window || !mayBeAsked(peer, height, now)) continue
      if (except.includes(peer.id)) continue
      const value = worth(peer, urgent)
      if (value <= bestValue) continue
      best = peer.id
      bestValue = value
    }
    return best
  }

  /** The next moment at which somebody can be asked who cannot be now, or the wait is over; Infinity when none. */
  nextChange(now: number): number {
    let next = this.#aloneSince === undefined ? Infinity : this.#aloneSince + this.#limits.noPeersAfter
    for (const { peer } of this.#each()) {
      for (const at of [peer.restUntil, peer.lacksUntil]) if (at > now && at < next) next = at
    }
    return next
  }
}

/** Peers that a session remembers having seen. */
const KNOWN_PEERS = 1_024

/** The more, the rather a peer is asked: fast ones, as long as they are not busy; each new one once. */
function worth(peer: TrackedPeer, urgent: boolean): number {
  const share = 1 / (peer.inFlight + 1)
  if (peer.proven) return peer.score * share
  return !urgent && peer.inFlight === 0 ? Infinity : share * UNPROVEN_SCORE
}

const UNPROVEN_SCORE = 1e-9
