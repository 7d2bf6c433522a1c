/*
 * HTTP and WebSocket on one port.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import { formatHostPort, listenOn } from '../../util/listen.node.ts'
import { answerRequest, type HttpDeps, type HttpOptions, refusal } from './http.node.ts'
import type { Outcome } from './faults.ts'
import type { Limits } from './limits.ts'
import { serveWebSocket, type WebSocketDeps } from './websocket.node.ts'

/** Options of {@link listen}. */
export interface ServerOptions extends Limits, HttpOptions {
  readonly host: string
  /** 0 takes any that is free. */
  readonly port: number
}

/** What the server needs. */
export type ServerDeps = HttpDeps & WebSocketDeps

/** A server that listens. */
export interface ListeningServer {
  readonly port: number
  /** Open ones. */
  readonly webSockets: number
  /** Ends all connections; resolves when none is left. */
  close(): Promise<void>
}

/** Milliseconds for a whole request, and how long an idle connection is kept. */
const REQUEST_TIME = 60_000
const KEEP_ALIVE_TIME = 75_000

/**
 * Listens. Rejects with `ADDRESS_IN_USE` when somebody else has the port, `LISTEN_FAILED` when the address cannot be
 * had for another reason.
 */
export async function listen(deps: ServerDeps, options: ServerOptions): Promise<ListeningServer> {
  const { calls, logger } = deps
  const stopping = new AbortController()
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: options.maxRequestBytes,
    perMessageDeflate: false,
  })
  const answering = new Set<Promise<void>>()
  const http = createServer(
    { requestTimeout: REQUEST_TIME, keepAliveTimeout: KEEP_ALIVE_TIME },
    (request, response) => {
      const answer = answerRequest(request, response, deps, options, stopping.signal)
        .catch((error: unknown) => {
          logger.debug('a request to the local DA broke', { error })
          response.destroy()
        })
        .finally(() => answering.delete(answer))
      answering.add(answer)
    },
  )
  http.maxConnections = options.maxConnections
  const sockets = new Set<Duplex>()
  http.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const onError = (): void => void socket.destroy()
    socket.on('error', onError)
    const refused = refusal(request, options)
    const outcome: Outcome =
      refused === undefined ? await calls.connect(stopping.signal) : { kind: 'status', status: refused }
    if (outcome.kind === 'drop') socket.destroy()
    else if (outcome.kind === 'status') refuseUpgrade(socket, outcome.status)
    else if (outcome.kind === 'failure') refuseUpgrade(socket, 503)
    else if (outcome.kind !== 'silence') {
      socket.off('error', onError)
      webSockets.handleUpgrade(request, socket, head, (opened) =>
        serveWebSocket(opened, deps, options, stopping.signal),
      )
    }
  }
  http.on('upgrade', (request, socket, head) => void upgrade(request, socket, head))
  // A server without this listener ends the process when a client sends garbage.
  http.on('clientError', (_error, socket) => void socket.destroy())
  const { port } = await listenOn(http, formatHostPort(options))
  return {
    port,
    get webSockets() {
      return webSockets.clients.size
    },
    async close() {
      const closed = once(http, 'close')
      http.close()
      stopping.abort(new DOMException('the local DA stops', 'AbortError'))
      // Answers on their way get out; who is never answered does not hold this up.
      await Promise.all(answering)
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

function refuseUpgrade(socket: Duplex, status: number): void {
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  )
}
