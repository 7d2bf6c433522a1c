import { type Env, withTimeout } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'

/** A connection that is watched. */
export interface Watched {
  readonly id: string
  /** Whether it goes to a peer that the operator named. */
  readonly configured: boolean
  /** Resolves when the peer answered. */
  ping(options: { readonly signal: AbortSignal }): Promise<void>
  /** Ends the connection. */
  drop(reason: string): void
}

/** How connections are watched. */
export interface LivenessOptions {
  /** Milliseconds between pings of a configured peer, and the time it has to answer. */
  readonly interval: number
  /** Pings in a row that may go unanswered before the connection is closed. */
  readonly misses: number
}

/** Other peers are pinged this many times less often. */
const OTHERS_FACTOR = 3

interface Health {
  misses: number
  /** Rounds until the next ping. */
  due: number
  busy: boolean
}

/**
 * Pings every connection by and by, and closes those that no longer answer: a connection whose other end is gone
 * without a word looks open for many minutes otherwise.
 */
export function createLiveness(
  {
    env,
    logger,
    connections,
  }: { readonly env: Env; readonly logger: Logger; readonly connections: () => readonly Watched[] },
  { interval, misses }: LivenessOptions,
): Service {
  let health = new Map<string, Health>()
  let controller: AbortController | undefined
  let cancel = (): void => {}

  async function check(connection: Watched, state: Health, signal: AbortSignal): Promise<void> {
    state.busy = true
    try {
      await withTimeout(
        env,
        interval,
        signal,
        'answering a ping',
        async (within) => await connection.ping({ signal: within }),
      )
      state.misses = 0
    } catch (error) {
      if (signal.aborted) return
      state.misses++
      logger.debug('ping not answered', { connection: connection.id, misses: state.misses, error })
      if (state.misses >= misses) connection.drop(`${misses} pings in a row went unanswered`)
    } finally {
      state.busy = false
    }
  }

  function round(signal: AbortSignal): void {
    const next = new Map<string, Health>()
    for (const connection of connections()) {
      const period = connection.configured ? 1 : OTHERS_FACTOR
      const state = health.get(connection.id) ?? { misses: 0, due: period, busy: false }
      next.set(connection.id, state)
      state.due--
      // A peer that missed one is asked again at once, whoever it is.
      if (state.busy || (state.due > 0 && state.misses === 0)) continue
      state.due = period
      void check(connection, state, signal)
    }
    health = next
    cancel = env.timer(interval, () => round(signal), { background: true })
  }

  return {
    async start() {
      if (controller !== undefined) return
      controller = new AbortController()
      const { signal } = controller
      cancel = env.timer(interval, () => round(signal), { background: true })
    },
    async stop() {
      cancel()
      controller?.abort()
      controller = undefined
      health = new Map()
    },
  }
}
