import type { Env } from './env.ts'

/** Tokens that are added with time, up to a most. They may be overdrawn: then one waits. */
export interface TokenBucket {
  /** Milliseconds until `amount` could be taken without overdrawing; 0 when at once. */
  wait(amount: number): number
  /** Takes `amount`, overdrawing if need be. */
  take(amount: number): void
}

/** Makes a full {@link TokenBucket}. An amount above `capacity` counts as `capacity` when waiting. */
export function createTokenBucket(env: Env, capacity: number, perSecond: number): TokenBucket {
  let tokens = capacity
  let at = env.monotonic()
  const refill = (): void => {
    const now = env.monotonic()
    tokens = Math.min(capacity, tokens + ((now - at) * perSecond) / 1000)
    at = now
  }
  return {
    wait(amount) {
      refill()
      const missing = Math.min(amount, capacity) - tokens
      return missing <= 0 ? 0 : Math.ceil((missing * 1000) / perSecond)
    },
    take(amount) {
      refill()
      tokens -= amount
    },
  }
}
