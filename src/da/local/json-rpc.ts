/*
 * JSON-RPC 2.0: from text to a call, and from an answer to text. Batches and calls without id are refused.
 * Source: jsonrpc.org/specification; filecoin-project/go-jsonrpc for channels and cancellation.
 */
import { describeError, EvolveError, isEvolveError } from '../../util/errors.ts'

/** How a call is named by whoever makes it. */
export type CallId = string | number

/** A call that was read. */
export interface Call {
  readonly id: CallId
  readonly method: string
  readonly params: readonly unknown[]
}

/** What {@link readMessage} makes of a text. */
export type Message =
  | { readonly kind: 'call'; readonly call: Call }
  /** The caller no longer waits for a call. */
  | { readonly kind: 'cancel'; readonly id: CallId }
  /** It is none; `answer` says why. */
  | { readonly kind: 'refused'; readonly answer: string }

/** Why a call failed, as its answer says it. */
export interface Failure {
  readonly code: number
  readonly message: string
}

/** Longest id that is a text; it comes back in the answer. */
const MAX_ID_LENGTH = 128

/** Codes of errors that say what is wrong with a call; all others are 1, as go-jsonrpc has it. */
const CODES: Readonly<Record<string, number>> = {
  RPC_PARSE: -32700,
  RPC_INVALID_REQUEST: -32600,
  RPC_METHOD_NOT_FOUND: -32601,
  RPC_INVALID_PARAMS: -32602,
}
const APPLICATION_ERROR = 1

/** An error that ends a call because of how it was made. */
export function rpcError(
  code: 'RPC_PARSE' | 'RPC_INVALID_REQUEST' | 'RPC_METHOD_NOT_FOUND' | 'RPC_INVALID_PARAMS',
  message: string,
): EvolveError {
  return new EvolveError(code, message, { verdict: 'reject' })
}

/** Code and text of whatever a call threw. */
export function failureOf(error: unknown): Failure {
  const code = isEvolveError(error) ? CODES[error.code] : undefined
  return { code: code ?? APPLICATION_ERROR, message: describeError(error) }
}

/** The answer to a call that failed. The id is null when it could not be read. */
export function failureText(id: CallId | null, { code, message }: Failure): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code, message } })
}

/** The answer to a call. */
export function resultText(id: CallId, result: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result: result ?? null })
}

/** A notification with parameters that are JSON already. */
export function notificationText(method: string, params: readonly string[]): string {
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)},"params":[${params.join(',')}]}`
}

function callId(value: unknown): CallId | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  return typeof value === 'string' && value.length <= MAX_ID_LENGTH ? value : undefined
}

/** Reads a text that came over a connection. Never throws. */
export function readMessage(text: string): Message {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return refuse(null, rpcError('RPC_PARSE', 'expected JSON, got something else'))
  }
  if (Array.isArray(json)) {
    return refuse(null, rpcError('RPC_INVALID_REQUEST', 'batches are not served: send one call at a time'))
  }
  if (typeof json !== 'object' || json === null) {
    return refuse(
      null,
      rpcError('RPC_INVALID_REQUEST', `expected a call, got ${JSON.stringify(json).slice(0, 40)}`),
    )
  }
  const method: unknown = Reflect.get(json, 'method')
  const params: unknown = Reflect.get(json, 'params') ?? []
  const id = callId(Reflect.get(json, 'id'))
  if (typeof method !== 'string') {
    return refuse(id ?? null, rpcError('RPC_INVALID_REQUEST', 'expected the name of a method as text'))
  }
  if (!Array.isArray(params)) {
    return refuse(
      id ?? null,
      rpcError('RPC_INVALID_PARAMS', `expected a list of parameters for ${shown(method)}`),
    )
  }
  const list: readonly unknown[] = params
  if (method === 'xrpc.cancel') {
    const cancelled = callId(list[0])
    if (cancelled !== undefined) return { kind: 'cancel', id: cancelled }
  }
  if (id === undefined) {
    return refuse(null, rpcError('RPC_INVALID_REQUEST', 'expected an id, a number or a short text'))
  }
  return { kind: 'call', call: { id, method, params: list } }
}

/** A text of the caller's in a message: short. */
export function shown(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

function refuse(id: CallId | null, error: EvolveError): Message {
  return { kind: 'refused', answer: failureText(id, failureOf(error)) }
}
