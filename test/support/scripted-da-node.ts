import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { deferred } from '../../src/util/async.ts'

/** A call as it came in. */
export interface SeenCall {
  readonly by: 'http' | 'websocket'
  /** Undefined for a notification. */
  readonly id: number | undefined
  readonly method: string
  readonly params: readonly unknown[]
  readonly authorization: string | undefined
}

/** A DA node that does with calls what a test says. */
export interface ScriptedDaNode {
  /** `http://127.0.0.1:port`. */
  readonly url: string
  readonly host: string
  /** Calls in the order in which they came. */
  readonly calls: readonly SeenCall[]
  /** Open WebSockets. */
  readonly sockets: ReadonlySet<WebSocket>
  /** What happens to a request to open a WebSocket: it is opened, answered with a status, reset, or left alone. */
  upgrade: 'open' | 'silence' | 'reset' | number
  /** Handles calls by HTTP; answers with {@link results} unless a test says otherwise. */
  onHttp: (call: SeenCall, response: ServerResponse, request: IncomingMessage) => void
  onSocket: (call: SeenCall, socket: WebSocket) => void
  /** Result of each method, for the handlers that stand at first. */
  readonly results: Map<string, unknown>
  /** Resolves with the first call of a method, or when it has come. */
  called(method: string, by?: SeenCall['by']): Promise<SeenCall>
  /** Resolves with the next WebSocket that opens. */
  opened(): Promise<WebSocket>
  /** Requests to open a WebSocket so far. */
  readonly upgrades: number
  close(): Promise<void>
}

/** Text of an answer. */
export function resultText(id: unknown, result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result })
}

/** Text of an error. */
export function errorText(id: unknown, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })
}

/** Text of a value on a channel. */
export function valueText(channel: number, value: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', method: 'xrpc.ch.val', params: [channel, value] })
}

function readCall(by: SeenCall['by'], text: string, authorization: string | undefined): SeenCall {
  const call: { id?: number; method: string; params: unknown[] } = JSON.parse(text)
  return { by, id: call.id, method: call.method, params: call.params, authorization }
}

/** Starts a {@link ScriptedDaNode} on a port that is free, or on a given one. */
export async function startScriptedDaNode(port = 0): Promise<ScriptedDaNode> {
  const calls: SeenCall[] = []
  const sockets = new Set<WebSocket>()
  const connections = new Set<Socket>()
  const waiting = new Set<() => void>()
  const openings: ((socket: WebSocket) => void)[] = []
  const results = new Map<string, unknown>()
  const server = createServer()
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const host = typeof address === 'object' && address !== null ? `127.0.0.1:${address.port}` : ''
  const webSockets = new WebSocketServer({ noServer: true })
  let upgrades = 0

  function see(call: SeenCall): void {
    calls.push(call)
    for (const look of waiting) look()
  }

  const answerOf = ({ id, method }: SeenCall): string =>
    results.has(method)
      ? resultText(id, results.get(method))
      : errorText(id, -32601, `method '${method}' not found`)

  server.on('connection', (socket) => {
    connections.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => connections.delete(socket))
  })
  server.on('request', (request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => {
      text += part
    })
    request.on('end', () => {
      const call = readCall('http', text, request.headers.authorization)
      see(call)
      node.onHttp(call, response, request)
    })
    request.on('error', () => undefined)
    response.on('error', () => undefined)
  })
  server.on('upgrade', (request, socket, head) => {
    upgrades++
    const { upgrade } = node
    if (upgrade === 'silence') return
    if (upgrade === 'reset') {
      socket.destroy()
    } else if (typeof upgrade === 'number') {
      socket.end(`HTTP/1.1 ${upgrade} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`)
    } else {
      webSockets.handleUpgrade(request, socket, head, (opened) => {
        sockets.add(opened)
        opened.on('error', () => undefined)
        opened.on('close', () => sockets.delete(opened))
        opened.on('message', (data: RawData) => {
          const call = readCall(
            'websocket',
            Buffer.isBuffer(data) ? data.toString() : '',
            request.headers.authorization,
          )
          see(call)
          node.onSocket(call, opened)
        })
        for (const tell of openings.splice(0)) tell(opened)
      })
    }
  })

  const node: ScriptedDaNode = {
    url: `http://${host}`,
    host,
    calls,
    sockets,
    upgrade: 'open',
    onHttp: (call, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(answerOf(call))
    },
    onSocket: (call, socket) => {
      if (call.id !== undefined) socket.send(answerOf(call))
    },
    results,
    async called(method, by) {
      const find = (): SeenCall | undefined =>
        calls.find((call) => call.method === method && (by === undefined || call.by === by))
      const { promise, resolve } = deferred<SeenCall>()
      const look = (): void => {
        const call = find()
        if (call !== undefined) resolve(call)
      }
      waiting.add(look)
      look()
      const call = await promise
      waiting.delete(look)
      return call
    },
    async opened() {
      const { promise, resolve } = deferred<WebSocket>()
      openings.push(resolve)
      return await promise
    },
    get upgrades() {
      return upgrades
    },
    async close() {
      for (const socket of sockets) socket.terminate()
      for (const socket of connections) socket.destroy()
      webSockets.close()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
  return node
}
