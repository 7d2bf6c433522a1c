import { createBackoff, type Env, sleep } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { PeerId } from '../core/network.ts'
import { createWake, type Wake } from '../util/async.ts'
import { describeError } from '../util/errors.ts'

/** A connection that lived this many milliseconds was a good one: the next attempt after it starts over. */
const GOOD_CONNECTION = 30_000

/** What keeping peers connected needs of a host. `A` is an address it can dial. */
export interface SeedDeps<A> {
  readonly env: Env
  readonly logger: Logger
  /** Connects to a peer at any of its addresses. */
  readonly dial: (
    peer: PeerId,
    addresses: readonly A[],
    options: { readonly signal: AbortSignal },
  ) => Promise<void>
  readonly isConnected: (peer: PeerId) => boolean
}

/** Milliseconds between attempts to connect: `first`, doubling up to `last`. */
export interface RedialDelays {
  readonly first: number
  readonly last: number
}

/** Keeps the connections to the peers that the operator named. */
export interface Seeds extends Service {
  /** Tells that a connection to a peer came or went. */
  changed(peer: PeerId): void
}

/** Makes {@link Seeds}: dials at start and after each loss, with growing and jittered pauses, for as long as it runs. */
export function createSeeds<A>(
  { env, logger, dial, isConnected }: SeedDeps<A>,
  peers: ReadonlyMap<PeerId, readonly A[]>,
  { first, last }: RedialDelays,
): Seeds {
  const wakes = new Map<PeerId, Wake>()
  let running: { readonly controller: AbortController; readonly tasks: readonly Promise<void>[] } | undefined

  async function keep(peer: PeerId, addresses: readonly A[], wake: Wake, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(first, last)
    // Half to one and a half times as long, so that peers who lost one another together do not come back together.
    const pause = async (): Promise<void> => await sleep(env, backoff.next() * (0.5 + env.random()), signal)
    for (;;) {
      signal.throwIfAborted()
      if (!isConnected(peer)) {
        try {
          await dial(peer, addresses, { signal })
        } catch (error) {
          signal.throwIfAborted()
          logger.debug('peer not reached', { peer, reason: describeError(error) })
          await pause()
          continue
        }
      }
      logger.info('connected to configured peer', { peer })
      const since = env.monotonic()
      while (isConnected(peer)) await wake.wait(signal)
      logger.warn('lost configured peer', { peer })
      if (env.monotonic() - since >= GOOD_CONNECTION) backoff.reset()
      await pause()
    }
  }

  return {
    async start() {
      if (running !== undefined) return
      const controller = new AbortController()
      const tasks = [...peers].map(async ([peer, addresses]) => {
        const wake = createWake()
        wakes.set(peer, wake)
        try {
          await keep(peer, addresses, wake, controller.signal)
        } catch (error) {
          if (!controller.signal.aborted)
            logger.error('no longer dialling a configured peer', { peer, error })
        }
      })
      running = { controller, tasks }
    },
    async stop() {
      if (running === undefined) return
      const { controller, tasks } = running
      running = undefined
      controller.abort()
      wakes.clear()
      await Promise.all(tasks)
    },
    changed(peer) {
      wakes.get(peer)?.wake()
    },
  }
}
