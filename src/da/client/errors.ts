/*
 * What went wrong with a call to a DA node, as one error with one code.
 * Source: ev-node v1.2.3 pkg/da/types (texts and status codes), celestia-node, go-jsonrpc.
 */
import type { DaErrorCode } from '../../core/da.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'

/** What a DA node's answers say when there is no such blob, or none at all at a height. */
export const NO_BLOB_TEXT = 'blob: not found'

/** Characters of a DA node's text that go into our messages. */
const LONGEST_TEXT = 300

/** Looked for from first to last: a text that names two reasons counts as the one that tells more. */
const TEXTS: readonly (readonly [text: string, code: DaErrorCode])[] = [
  ['timed out waiting for tx to be included in a block', 'DA_NOT_INCLUDED'],
  ['tx already in mempool', 'DA_IN_MEMPOOL'],
  ['incorrect account sequence', 'DA_SEQUENCE'],
  ['blob: over size limit', 'DA_TOO_BIG'],
  ['tx too large', 'DA_TOO_BIG'],
  ['request bigger than maximum', 'DA_TOO_BIG'],
  [NO_BLOB_TEXT, 'DA_NOT_FOUND'],
  ['given height is from the future', 'DA_FROM_FUTURE'],
  ['missing permission to invoke', 'DA_UNAUTHORIZED'],
  ['context deadline', 'DA_TIMEOUT'],
]

/** JSON-RPC error codes that are the DA layer's status codes. The others tell nothing. */
const STATUS_CODES: ReadonlyMap<number, DaErrorCode> = new Map([
  [2, 'DA_NOT_FOUND'],
  [3, 'DA_NOT_INCLUDED'],
  [4, 'DA_IN_MEMPOOL'],
  [5, 'DA_TOO_BIG'],
  [6, 'DA_TIMEOUT'],
  [8, 'DA_SEQUENCE'],
  [10, 'DA_FROM_FUTURE'],
])

/**
 * The code for an error that a DA node answered with. Its text decides, in any case and wherever it stands in
 * wrapping texts; the number decides where the text is unknown; `DA_FAILED` where both are.
 */
export function classifyDaError(rpcCode: number, text: string): DaErrorCode {
  const lower = text.toLowerCase()
  const known = TEXTS.find(([part]) => lower.includes(part))
  return known?.[1] ?? STATUS_CODES.get(rpcCode) ?? 'DA_FAILED'
}

/** The code for an HTTP answer that carries no JSON-RPC, by its status; undefined for one of success. */
export function classifyHttpStatus(status: number): DaErrorCode | undefined {
  if (status >= 200 && status < 300) return undefined
  switch (status) {
    case 401:
    case 403:
      return 'DA_UNAUTHORIZED'
    case 408:
    case 504:
      return 'DA_TIMEOUT'
    case 413:
      return 'DA_TOO_BIG'
    case 502:
    case 503:
      return 'DA_UNREACHABLE'
    default:
      return 'DA_FAILED'
  }
}

/** An error of the client. All of them may be tried again: a DA node that is wrong today may be right tomorrow. */
export function daError(
  code: DaErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly data?: Readonly<Record<string, unknown>> } = {},
): EvolveError {
  return new EvolveError(code, message, { ...options, verdict: 'retry' })
}

/** The answer is larger than it may be. */
export function answerTooLarge(limit: number): EvolveError {
  return daError('DA_MALFORMED', `the answer of the DA node is larger than ${limit} bytes`, {
    data: { limit },
  })
}

/** Whether it is an {@link answerTooLarge}: to this call, or to another one that shared its WebSocket. */
export function isAnswerTooLarge(error: unknown): boolean {
  return isEvolveError(error, 'DA_MALFORMED') && error.data['limit'] !== undefined
}

/** One line, of bounded length, of what a DA node said. */
export function shortText(text: string): string {
  const line = text.slice(0, LONGEST_TEXT + 1).replaceAll(/\p{Cc}+/gu, ' ')
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT)}…` : line
}
