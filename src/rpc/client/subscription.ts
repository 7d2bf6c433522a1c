/*
 * Something that is told as it comes, over as many connections as it takes: each height once, in order.
 */
import { createBackoff, type Env, sleep } from '../../core/env.ts'
import { linkSignals } from '../../util/async.ts'
import type { EvolveError } from '../../util/errors.ts'
import { clientError, timedOut } from './errors.ts'
import { badResponse } from './messages.ts'
import type { SubscriptionOptions } from './types.ts'

/** What a message says: something new, or only that the node is there. */
export interface Told<T> {
  readonly value: T | undefined
  /** The height of `value`, where it has one. */
  readonly height: number | undefined
  /** The height that comes next, where a heartbeat says it. */
  readonly next: number | undefined
}

/** How a kind of subscription is asked for and understood. */
export interface SubscriptionSource<M, T> {
  readonly url: string
  readonly env: Env
  /** First height wanted; undefined for the next new one, and where there are no heights. */
  readonly from: number | undefined
  open(from: number | undefined, options: { readonly signal: AbortSignal }): AsyncIterable<M>
  read(message: M): Told<T>
  /** Ends by itself after this height. */
  readonly to?: number
}

/** Milliseconds without a message after which the node counts as lost: some heartbeats. */
export const SILENCE = 60_000

/** Milliseconds before asking again: doubled from first to last, and less by chance, so that not all come at once. */
const WAIT = { first: 250, last: 10_000 }

/** A subscription as an iterator. */
export function createSubscription<M, T>(
  source: SubscriptionSource<M, T>,
  { signal, reconnect = true, onInterruption }: SubscriptionOptions,
): AsyncIterableIterator<T, undefined> {
  const { env, url } = source
  const life = linkSignals(signal)
  let next = source.from

  const done = (): boolean => source.to !== undefined && next !== undefined && next > source.to

  /** What was told, if it is to be handed on. */
  function accepted({ value, height, next: coming }: Told<T>): T | undefined {
    if (value === undefined && coming !== undefined && coming > 0) next ??= coming
    if (height !== undefined) moveTo(height)
    return value
  }

  function moveTo(height: number): void {
    if (next !== undefined && height !== next) {
      throw badResponse(`the node at ${url} was to go on with height ${next} and came with ${height}`)
    }
    next = height + 1
  }

  /** What one connection brings, until it ends. */
  async function* attempt(onMessage: () => void): AsyncGenerator<T, undefined> {
    const connection = linkSignals(life.signal)
    const watch = createWatch(env, () =>
      connection.abort(timedOut(url, 'nothing was heard on a subscription', SILENCE)),
    )
    const stream = source.open(next, { signal: connection.signal })[Symbol.asyncIterator]()
    try {
      while (!done()) {
        watch.listen()
        const { done: ended, value: message } = await stream.next()
        watch.pause()
        if (ended === true) return
        onMessage()
        const value = accepted(source.read(message))
        if (value !== undefined) yield value
      }
    } catch (error) {
      throw connection.signal.aborted ? connection.signal.reason : error
    } finally {
      watch.end()
      // Whether it ended or is left behind: nothing of it stays open.
      connection.abort()
    }
  }

  async function* run(): AsyncGenerator<T, undefined> {
    const backoff = createBackoff(WAIT.first, WAIT.last)
    let attempts = 0
    while (!life.signal.aborted && !done()) {
      let failure: EvolveError
      try {
        yield* attempt(() => {
          attempts = 0
          backoff.reset()
        })
        if (done()) return
        failure = badEnd(url)
      } catch (error) {
        if (life.signal.aborted) return
        failure = clientError(url, error)
      }
      if (!reconnect || failure.verdict !== 'retry') throw failure
      const wait = Math.round(backoff.next() * (0.5 + env.random() / 2))
      onInterruption?.({ error: failure, attempt: attempts++, wait })
      try {
        await sleep(env, wait, life.signal)
      } catch {
        return
      }
    }
  }

  const iterator = run()
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    next: async () => await iterator.next(),
    async return() {
      // A pending next() ends with it.
      life.abort()
      return await iterator.return(undefined)
    },
  }
}

function badEnd(url: string): EvolveError {
  return clientError(url, `the subscription ended without a reason`)
}

/** Tells when nothing was heard for too long while somebody listened. */
function createWatch(env: Env, silent: () => void): { listen(): void; pause(): void; end(): void } {
  let since: number | undefined
  let cancel: (() => void) | undefined
  const look = (): void => {
    if (since !== undefined && env.monotonic() - since >= SILENCE) silent()
    else cancel = env.timer(SILENCE / 4, look, { background: true })
  }
  look()
  return {
    listen() {
      since = env.monotonic()
    },
    pause() {
      since = undefined
    },
    end() {
      cancel?.()
    },
  }
}
