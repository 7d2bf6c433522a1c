/*
 * JSON-RPC 2.0 as go-jsonrpc speaks it, with its channels: a call whose result is a channel id is followed by
 * notifications that carry the channel's values, then its end.
 * Source: JSON-RPC 2.0; filecoin-project/go-jsonrpc v0.10.2.
 */
import { classifyDaError, daError, shortText } from './errors.ts'

/** What a server sent, as far as it can be told from its shape. */
export type Incoming =
  | { readonly kind: 'answer'; readonly id: unknown; readonly answer: Answer }
  | { readonly kind: 'value'; readonly channel: number; readonly value: unknown }
  | { readonly kind: 'close'; readonly channel: number }

/** A result or an error. A result that is left out is null. */
export type Answer =
  | { readonly result: unknown }
  | { readonly error: { readonly code: number; readonly message: string } }

/** Text of a call. */
export function encodeCall(id: number, method: string, params: readonly unknown[]): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params })
}

/** Text of the notification that nobody waits for a call's answer, or for its channel's values, any more. */
export function encodeCancel(id: number): string {
  return JSON.stringify({ jsonrpc: '2.0', method: 'xrpc.cancel', params: [id] })
}

/** A field of an unknown value; undefined where there is none. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function readAnswer(message: object): Answer | undefined {
  const error = field(message, 'error') ?? undefined
  if (error === undefined) return { result: field(message, 'result') ?? null }
  const code = field(error, 'code')
  const text = field(error, 'message')
  if (typeof code !== 'number' && typeof text !== 'string') return undefined
  return {
    error: { code: typeof code === 'number' ? code : 0, message: typeof text === 'string' ? text : '' },
  }
}

/** Reads a message; undefined when it is none that a client can be sent. Never throws. */
export function decodeIncoming(text: string): Incoming | undefined {
  let message: unknown
  try {
    message = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return undefined
  const method = field(message, 'method') ?? ''
  if (method === '') {
    const answer = readAnswer(message)
    return answer === undefined ? undefined : { kind: 'answer', id: field(message, 'id'), answer }
  }
  const params = field(message, 'params')
  const [channel, value]: readonly unknown[] = Array.isArray(params) ? params : []
  if (typeof channel !== 'number') return undefined
  if (method === 'xrpc.ch.val') return { kind: 'value', channel, value }
  return method === 'xrpc.ch.close' ? { kind: 'close', channel } : undefined
}

/** The result of an answer to `method`; throws the error that it carries. */
export function resultOf(method: string, answer: Answer): unknown {
  if ('result' in answer) return answer.result
  const { code, message } = answer.error
  const text = shortText(message)
  throw daError(classifyDaError(code, message), `the DA node answered ${method} with: ${text}`, {
    data: { method, rpcCode: code, text },
  })
}
