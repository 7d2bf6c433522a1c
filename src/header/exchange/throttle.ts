import type { Env } from '../../core/env.ts'
import type { PeerId } from '../../core/network.ts'
import { createTokenBucket, type TokenBucket } from '../../core/token-bucket.ts'
import { LruCache } from '../../util/lru.ts'
import type { Rate } from './limits.ts'

/** What was asked for, or sent. */
export interface Load {
  readonly items: number
  readonly bytes: number
}

/** Says how long peers must wait for more. */
export interface Throttle {
  /** Milliseconds until `peer` may have `load`. */
  wait(peer: PeerId, load: Load): number
  /** Notes that `peer` has it. */
  take(peer: PeerId, load: Load): void
  /** Notes that `peer` asked for what is not here, and gives the milliseconds after which it may hear so. */
  miss(peer: PeerId): number
}

interface Buckets {
  readonly items: TokenBucket
  readonly bytes: TokenBucket
}

interface PeerBuckets extends Buckets {
  readonly misses: TokenBucket
}

/** Peers whose buckets are remembered. */
const REMEMBERED = 1_024

/**
 * Makes a {@link Throttle}: each peer has its rate, those that are not configured share one, and so do the
 * configured ones, so that strangers cannot use up what is theirs.
 */
export function createThrottle(
  env: Env,
  isConfigured: (peer: PeerId) => boolean,
  rates: {
    readonly peer: Rate
    readonly total: Rate
    readonly misses: { readonly answers: number; readonly answersPerSecond: number }
  },
): Throttle {
  const make = (rate: Rate): Buckets => ({
    items: createTokenBucket(env, rate.items, rate.itemsPerSecond),
    bytes: createTokenBucket(env, rate.bytes, rate.bytesPerSecond),
  })
  const peers = new LruCache<PeerId, PeerBuckets>(REMEMBERED)
  const strangers = make(rates.total)
  const configured = make(rates.total)
  const { answers, answersPerSecond } = rates.misses
  const ownOf = (peer: PeerId): PeerBuckets => {
    const known = peers.get(peer)
    if (known !== undefined) return known
    const own = { ...make(rates.peer), misses: createTokenBucket(env, answers, answersPerSecond) }
    peers.set(peer, own)
    return own
  }
  const bucketsOf = (peer: PeerId): readonly Buckets[] => [
    ownOf(peer),
    isConfigured(peer) ? configured : strangers,
  ]
  return {
    wait(peer, load) {
      const waits = bucketsOf(peer).flatMap(({ items, bytes }) => [
        items.wait(load.items),
        bytes.wait(load.bytes),
      ])
      return Math.max(...waits)
    },
    take(peer, load) {
      for (const { items, bytes } of bucketsOf(peer)) {
        items.take(load.items)
        bytes.take(load.bytes)
      }
    },
    miss(peer) {
      const { misses } = ownOf(peer)
      const wait = misses.wait(1)
      misses.take(1)
      return wait
    },
  }
}
