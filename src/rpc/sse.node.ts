/*
 * Subscriptions as server-sent events, for EventSource and curl: `/events/blocks?from=&full=`, `/events/finality?from=`,
 * `/events/status?interval=`. The id of an event is its height, so that a reader that comes back goes on behind it; its
 * data is the JSON of the message that the services stream. Comments say that the node is there. An event `end` says why
 * a stream ends, and from which height to go on.
 * Source: HTML standard, §9.2 Server-sent events.
 */
import type { Logger } from '../core/logger.ts'
import { utf8 } from '../util/bytes.ts'
import { type EvolveError, isEvolveError } from '../util/errors.ts'
import { connectCodeOf, invalidRequest, nextHeightOf, tellable } from './errors.ts'
import type { HttpRequest, HttpResponse } from './port.node.ts'
import { isGone, responseSink } from './response-sink.node.ts'
import type { Subscription } from './subscriptions/member.ts'
import { sinkOutlet } from './subscriptions/outlet.ts'
import type { Subscriptions } from './subscriptions/subscriptions.ts'

/** Answers requests for event streams. */
export interface EventStreams {
  /** Answers a request if it is for an event stream; says whether it was. */
  handle(request: HttpRequest, response: HttpResponse): boolean
}

/** What {@link createEventStreams} needs. */
export interface EventStreamsDeps {
  readonly subscriptions: Subscriptions
  readonly logger: Logger
}

const PREFIX = '/events/'

/** Milliseconds after which a reader that lost the stream comes back. */
const RETRY = 1_000

/** HTTP statuses of refusals; others are 500. */
const STATUSES: ReadonlyMap<string, number> = new Map([
  ['INVALID_REQUEST', 400],
  ['BLOCK_NOT_FOUND', 404],
  ['BLOCK_PRUNED', 404],
  ['TOO_MANY_SUBSCRIBERS', 503],
  ['NODE_STOPPING', 503],
])

/** Makes {@link EventStreams}. */
export function createEventStreams({ subscriptions, logger }: EventStreamsDeps): EventStreams {
  /** Opens what a path names; undefined when it names nothing. */
  async function open(url: URL, lastId: string): Promise<Subscription<unknown> | undefined> {
    const { pathname, searchParams } = url
    switch (pathname.slice(PREFIX.length)) {
      case 'blocks':
        return await subscriptions.blocks({
          from: firstHeight(searchParams, lastId),
          full: flag(searchParams, 'full'),
        })
      case 'finality':
        return await subscriptions.finality({ from: firstHeight(searchParams, lastId) })
      case 'status':
        return await subscriptions.status({ interval: numberIn(searchParams, 'interval') ?? 0 })
      default:
        return undefined
    }
  }

  async function serve(url: URL, request: HttpRequest, response: HttpResponse): Promise<void> {
    const subscription = await open(url, String(request.headers['last-event-id'] ?? ''))
    if (subscription === undefined) {
      refuse(response, 404, { code: 'NOT_FOUND', message: 'there are /events/blocks, /finality and /status' })
      return
    }
    const close = (): void => subscription.close()
    response.once('close', close)
    try {
      if (isGone(response)) return
      begin(response)
      const sink = responseSink(response)
      sink.write(utf8(`retry: ${RETRY}\n${comment(subscription.next)}`))
      const outlet = sinkOutlet(sink, 'sse', (next) => utf8(comment(next)))
      const reason = await subscription.tell(outlet)
      if (reason !== undefined) sink.write(utf8(ending(reason)))
    } finally {
      close()
      response.end()
    }
  }

  function fail(response: HttpResponse, thrown: unknown): void {
    if (isGone(response) || response.headersSent) return
    const error = tellable(thrown)
    if (isEvolveError(error) && connectCodeOf(error) !== undefined) {
      refuse(response, STATUSES.get(error.code) ?? 500, told(error))
      return
    }
    logger.error('an event stream failed', { error })
    refuse(response, 500, { code: 'RPC_FAILED', message: 'the node failed; its log says why' })
  }

  return {
    handle(request, response) {
      const url = URL.parse(request.url ?? '', 'http://localhost')
      if (url?.pathname.startsWith(PREFIX) !== true) return false
      if (request.method !== 'GET') {
        response.setHeader('allow', 'GET')
        refuse(response, 405, { code: 'INVALID_REQUEST', message: 'event streams are asked for by GET' })
        return true
      }
      serve(url, request, response).catch((error: unknown) => fail(response, error))
      return true
    },
  }
}

/** A stream that begins must not be kept back or kept for later by anybody on its way. */
function begin(response: HttpResponse): void {
  response.statusCode = 200
  response.setHeader('content-type', 'text/event-stream; charset=utf-8')
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-accel-buffering', 'no')
  response.setHeader('x-content-type-options', 'nosniff')
}

function comment(next: number): string {
  return next === 0 ? ':\n\n' : `: next ${next}\n\n`
}

function told(error: EvolveError): Record<string, unknown> {
  const nextHeight = nextHeightOf(error)
  return { code: error.code, message: error.message, ...(nextHeight > 0 ? { nextHeight } : {}) }
}

function ending(reason: EvolveError): string {
  return `event: end\ndata: ${JSON.stringify(told(reason))}\n\n`
}

function refuse(response: HttpResponse, status: number, body: Readonly<Record<string, unknown>>): void {
  response.statusCode = status
  response.setHeader('content-type', 'application/json')
  response.setHeader('cache-control', 'no-store')
  if (status === 503) response.setHeader('retry-after', '10')
  response.end(`${JSON.stringify(body)}\n`)
}

/** A whole number, or undefined where there is none. Throws `INVALID_REQUEST` for anything else. */
function numberOf(text: string | null, name: string): number | undefined {
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(value)) return value
  throw invalidRequest(
    `${name} must be a whole number up to 2^53 - 1, got ${JSON.stringify(text.slice(0, 64))}`,
  )
}

function numberIn(params: URLSearchParams, name: string): number | undefined {
  return numberOf(params.get(name), name)
}

/** The first height wanted: behind the last one that the reader has, if it has any. */
function firstHeight(params: URLSearchParams, lastId: string): number | undefined {
  const last = numberOf(lastId, 'Last-Event-ID')
  if (last !== undefined) return last + 1
  return numberIn(params, 'from') || undefined
}

function flag(params: URLSearchParams, name: string): boolean {
  const text = params.get(name)
  if (text === null || text === 'false' || text === '0') return false
  if (text === '' || text === 'true' || text === '1') return true
  throw invalidRequest(`${name} must be true or false, got ${JSON.stringify(text.slice(0, 64))}`)
}
