/*
 * Keeps a WebSocket to the DA node open, and comes back to it by itself when it breaks.
 */
import { createBackoff, type Env, sleep } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { abortable, deferred } from '../../util/async.ts'
import { CLIENT_METRICS } from './metrics.ts'

/** What a link needs to know of a WebSocket. */
export interface Linked {
  readonly usable: boolean
  readonly answered: boolean
  readonly closed: Promise<Error>
  close(): Promise<void>
}

/** A WebSocket that comes and goes. */
export interface Link<S extends Linked> {
  /** The open one now, without waiting. */
  readonly current: S | undefined
  /**
   * The open one, undefined while there is none. Waits for nothing but the very first attempt. Rejects with the
   * signal's reason.
   */
  ready(signal: AbortSignal): Promise<S | undefined>
  /** Resolves when nothing is open and nothing is tried any more. */
  stop(): Promise<void>
}

/** Parts of a link. */
export interface LinkDeps<S extends Linked> {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  open(options: { readonly signal: AbortSignal }): Promise<S>
}

/** Milliseconds between two attempts: the first and the longest. */
export interface LinkOptions {
  readonly first: number
  readonly longest: number
}

/** Makes a {@link Link} that tries from now on. */
export function createLink<S extends Linked>(deps: LinkDeps<S>, options: LinkOptions): Link<S> {
  const { env, logger, metrics } = deps
  const controller = new AbortController()
  const { signal } = controller
  const backoff = createBackoff(options.first, options.longest)
  const tried = deferred<void>()
  let current: S | undefined
  let complained = false

  /** Once for as long as there is no WebSocket. */
  function complain(message: string, error: unknown): void {
    logger[complained ? 'debug' : 'warn'](message, { error })
    complained = true
  }

  async function hold(socket: S): Promise<void> {
    current = socket
    complained = false
    metrics.gauge(CLIENT_METRICS.webSocket, 1)
    logger.info('DA calls go by WebSocket')
    tried.resolve()
    try {
      const why = await abortable(socket.closed, signal)
      metrics.count(CLIENT_METRICS.webSocketLost)
      complain('lost the WebSocket to DA, calls go by HTTP', why)
    } finally {
      current = undefined
      metrics.gauge(CLIENT_METRICS.webSocket, 0)
      await socket.close()
      // One that was opened and never said anything is no better than one that was not opened.
      if (socket.answered) backoff.reset()
    }
  }

  async function work(): Promise<void> {
    for (;;) {
      let socket: S | undefined
      try {
        socket = await deps.open({ signal })
      } catch (error) {
        if (signal.aborted) return
        complain('DA opens no WebSocket, calls go by HTTP', error)
        tried.resolve()
      }
      if (socket !== undefined) await hold(socket)
      await sleep(env, backoff.next(), signal)
    }
  }

  const over = work().catch((error: unknown) => {
    if (!signal.aborted) logger.error('the link to DA ended', { error })
  })
  return {
    get current() {
      return current?.usable === true ? current : undefined
    },
    async ready(waiter) {
      await abortable(tried.promise, waiter)
      return current?.usable === true ? current : undefined
    },
    async stop() {
      controller.abort(new DOMException('the link stops', 'AbortError'))
      tried.resolve()
      await over
    },
  }
}
