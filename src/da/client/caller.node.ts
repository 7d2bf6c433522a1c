/*
 * Calls to a DA node: by WebSocket while there is one, by HTTP otherwise; each with a place, a time limit and an id.
 */
import { type Env, withTimeout } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { linkSignals } from '../../util/async.ts'
import { isEvolveError } from '../../util/errors.ts'
import { MAX_BLOB_JSON_BYTES } from './blobs-json.ts'
import { daError, isAnswerTooLarge } from './errors.ts'
import { callByHttp, type HttpCall, type HttpTarget, listByHttp } from './http.ts'
import { type Answer, resultOf } from './json-rpc.ts'
import { createLargeAnswers } from './large-answers.ts'
import { createLink, type Link } from './link.ts'
import type { ListSink } from './list-scanner.ts'
import { CLIENT_METRICS } from './metrics.ts'
import { createPlaces } from './places.ts'
import type { ClientSettings } from './settings.ts'
import type { ChannelSink } from './multiplexer.ts'
import { type DaSocket, openSocket } from './socket.node.ts'

/** What every part of the client needs. */
export interface ClientDeps {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** A channel that a call has opened. Call `end` when it is no longer wanted. */
export interface OpenChannel {
  end(): void
}

/** Makes calls, from its making until it is stopped. */
export interface Caller {
  /** Whether a WebSocket is open. */
  readonly webSocket: boolean
  /** Resolves with the result of a call. Rejects with an error of the DA codes, or with the signal's reason. */
  call(method: string, params: readonly unknown[], signal: AbortSignal): Promise<unknown>
  /**
   * As {@link Caller.call}, for a result that may be a list of up to `maxHeightBytes`. What came by HTTP went to `sink`,
   * element by element, and the result is an empty list; what came by WebSocket is in the result. Of a list that is too
   * large for the WebSocket, which breaks over it, the call is made again by HTTP.
   */
  list(method: string, params: readonly unknown[], sink: ListSink, signal: AbortSignal): Promise<unknown>
  /** Opens a channel. Rejects with `DA_UNREACHABLE` while there is no WebSocket. */
  open(
    method: string,
    params: readonly unknown[],
    sink: ChannelSink,
    signal: AbortSignal,
  ): Promise<OpenChannel>
  /** Calls under way reject with `DA_UNREACHABLE`. Resolves when nothing is open any more. */
  stop(): Promise<void>
}

/** Notes whether the DA node answers. */
export type ReachNote = (reached: boolean, error?: unknown) => void

type Send = (socket: DaSocket | undefined, id: number, signal: AbortSignal) => Promise<Answer>

/** Makes a {@link Caller}, which begins to open its WebSocket. Ids come from `nextId`. */
export function createCaller(
  { env, logger, metrics }: ClientDeps,
  settings: ClientSettings,
  { nextId, note }: { readonly nextId: () => number; readonly note: ReachNote },
): Caller {
  const { address, headers, maxBodyBytes, requestTimeout } = settings
  const target: HttpTarget = { url: address.http, host: address.host, headers, maxBodyBytes }
  const stopping = new AbortController()
  const link: Link<DaSocket> = createLink(
    {
      env,
      logger,
      metrics,
      open: async (options) =>
        await openSocket(
          { env, metrics },
          { ...settings, url: address.webSocket, host: address.host },
          options,
        ),
    },
    { first: settings.upgradeFirst, longest: settings.upgradeInterval },
  )
  const places = createPlaces(settings.maxInFlight, settings.maxWaiting, () =>
    daError('DA_FAILED', `more than ${settings.maxWaiting} calls wait for the DA node`),
  )
  const large = createLargeAnswers(env)

  /** The answer to a call, or why there is none. Only here it is known which of the two it was. */
  async function answerTo(method: string, send: Send, signal: AbortSignal): Promise<Answer> {
    try {
      const answer = await withTimeout(env, requestTimeout, signal, method, async (limited) => {
        const socket = await link.ready(limited)
        return await send(socket, nextId(), limited)
      })
      note(true)
      return answer
    } catch (error) {
      signal.throwIfAborted()
      const failure = isEvolveError(error, 'TIMEOUT')
        ? daError('DA_TIMEOUT', `no answer from the DA node to ${method} within ${requestTimeout} ms`)
        : error
      note(isEvolveError(failure, 'DA_UNAUTHORIZED'), failure)
      throw failure
    }
  }

  async function measured(method: string, send: Send, signal: AbortSignal): Promise<unknown> {
    const began = env.monotonic()
    let outcome = 'ok'
    try {
      return resultOf(method, await answerTo(method, send, signal))
    } catch (error) {
      outcome = signal.aborted ? 'cancelled' : isEvolveError(error) ? error.code : 'unknown'
      if (!signal.aborted) logger.debug('a DA call failed', { method, error })
      throw error
    } finally {
      metrics.count(CLIENT_METRICS.calls, 1, { method, outcome })
      metrics.observe(CLIENT_METRICS.callSeconds, (env.monotonic() - began) / 1_000, { method })
    }
  }

  async function ask(method: string, send: Send, signal: AbortSignal): Promise<unknown> {
    const either = linkSignals(signal, stopping.signal)
    const waiting = places.run(either.signal, async () => await measured(method, send, either.signal))
    metrics.gauge(CLIENT_METRICS.waiting, places.waiting)
    try {
      return await waiting
    } finally {
      either.release()
      metrics.gauge(CLIENT_METRICS.waiting, places.waiting)
    }
  }

  async function streamed(call: HttpCall, sink: ListSink, signal: AbortSignal): Promise<Answer> {
    const list = { sink, maxBytes: settings.maxHeightBytes, maxElementBytes: MAX_BLOB_JSON_BYTES }
    try {
      const { answer, bytes } = await listByHttp(target, call, list, { signal })
      if (bytes > maxBodyBytes) {
        large.came()
        metrics.count(CLIENT_METRICS.largeAnswers)
      }
      return answer
    } catch (error) {
      // A caller that gives up says nothing of HTTP.
      if (!signal.aborted || isEvolveError(signal.reason, 'TIMEOUT')) large.forget()
      throw error
    }
  }

  return {
    get webSocket() {
      return link.current !== undefined
    },
    async call(method, params, signal) {
      return await ask(
        method,
        async (socket, id, limited) =>
          socket === undefined
            ? await callByHttp(target, { id, method, params }, { signal: limited })
            : await socket.call({ id, method, params }, { signal: limited }),
        signal,
      )
    },
    async list(method, params, sink, signal) {
      return await ask(
        method,
        async (socket, id, limited) => {
          const call = { id, method, params }
          if (socket === undefined || large.expected) return await streamed(call, sink, limited)
          try {
            return await socket.call(call, { signal: limited })
          } catch (error) {
            limited.throwIfAborted()
            if (!isAnswerTooLarge(error)) throw error
            return await streamed({ ...call, id: nextId() }, sink, limited)
          }
        },
        signal,
      )
    },
    async open(method, params, sink, signal) {
      const noSocket = (): Error =>
        daError('DA_UNREACHABLE', `${method} needs a WebSocket, and there is none`)
      // Before the call: this says nothing of whether the DA node answers.
      if ((await link.ready(signal)) === undefined) throw noSocket()
      let end = (): void => undefined
      try {
        const result = await ask(
          method,
          async (socket, id, limited) => {
            if (socket === undefined) throw noSocket()
            end = () => socket.endChannel(id)
            return await socket.call({ id, method, params }, { signal: limited, sink })
          },
          signal,
        )
        if (typeof result === 'number') return { end }
        throw daError('DA_MALFORMED', `expected a channel as the result of ${method}, got ${typeof result}`)
      } catch (error) {
        // It may have been opened in the moment in which we gave up.
        end()
        throw error
      }
    },
    async stop() {
      stopping.abort(daError('DA_UNREACHABLE', 'the DA client stops'))
      await link.stop()
    },
  }
}
