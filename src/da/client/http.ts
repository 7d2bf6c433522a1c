import { concatBytes, fromUtf8 } from '../../util/bytes.ts'
import { describeError, isEvolveError } from '../../util/errors.ts'
import { answerTooLarge, classifyHttpStatus, daError } from './errors.ts'
import { type Answer, decodeIncoming, encodeCall } from './json-rpc.ts'
import { createListScanner, type ListSink } from './list-scanner.ts'

/** Where calls by HTTP go. */
export interface HttpTarget {
  readonly url: string
  /** Host and port, for messages. */
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of the largest answer, after decompression; the rest of a larger one is not read. */
  readonly maxBodyBytes: number
}

/** A call as it is sent. */
export interface HttpCall {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

/** Where a list goes that is the result of a call, and its bounds in bytes. */
export interface ListTarget {
  readonly sink: ListSink
  /** In place of `maxBodyBytes`, which still holds for what stands around the list. */
  readonly maxBytes: number
  readonly maxElementBytes: number
}

/** An answer whose list went elsewhere and is empty here. */
export interface ListAnswer {
  readonly answer: Answer
  /** Bytes of the whole. */
  readonly bytes: number
}

/** What was read of a body: its text, undefined when it is none, and its length in bytes. */
interface Body {
  readonly text: string | undefined
  readonly bytes: number
}

/** Codes of fetch's own time limits. */
const FETCH_TIMEOUTS: readonly unknown[] = [
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]

/** The pieces of a body of at most `limit` bytes. */
async function* piecesOf(response: Response, limit: number): AsyncGenerator<Uint8Array> {
  if (Number(response.headers.get('content-length') ?? 0) > limit) throw answerTooLarge(limit)
  let length = 0
  for await (const piece of response.body ?? []) {
    length += piece.length
    if (length > limit) throw answerTooLarge(limit)
    yield piece
  }
}

async function readWhole(response: Response, limit: number): Promise<Body> {
  const pieces: Uint8Array[] = []
  for await (const piece of piecesOf(response, limit)) pieces.push(piece)
  const whole = concatBytes(...pieces)
  return { text: fromUtf8(whole), bytes: whole.length }
}

async function readList(response: Response, maxBodyBytes: number, list: ListTarget): Promise<Body> {
  const { sink, maxBytes, maxElementBytes } = list
  const scanner = createListScanner(sink, { maxElementBytes, maxRestBytes: maxBodyBytes })
  let bytes = 0
  for await (const piece of piecesOf(response, maxBytes)) {
    bytes += piece.length
    const verdict = scanner.push(piece)
    if (verdict === 'too-large') throw answerTooLarge(maxBodyBytes)
    if (verdict === 'malformed') break
  }
  return { text: scanner.rest(), bytes }
}

/** The answer to call `id` in a response's body, whatever its status; undefined when there is none. */
function answerIn(text: string | undefined, id: number, status: number): Answer | undefined {
  const incoming = decodeIncoming(text ?? '')
  if (incoming?.kind !== 'answer') return undefined
  const { answer } = incoming
  // A server that could not read the call cannot name it either.
  if (incoming.id === id || ('error' in answer && (incoming.id ?? null) === null)) return answer
  if (classifyHttpStatus(status) !== undefined) return undefined
  throw daError('DA_MALFORMED', `expected the DA node's answer to call ${id}, got that to another one`)
}

async function exchange(
  target: HttpTarget,
  { id, method, params }: HttpCall,
  signal: AbortSignal,
  read: (response: Response) => Promise<Body>,
): Promise<ListAnswer> {
  const response = await fetch(target.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...target.headers },
    body: encodeCall(id, method, params),
    // The token is for this address alone.
    redirect: 'manual',
    signal,
  })
  const { status } = response
  const refused = classifyHttpStatus(status)
  if (refused === 'DA_UNAUTHORIZED') {
    throw daError(refused, `the DA node refuses the auth token (HTTP ${status})`, { data: { status } })
  }
  const { text, bytes } = await read(response)
  const answer = answerIn(text, id, status)
  if (answer !== undefined) return { answer, bytes }
  const type = response.headers.get('content-type') ?? 'no type'
  throw daError(
    refused ?? 'DA_MALFORMED',
    `expected JSON-RPC from the DA node, got HTTP ${status} with ${bytes} bytes of ${type}`,
    { data: { status } },
  )
}

/** Runs an exchange; its connection is let go of as soon as the answer turns out unusable. */
async function guarded(
  target: HttpTarget,
  call: HttpCall,
  signal: AbortSignal,
  read: (response: Response) => Promise<Body>,
): Promise<ListAnswer> {
  signal.throwIfAborted()
  const end = new AbortController()
  const onAbort = (): void => end.abort(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await exchange(target, call, end.signal, read)
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

/** One call by HTTP. Rejects with an error of the DA codes, or with the signal's reason. */
export async function callByHttp(
  target: HttpTarget,
  call: HttpCall,
  { signal }: { readonly signal: AbortSignal },
): Promise<Answer> {
  const { answer } = await guarded(
    target,
    call,
    signal,
    async (response) => await readWhole(response, target.maxBodyBytes),
  )
  return answer
}

/**
 * As {@link callByHttp}, for a call whose result is a list of any length: its elements are handed on while they come
 * and never held together. Whether the answer is one is known at its end; until then the elements are not to be
 * believed.
 */
export async function listByHttp(
  target: HttpTarget,
  call: HttpCall,
  list: ListTarget,
  { signal }: { readonly signal: AbortSignal },
): Promise<ListAnswer> {
  return await guarded(
    target,
    call,
    signal,
    async (response) => await readList(response, target.maxBodyBytes, list),
  )
}
