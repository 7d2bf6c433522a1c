/*
 * How far the DA chain goes. A subscription tells of new heights; while there is none, or it is silent, the DA node
 * is asked.
 */
import type { DaClient } from '../../core/da.ts'
import { createBackoff, type Env, sleep, wakeOrTimeout } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import { createWake } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'
import type { Outage } from './outage.ts'

/** First waiting time after a failure, milliseconds. */
const FIRST_RETRY = 100
/** Waiting times before the next attempt to subscribe, milliseconds. */
const FIRST_SUBSCRIBE = 1_000
const LAST_SUBSCRIBE = 30_000
/** Milliseconds between questions, and of silence that is borne, when the DA block time is not known. */
const UNSET_POLL = 2_000
const UNSET_SILENCE = 30_000

/** What a {@link DaHead} needs. */
export interface DaHeadDeps {
  readonly client: DaClient
  readonly env: Env
  readonly logger: Logger
  readonly outage: Outage
}

/** The head of the DA chain as far as it is known here. */
export interface DaHead {
  /** Highest height known; 0 at first. */
  readonly height: number
  /** Milliseconds between two questions. */
  readonly poll: number
  /** Keeps a subscription until the signal aborts. Does not reject. */
  watch(namespace: Uint8Array, signal: AbortSignal): Promise<void>
  /**
   * Resolves when the chain has reached a height. With `consumed`, the height below was read before: rejects with
   * `DA_REORG` when the chain ends below that, and still does on a second look.
   */
  reach(height: number, options: { readonly signal: AbortSignal; readonly consumed: boolean }): Promise<void>
  /** The DA node says that this height is still to come. */
  notYet(height: number): void
  /** Asks for the head until there is an answer. */
  ask(options: { readonly signal: AbortSignal }): Promise<number>
}

/** Milliseconds between two questions; `blockTime` is 0 when it is not known. */
export function daPoll(blockTime: number): number {
  return blockTime > 0 ? blockTime : UNSET_POLL
}

/** The waiting times after failures of DA. */
export function daBackoff(poll: number): ReturnType<typeof createBackoff> {
  return createBackoff(Math.min(FIRST_RETRY, poll), poll)
}

/** The error that says from which DA height on the chain is another one. */
export function daReorg(height: number, message: string): EvolveError {
  return new EvolveError('DA_REORG', message, { verdict: 'retry', data: { height } })
}

/** Makes a {@link DaHead}. `blockTime` is that of the DA chain in milliseconds, 0 when it is not known. */
export function createDaHead(
  { client, env, logger, outage }: DaHeadDeps,
  { blockTime }: { readonly blockTime: number },
): DaHead {
  const poll = daPoll(blockTime)
  const silence = blockTime > 0 ? 3 * blockTime : UNSET_SILENCE
  const moved = createWake()
  let height = 0
  let heardAt: number | undefined
  let askedAt: number | undefined

  function raise(to: number): void {
    if (to <= height) return
    height = to
    moved.wake()
  }

  /** Milliseconds until the DA node is to be asked. */
  function patience(doubting: boolean): number {
    const now = env.monotonic()
    const polled = askedAt === undefined ? 0 : askedAt + poll - now
    const quiet = heardAt === undefined || doubting ? 0 : heardAt + silence - now
    return Math.max(polled, quiet)
  }

  async function ask(signal: AbortSignal): Promise<number> {
    const backoff = daBackoff(poll)
    for (;;) {
      try {
        askedAt = env.monotonic()
        const head = await client.head({ signal })
        outage.answered()
        return head.height
      } catch (error) {
        signal.throwIfAborted()
        outage.failed(error, { asked: 'head' })
        await sleep(env, backoff.next(), signal)
      }
    }
  }

  return {
    poll,
    get height() {
      return height
    },
    async watch(namespace, signal) {
      const backoff = createBackoff(Math.min(FIRST_SUBSCRIBE, poll), LAST_SUBSCRIBE)
      try {
        for (;;) {
          try {
            for await (const event of client.subscribe(namespace, { signal })) {
              heardAt = env.monotonic()
              backoff.reset()
              raise(event.height)
            }
          } catch (error) {
            signal.throwIfAborted()
            logger.debug('no subscription to DA', { error })
          }
          heardAt = undefined
          moved.wake()
          await sleep(env, backoff.next(), signal)
        }
      } catch (error) {
        if (!signal.aborted) logger.error('watching DA ended', { error })
      }
    },
    async reach(wanted, { signal, consumed }) {
      let fell = false
      while (height < wanted) {
        const wait = patience(fell)
        if (wait > 0) {
          await wakeOrTimeout(env, moved, wait, signal)
          continue
        }
        const found = await ask(signal)
        raise(found)
        const below = consumed && height < wanted && found < wanted - 1
        if (below && fell) {
          height = found
          throw daReorg(found + 1, `DA ends at height ${found}, but ${wanted - 1} was read before`)
        }
        fell = below
      }
    },
    notYet(above) {
      height = Math.min(height, above - 1)
      heardAt = undefined
      askedAt = env.monotonic()
    },
    async ask({ signal }) {
      raise(await ask(signal))
      return height
    },
  }
}
