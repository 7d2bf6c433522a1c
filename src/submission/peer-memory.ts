import type { Env } from '../core/env.ts'
import type { PeerId } from '../core/network.ts'
import { LruCache } from '../util/lru.ts'

/** Peers that are remembered. */
const REMEMBERED = 256

/** Distance of a peer that has taken nothing yet. */
const UNKNOWN_DISTANCE = 1

interface Known {
  readonly distance: number
  /** When it took the last transaction; 0 for never. */
  readonly took: number
  /** Until then it is asked after the others. */
  readonly restUntil: number
}

const UNKNOWN: Known = { distance: UNKNOWN_DISTANCE, took: 0, restUntil: 0 }

/** What is known of those who pass transactions on. */
export interface PeerMemory {
  /** `peer` took a transaction, `distance` connections from the aggregator. */
  took(peer: PeerId, distance: number): void
  /** `peer` did not answer, or with nonsense. */
  failed(peer: PeerId): void
  /**
   * `peers` in the order to ask them: those that failed last; those that the operator named first, since whoever answers
   * is believed; then those near the aggregator; then who took the last one.
   */
  order(peers: readonly PeerId[]): PeerId[]
}

/** Makes a {@link PeerMemory}; `rest` in milliseconds. */
export function createPeerMemory(
  deps: { readonly env: Env; readonly isConfigured: (peer: PeerId) => boolean },
  { rest }: { readonly rest: number },
): PeerMemory {
  const { env, isConfigured } = deps
  const known = new LruCache<PeerId, Known>(REMEMBERED)
  return {
    took(peer, distance) {
      known.set(peer, { distance, took: env.monotonic(), restUntil: 0 })
    },
    failed(peer) {
      known.set(peer, { ...(known.get(peer) ?? UNKNOWN), restUntil: env.monotonic() + rest })
    },
    order(peers) {
      const now = env.monotonic()
      const ranked = peers.map((peer) => {
        const { distance, took, restUntil } = known.get(peer) ?? UNKNOWN
        return { peer, rests: Number(restUntil > now), stranger: Number(!isConfigured(peer)), distance, took }
      })
      ranked.sort(
        (a, b) => a.rests - b.rests || a.stranger - b.stranger || a.distance - b.distance || b.took - a.took,
      )
      return ranked.map(({ peer }) => peer)
    },
  }
}
