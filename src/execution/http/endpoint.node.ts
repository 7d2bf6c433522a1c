/*
 * The embedded executors over HTTP: paths, statuses and bodies are those that clients of the Go testapp know.
 * Source: ev-node v1.2.3 apps/testapp/kv/http_server.go
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Env } from '../../core/env.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import { createSerial } from '../../util/async.ts'
import { formatHostPort, listenOn } from '../../util/listen.node.ts'
import type { EntryExecutor } from '../entry-executor.ts'
import { createRoutes } from './routes.node.ts'
import { answer } from './answer.node.ts'

/** Milliseconds a client has for its request's head, for the whole request, and between requests or bytes. */
const HEAD_TIMEOUT = 10_000
const REQUEST_TIMEOUT = 30_000
const IDLE_TIMEOUT = 60_000

/** Milliseconds between looks for clients that are over these. */
const CHECK_INTERVAL = 2_000

/** Connections at once; further ones are closed. */
const MAX_CONNECTIONS = 1_024

/** Milliseconds that requests under way have when the endpoint stops. */
const STOP_GRACE = 5_000

/** What an endpoint needs. */
export interface KvEndpointDeps {
  readonly executor: EntryExecutor
  readonly env: Env
  readonly logger: Logger
  /** Why transactions are not taken here, for the client to read; undefined when they are. */
  readonly canSubmit?: () => string | undefined
}

/** Options of {@link createKvEndpoint}. */
export interface KvEndpointOptions {
  /** `host:port`; IPv6 addresses in brackets, no host for all, port 0 for any that is free. */
  readonly address: string
}

/** Serves an embedded executor over HTTP. */
export interface KvEndpoint extends Service {
  /** `host:port` where it listens; the address it was given while it does not. */
  readonly address: string
}

/**
 * Makes a {@link KvEndpoint}:
 *
 * - `POST /tx`: the body is a transaction. 202; 400 when it makes no sense; 413 over 1 MiB; 503 when there is no
 *   room, with Retry-After, or when transactions are not taken here
 * - `GET /kv?key=`: 200 with the value, 404 without
 * - `GET /store`: all entries as JSON
 * - `GET /stats`: `injected_txs` taken here, `executed_txs` and `blocks_produced` since the executor was made, JSON
 *
 * Errors are a line of text. Other methods get 405, other paths 404. `start` rejects with `ADDRESS_IN_USE`,
 * `INVALID_ADDRESS` and `LISTEN_FAILED`.
 */
export function createKvEndpoint(deps: KvEndpointDeps, { address }: KvEndpointOptions): KvEndpoint {
  const logger = deps.logger.child({ component: 'kv-endpoint' })
  const serial = createSerial()
  const routes = createRoutes(deps)
  let server: Server | undefined
  let bound = address

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away is no error of ours.
    request.on('error', () => undefined)
    response.on('error', () => undefined)
    try {
      await routes(request, response)
    } catch (error) {
      if (response.destroyed || request.destroyed) return
      logger.error('a request failed', { method: request.method, error })
      if (response.headersSent) response.destroy()
      else answer(response, 500, 'Internal server error')
    }
  }

  async function listen(): Promise<Server> {
    const created = createServer(
      {
        headersTimeout: HEAD_TIMEOUT,
        requestTimeout: REQUEST_TIMEOUT,
        keepAliveTimeout: IDLE_TIMEOUT,
        connectionsCheckingInterval: CHECK_INTERVAL,
      },
      (request, response) => void handle(request, response),
    )
    created.maxConnections = MAX_CONNECTIONS
    created.timeout = IDLE_TIMEOUT
    bound = formatHostPort(await listenOn(created, address))
    created.on('error', (error) => logger.warn('the endpoint could not take a connection', { error }))
    return created
  }

  async function close(open: Server): Promise<void> {
    const over = new Promise<void>((resolve) => open.close(() => resolve()))
    const cancel = deps.env.timer(STOP_GRACE, () => open.closeAllConnections())
    await over
    cancel()
  }

  return {
    get address() {
      return bound
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (server !== undefined) return
        signal?.throwIfAborted()
        server = await listen()
        logger.info('executor can be reached over HTTP', { address: bound })
      })
    },
    async stop() {
      await serial.run(async () => {
        if (server === undefined) return
        await close(server)
        server = undefined
        bound = address
      })
    },
  }
}
