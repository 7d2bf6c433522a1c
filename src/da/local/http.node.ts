/*
 * Calls over HTTP, one a request.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { addAbortSignal } from 'node:stream'
import type { Calls, Outcome } from './faults.ts'
import { failureText, readMessage, resultText } from './json-rpc.ts'

/** What answering needs. */
export interface HttpDeps {
  readonly calls: Calls
  /** The text for people who look with a browser. */
  greeting(): string
}

/** Options of {@link answerRequest}. */
export interface HttpOptions {
  readonly maxRequestBytes: number
  /** What must follow `Authorization: Bearer`; undefined lets everybody in. */
  readonly authToken: string | undefined
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest()
}

/** The HTTP status that refuses a request, or the opening of a WebSocket, before it is looked at. */
export function refusal({ headers }: IncomingMessage, { authToken }: HttpOptions): number | undefined {
  // Browsers name the page that asks; pages of others have no business here.
  if (headers.origin !== undefined && headers.origin !== `http://${headers.host}`) return 403
  if (authToken === undefined) return undefined
  const given = headers.authorization ?? ''
  return timingSafeEqual(digest(given), digest(`Bearer ${authToken}`)) ? undefined : 401
}

function sendText(response: ServerResponse, status: number, text: string, type = 'text/plain'): void {
  response.writeHead(status, { 'Content-Type': `${type}; charset=utf-8` })
  response.end(text)
}

/** Answers one HTTP request, or leaves it without when it was told to. Rejects when the connection breaks. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  deps: HttpDeps,
  options: HttpOptions,
  stopping: AbortSignal,
): Promise<void> {
  const refused = refusal(request, options)
  if (refused !== undefined) {
    sendText(
      response,
      refused,
      refused === 401 ? 'expected a valid auth token\n' : 'not for pages of others\n',
    )
  } else if (request.method === 'POST') {
    await answerCall(request, response, deps, options, stopping)
  } else if (request.method !== 'GET') {
    sendText(response, 405, 'expected POST with a JSON-RPC call\n')
  } else if (request.url === '/') {
    sendText(response, 200, deps.greeting())
  } else {
    sendText(response, 404, 'there is only / here\n')
  }
}

async function answerCall(
  request: IncomingMessage,
  response: ServerResponse,
  { calls }: HttpDeps,
  { maxRequestBytes }: HttpOptions,
  stopping: AbortSignal,
): Promise<void> {
  const body = await readBody(request, maxRequestBytes, stopping)
  if (body === undefined) {
    response.shouldKeepAlive = false
    sendText(response, 413, `a request may have ${maxRequestBytes} bytes\n`)
    return
  }
  const message = readMessage(body)
  if (message.kind === 'refused') {
    sendText(response, 200, message.answer, 'application/json')
    return
  }
  if (message.kind === 'cancel') {
    response.writeHead(204).end()
    return
  }
  const { id, method, params } = message.call
  const controller = new AbortController()
  const onEnd = (): void => controller.abort(new DOMException('nobody waits for it', 'AbortError'))
  response.on('close', onEnd)
  stopping.addEventListener('abort', onEnd, { once: true })
  try {
    const outcome = await calls.call(method, params, controller.signal)
    finish(response, outcome, (text) => sendText(response, 200, text, 'application/json'), id, method)
  } finally {
    response.off('close', onEnd)
    stopping.removeEventListener('abort', onEnd)
  }
}

function finish(
  response: ServerResponse,
  outcome: Outcome,
  send: (text: string) => void,
  id: string | number,
  method: string,
): void {
  switch (outcome.kind) {
    case 'value':
      send(resultText(id, outcome.value))
      return
    case 'failure':
      send(failureText(id, outcome))
      return
    case 'subscription':
      send(failureText(id, { code: -32601, message: `${method} needs a WebSocket` }))
      return
    case 'status':
      response.writeHead(outcome.status).end()
      return
    case 'drop':
      response.destroy()
      return
    case 'silence':
      return
  }
}

/** The whole body as text; undefined when it is longer than allowed, and then the rest is not read. */
async function readBody(
  request: IncomingMessage,
  most: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > most) return undefined
  const chunks: Buffer[] = []
  let length = 0
  // Not destroyed when we leave early: its socket carries the answer that says why.
  for await (const chunk of addAbortSignal(signal, request).iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue
    length += chunk.length
    if (length > most) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
