import type { Env } from '../core/env.ts'
import type { PeerId } from '../core/network.ts'
import { createTokenBucket, type TokenBucket } from '../core/token-bucket.ts'
import { LruCache } from '../util/lru.ts'
import type { SubmissionLimits } from './limits.ts'

/** Peers whose rates are remembered. */
const REMEMBERED = 1_024

/** How many times the rate of a stranger a configured peer has. */
const CONFIGURED_FACTOR = 10

/** Says whether peers pass on more than they may. */
export interface PeerRates {
  /** Counts a request of `bytes` bytes; false when it is one too many, which then costs nothing. */
  take(peer: PeerId, bytes: number): boolean
}

/** Makes {@link PeerRates}. */
export function createPeerRates(
  env: Env,
  isConfigured: (peer: PeerId) => boolean,
  limits: SubmissionLimits,
): PeerRates {
  const peers = new LruCache<PeerId, { readonly txs: TokenBucket; readonly bytes: TokenBucket }>(REMEMBERED)
  return {
    take(peer, bytes) {
      let buckets = peers.get(peer)
      if (buckets === undefined) {
        const factor = isConfigured(peer) ? CONFIGURED_FACTOR : 1
        buckets = {
          txs: createTokenBucket(env, limits.peerTxs * factor, limits.peerTxsPerSecond * factor),
          bytes: createTokenBucket(env, limits.peerBytes * factor, limits.peerBytesPerSecond * factor),
        }
        peers.set(peer, buckets)
      }
      if (buckets.txs.wait(1) > 0 || buckets.bytes.wait(bytes) > 0) return false
      buckets.txs.take(1)
      buckets.bytes.take(bytes)
      return true
    },
  }
}
