import { concatBytes, fromUtf8 } from '../../util/bytes.ts'
import { describeError, isEvolveError } from '../../util/errors.ts'
import { answerTooLarge, classifyHttpStatus, daError } from './errors.ts'
import { type Answer, decodeIncoming, encodeCall } from './json-rpc.ts'

/** Where calls by HTTP go. */
export interface HttpTarget {
  readonly url: string
  /** Host and port, for messages. */
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of the largest answer, after decompression; the rest of a larger one is not read. */
  readonly maxBodyBytes: number
}

/** Codes of fetch's own time limits. */
const FETCH_TIMEOUTS: readonly unknown[] = [
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]

async function readBody(response: Response, limit: number): Promise<Uint8Array> {
  if (Number(response.headers.get('content-length') ?? 0) > limit) throw answerTooLarge(limit)
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > limit) throw answerTooLarge(limit)
    parts.push(part)
  }
  return concatBytes(...parts)
}

/** The answer to call `id` in a response's body, whatever its status; undefined when there is none. */
function answerIn(body: Uint8Array, id: number, status: number): Answer | undefined {
  const incoming = decodeIncoming(fromUtf8(body) ?? '')
  if (incoming?.kind !== 'answer') return undefined
  const { answer } = incoming
  // A server that could not read the call cannot name it either.
  if (incoming.id === id || ('error' in answer && (incoming.id ?? null) === null)) return answer
  if (classifyHttpStatus(status) !== undefined) return undefined
  throw daError('DA_MALFORMED', `expected the DA node's answer to call ${id}, got that to another one`)
}

async function exchange(target: HttpTarget, id: number, body: string, signal: AbortSignal): Promise<Answer> {
  const response = await fetch(target.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...target.headers },
    body,
    // The token is for this address alone.
    redirect: 'manual',
    signal,
  })
  const { status } = response
  const refused = classifyHttpStatus(status)
  if (refused === 'DA_UNAUTHORIZED') {
    throw daError(refused, `the DA node refuses the auth token (HTTP ${status})`, { data: { status } })
  }
  const bytes = await readBody(response, target.maxBodyBytes)
  const answer = answerIn(bytes, id, status)
  if (answer !== undefined) return answer
  const type = response.headers.get('content-type') ?? 'no type'
  throw daError(
    refused ?? 'DA_MALFORMED',
    `expected JSON-RPC from the DA node, got HTTP ${status} with ${bytes.length} bytes of ${type}`,
    { data: { status } },
  )
}

/**
 * One call by HTTP. Rejects with an error of the DA codes, or with the signal's reason. Its connection is let go of
 * as soon as the answer turns out unusable.
 */
export async function callByHttp(
  target: HttpTarget,
  call: { readonly id: number; readonly method: string; readonly params: readonly unknown[] },
  { signal }: { readonly signal: AbortSignal },
): Promise<Answer> {
  signal.throwIfAborted()
  const end = new AbortController()
  const onAbort = (): void => end.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await exchange(target, call.id, encodeCall(call.id, call.method, call.params), end.signal)
  } catch (error) {
    signal.throwIfAborted()
    end.abort(error)
    if (isEvolveError(error)) throw error
    const cause = error instanceof Error ? error.cause : undefined
    const late = FETCH_TIMEOUTS.includes(cause instanceof Error ? Reflect.get(cause, 'code') : undefined)
    throw daError(
      late ? 'DA_TIMEOUT' : 'DA_UNREACHABLE',
      `no answer from the DA node at ${target.host}: ${describeError(error)}`,
      { cause: error },
    )
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
