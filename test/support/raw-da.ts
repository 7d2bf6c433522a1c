import { once } from 'node:events'
import { WebSocket } from 'ws'

/** Calls a DA node over HTTP; gives the status and, if there is one, the JSON of the answer. */
export async function postDa(
  address: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly json: unknown; readonly text: string }> {
  const response = await fetch(address, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers,
  })
  const text = await response.text()
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    json = undefined
  }
  return { status: response.status, json, text }
}

/** The JSON-RPC call of a method, with id 1. */
export function daCall(method: string, params: readonly unknown[] = [], id: unknown = 1): unknown {
  return { jsonrpc: '2.0', id, method, params }
}

/** What a method answers over HTTP: its result, or its error. */
export async function callDa(
  address: string,
  method: string,
  params: readonly unknown[] = [],
): Promise<unknown> {
  const { json, text } = await postDa(address, daCall(method, params))
  if (typeof json !== 'object' || json === null) throw new Error(`no JSON: ${text}`)
  return 'error' in json ? { error: json.error } : Reflect.get(json, 'result')
}

/** A WebSocket to a DA node whose messages are taken one by one, in order. */
export interface RawDa {
  readonly socket: WebSocket
  send(message: unknown): void
  /** The next message; rejects when the connection ends without one. */
  next(): Promise<unknown>
  /** Resolves when the connection has ended. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
}

/** Opens a {@link RawDa}; rejects when it is refused. */
export async function openRawDa(
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawDa> {
  const socket = new WebSocket(address.replace('http', 'ws'), { headers })
  socket.binaryType = 'nodebuffer'
  const messages: unknown[] = []
  const waiting: PromiseWithResolvers<unknown>[] = []
  socket.on('message', (data: Buffer) => {
    const message: unknown = JSON.parse(data.toString())
    const waiter = waiting.shift()
    if (waiter === undefined) messages.push(message)
    else waiter.resolve(message)
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      for (const waiter of waiting.splice(0))
        waiter.reject(new Error(`closed with ${code} ${String(reason)}`))
      resolve({ code, reason: String(reason) })
    })
  })
  await once(socket, 'open')
  socket.on('error', () => undefined)
  return {
    socket,
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    async next() {
      if (messages.length > 0) return messages.shift()
      if (socket.readyState === WebSocket.CLOSED) throw new Error('closed')
      const waiter = Promise.withResolvers<unknown>()
      waiting.push(waiter)
      return await waiter.promise
    },
    closed,
  }
}
