/*
 * What travels when a transaction is passed on: one request and one answer, protobuf messages.
 */
import { fromUtf8, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { WireReader, WireWriter } from '../util/wire.ts'

/** A transaction on its way. */
export interface SubmitRequest {
  readonly tx: Uint8Array
  /** Connections it has travelled over, this one included: 1 from whom it was handed to. */
  readonly hops: number
}

/** Outcomes, as numbers on the wire. */
export const SubmitCode = { taken: 1, refused: 2, noRoom: 3, notAccepted: 4, noAggregator: 5 } as const

/** One of {@link SubmitCode}. */
export type SubmitCode = (typeof SubmitCode)[keyof typeof SubmitCode]

/** What became of a transaction. */
export interface SubmitAnswer {
  readonly code: SubmitCode
  /** Why it was not taken, for people; at most {@link MAX_MESSAGE} characters, without control characters. */
  readonly message: string
  /** When it was taken: connections between who answers and who took it, 0 for the aggregator. */
  readonly distance: number
}

/** Characters of a message. */
export const MAX_MESSAGE = 512

const CODES: ReadonlyMap<number, SubmitCode> = new Map(Object.values(SubmitCode).map((code) => [code, code]))

function malformed(what: string): EvolveError {
  return new EvolveError('DECODE_FAILED', what, { verdict: 'reject' })
}

/** A text of strangers, fit for a log and a terminal. */
function plain(text: string): string {
  return text.replaceAll(/\p{C}+/gu, ' ').slice(0, MAX_MESSAGE)
}

/** Bytes of a request. */
export function encodeSubmitRequest({ tx, hops }: SubmitRequest): Uint8Array {
  return new WireWriter(tx.length + 16).bytes(1, tx).uint(2, hops).finish()
}

/** Reads a request. Throws `DECODE_FAILED`. */
export function decodeSubmitRequest(bytes: Uint8Array): SubmitRequest {
  const reader = new WireReader(bytes)
  let tx: Uint8Array | undefined
  let hops = 0
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 1) tx = reader.copiedBytes(field, 'tx')
    else if (field.number === 2) hops = reader.uint(field, 'hops')
    else reader.skip(field)
  }
  if (tx === undefined || tx.length === 0) throw malformed('expected a transaction, got none')
  if (hops < 1) throw malformed('expected at least one hop, got 0')
  return { tx, hops }
}

/** Bytes of an answer. */
export function encodeSubmitAnswer({ code, message, distance }: SubmitAnswer): Uint8Array {
  return new WireWriter()
    .uint(1, code)
    .bytes(2, utf8(plain(message)))
    .uint(3, distance)
    .finish()
}

/** Reads an answer. Throws `DECODE_FAILED`. */
export function decodeSubmitAnswer(bytes: Uint8Array): SubmitAnswer {
  const reader = new WireReader(bytes)
  let code: SubmitCode | undefined
  let message = ''
  let distance = 0
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 1) code = CODES.get(reader.uint(field, 'code'))
    else if (field.number === 2) message = fromUtf8(reader.bytes(field, 'message')) ?? ''
    else if (field.number === 3) distance = reader.uint(field, 'distance')
    else reader.skip(field)
  }
  if (code === undefined) throw malformed('expected an outcome from 1 to 5, got another or none')
  return { code, message: plain(message), distance }
}
