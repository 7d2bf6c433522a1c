import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import { createSerial } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { type BoundAddress, listenOn } from '../util/listen.node.ts'

/** Milliseconds a client has for its request's head, and between requests or bytes. */
const HEAD_TIMEOUT = 10_000
const IDLE_TIMEOUT = 60_000

/** Milliseconds between looks for clients that are over these. */
const CHECK_INTERVAL = 2_000

/** Milliseconds that answers under way have when the service stops. */
const STOP_GRACE = 1_000

/** Connections at once; further ones are closed. */
const MAX_CONNECTIONS = 128

/** Options of {@link createHttpService}. */
export interface HttpServiceOptions {
  /** `host:port`; IPv6 addresses in brackets; port 0 for any that is free. */
  readonly address: string
  /** Where to listen when the address names no host; left out, on all addresses. */
  readonly defaultHost?: string
  /** Milliseconds of a silent connection; 0 for as long as an answer takes. */
  readonly idleTimeout?: number
}

/** Deps of {@link createHttpService}. */
export interface HttpServiceDeps {
  readonly env: Env
  readonly logger: Logger
  /** Answers a request. `signal` aborts when the client goes away or the service stops. */
  readonly handle: (request: IncomingMessage, response: ServerResponse, signal: AbortSignal) => Promise<void>
  /** Called with where it listens, each time it begins to. */
  readonly onListening: (address: BoundAddress) => void
}

/** An HTTP server for operators. */
export interface HttpService extends Service {
  /** Undefined while it does not listen. */
  readonly address: BoundAddress | undefined
}

/** Makes an {@link HttpService}. `start` rejects with `ADDRESS_IN_USE`, `INVALID_ADDRESS` and `LISTEN_FAILED`. */
export function createHttpService(
  { env, logger, handle, onListening }: HttpServiceDeps,
  options: HttpServiceOptions,
): HttpService {
  const { idleTimeout = IDLE_TIMEOUT, defaultHost = '' } = options
  const address = options.address.startsWith(':') ? `${defaultHost}${options.address}` : options.address
  const serial = createSerial()
  let running: { readonly server: Server; readonly stopping: AbortController } | undefined
  let bound: BoundAddress | undefined

  async function answerTo(
    request: IncomingMessage,
    response: ServerResponse,
    stopping: AbortSignal,
  ): Promise<void> {
    const gone = new AbortController()
    const onGone = (): void => gone.abort(new EvolveError('CLIENT_GONE', 'the client went away'))
    const onStop = (): void => gone.abort(stopping.reason)
    // A client that goes away is no error of ours.
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    response.once('close', onGone)
    stopping.addEventListener('abort', onStop, { once: true })
    try {
      await handle(request, response, gone.signal)
    } catch (error) {
      if (gone.signal.aborted) {
        response.destroy()
        return
      }
      logger.error('a request failed', { method: request.method, path: request.url, error })
      if (response.headersSent) response.destroy()
      else answer(response, 500, 'internal error')
    } finally {
      stopping.removeEventListener('abort', onStop)
    }
  }

  async function listen(): Promise<void> {
    const stopping = new AbortController()
    const server = createServer(
      {
        headersTimeout: HEAD_TIMEOUT,
        requestTimeout: HEAD_TIMEOUT,
        keepAliveTimeout: IDLE_TIMEOUT,
        connectionsCheckingInterval: CHECK_INTERVAL,
      },
      (request, response) => void answerTo(request, response, stopping.signal),
    )
    server.maxConnections = MAX_CONNECTIONS
    server.timeout = idleTimeout
    bound = await listenOn(server, address)
    server.on('error', (error) => logger.warn('a connection could not be taken', { error }))
    running = { server, stopping }
    onListening(bound)
  }

  return {
    get address() {
      return bound
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (running !== undefined) return
        signal?.throwIfAborted()
        await listen()
      })
    },
    async stop() {
      await serial.run(async () => {
        if (running === undefined) return
        const { server, stopping } = running
        stopping.abort(new EvolveError('SERVICE_STOPPED', 'the service stops'))
        const over = new Promise<void>((resolve) => server.close(() => resolve()))
        const cancel = env.timer(STOP_GRACE, () => server.closeAllConnections())
        await over
        cancel()
        running = undefined
        bound = undefined
      })
    },
  }
}

/** Answers with a line of text. */
export function answer(response: ServerResponse, status: number, text: string): void {
  if (response.destroyed || response.headersSent) return
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  })
  response.end(`${text}\n`)
}

/** Path and parameters of a request; undefined when its method is none that reads, which has then been answered. */
export function readingUrl(request: IncomingMessage, response: ServerResponse): URL | undefined {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD')
    answer(response, 405, 'only GET and HEAD are answered')
    return undefined
  }
  const url = URL.parse(`http://localhost${request.url ?? '/'}`)
  if (url === null) answer(response, 400, 'the address of the request cannot be read')
  return url ?? undefined
}
