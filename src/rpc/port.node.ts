/*
 * One TCP port for HTTP/1.1 and HTTP/2 without TLS: the first bytes of a connection say which it is. gRPC clients speak
 * HTTP/2 from the first byte (prior knowledge), browsers and curl HTTP/1.1.
 * Source: RFC 9113 §3.3 and §3.4.
 */
import { createServer as createHttp1, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  createServer as createHttp2,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2'
import { createServer as createTcp, type Server, type Socket } from 'node:net'
import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import { REQUEST_METRICS } from '../core/request-metrics.ts'
import { createSerial } from '../util/async.ts'
import { type BoundAddress, listenOn } from '../util/listen.node.ts'

/** A request in either HTTP. */
export type HttpRequest = IncomingMessage | Http2ServerRequest

/** The answer to it. */
export type HttpResponse = (ServerResponse & { readonly req: IncomingMessage }) | Http2ServerResponse

/** What an {@link HttpPort} needs. */
export interface HttpPortDeps {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Answers a request. Must not throw. */
  readonly handle: (request: HttpRequest, response: HttpResponse) => void
}

/** Options of an {@link HttpPort}. Durations in milliseconds. */
export interface HttpPortOptions {
  /** `host:port`; IPv6 addresses in brackets, no host for all, port 0 for any that is free. */
  readonly address: string
  /** Connections at once; further ones are closed. Default 4,096. */
  readonly maxConnections?: number
  /** For the head of a request, and the first bytes of a connection. Default 10,000. */
  readonly headTimeout?: number
  /** For a whole request. Default 30,000. */
  readonly requestTimeout?: number
  /** Of a connection without a request. Default 120,000. */
  readonly idleTimeout?: number
  /** What requests under way have when the port is closed. Default 1,000. */
  readonly stopGrace?: number
}

/** A TCP port that answers HTTP. */
export interface HttpPort extends Service {
  /** Undefined while it is closed. */
  readonly address: BoundAddress | undefined
}

/** First bytes of every HTTP/2 connection, and of no request of HTTP/1.1. */
const PREFACE = Buffer.from('PRI * HTTP/2.0')

/** Streams of one HTTP/2 connection at once. */
const MAX_STREAMS = 1_024

/** Milliseconds between looks for clients that are over their time. */
const CHECK_INTERVAL = 2_000

interface Running {
  readonly tcp: Server
  readonly sockets: Set<Socket>
  readonly sessions: Set<ServerHttp2Session>
  closeHttp1(): void
}

/** Makes an {@link HttpPort}. `start` rejects with `ADDRESS_IN_USE`, `INVALID_ADDRESS` and `LISTEN_FAILED`. */
export function createHttpPort(
  { env, logger, metrics, handle }: HttpPortDeps,
  options: HttpPortOptions,
): HttpPort {
  const { headTimeout = 10_000, requestTimeout = 30_000, idleTimeout = 120_000 } = options
  const serial = createSerial()
  let running: Running | undefined
  let bound: BoundAddress | undefined

  function createServers(): Running {
    const sockets = new Set<Socket>()
    const sessions = new Set<ServerHttp2Session>()
    const http1 = createHttp1(
      {
        headersTimeout: headTimeout,
        requestTimeout,
        keepAliveTimeout: idleTimeout,
        connectionsCheckingInterval: Math.min(CHECK_INTERVAL, headTimeout),
      },
      handle,
    )
    // It listens nowhere itself, but only then does it look for connections that are over their time.
    http1.emit('listening')
    const http2 = createHttp2({
      settings: { maxConcurrentStreams: MAX_STREAMS, enablePush: false },
      maxSessionMemory: 64,
    })
    http2.on('request', handle)
    http2.on('session', (session: ServerHttp2Session) => {
      sessions.add(session)
      session.once('close', () => sessions.delete(session))
      session.on('error', (error) => logger.debug('an HTTP/2 connection broke', { error }))
      session.setTimeout(idleTimeout, () => session.close())
    })
    http2.on('sessionError', (error) => logger.debug('an HTTP/2 connection broke', { error }))
    http1.on('clientError', (_error, socket) => void socket.destroy())
    const tcp = createTcp({ noDelay: true }, (socket) => {
      sockets.add(socket)
      metrics.gauge(REQUEST_METRICS.connections, sockets.size)
      socket.once('close', () => {
        sockets.delete(socket)
        metrics.gauge(REQUEST_METRICS.connections, sockets.size)
      })
      // Clients come and go as they like.
      socket.on('error', () => void socket.destroy())
      tellApart(socket, (two) => {
        if (two) http2.emit('connection', socket)
        else {
          http1.emit('connection', socket)
          // It reads what comes, not what was put back, until it is told that there is something.
          process.nextTick(() => void socket.resume())
        }
      })
    })
    tcp.maxConnections = options.maxConnections ?? 4_096
    return { tcp, sockets, sessions, closeHttp1: () => void http1.close() }
  }

  /** Says whether a connection begins as HTTP/2 does, once enough of it is there; ends one that says nothing. */
  function tellApart(socket: Socket, tell: (two: boolean) => void): void {
    let seen = Buffer.alloc(0)
    const cancel = env.timer(headTimeout, () => void socket.destroy(), { background: true })
    socket.once('close', cancel)
    const onData = (bytes: Buffer): void => {
      seen = Buffer.concat([seen, bytes])
      const length = Math.min(seen.length, PREFACE.length)
      const like = seen.subarray(0, length).equals(PREFACE.subarray(0, length))
      if (like && length < PREFACE.length) return
      cancel()
      socket.off('data', onData)
      socket.pause()
      socket.unshift(seen)
      tell(like)
    }
    socket.on('data', onData)
  }

  async function close(servers: Running): Promise<void> {
    const { tcp, sockets, sessions } = servers
    const over = new Promise<void>((resolve) => tcp.close(() => resolve()))
    for (const session of sessions) session.close()
    servers.closeHttp1()
    const cancel = env.timer(options.stopGrace ?? 1_000, () => {
      for (const session of sessions) session.destroy()
      for (const socket of sockets) socket.destroy()
    })
    await over
    cancel()
  }

  return {
    get address() {
      return bound
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (running !== undefined) return
        signal?.throwIfAborted()
        const created = createServers()
        bound = await listenOn(created.tcp, options.address)
        created.tcp.on('error', (error) => logger.warn('a connection could not be taken', { error }))
        running = created
      })
    },
    async stop() {
      await serial.run(async () => {
        if (running === undefined) return
        await close(running)
        running = undefined
        bound = undefined
      })
    },
  }
}
