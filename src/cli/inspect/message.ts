/*
 * Which message some bytes are. Protobuf does not say; the numbers and kinds of the fields do.
 */
import {
  decodeData,
  decodeDAHeaderEnvelope,
  decodeHeader,
  decodeP2PData,
  decodeP2PSignedHeader,
  decodeSignedData,
  decodeSignedHeader,
} from '../../types/codec.ts'
import type { Data, P2PData, SignedData } from '../../types/data.ts'
import type { Header, SignedHeader } from '../../types/header.ts'
import { describeError, EvolveError, isEvolveError } from '../../util/errors.ts'
import { WireReader, WireType } from '../../util/wire.ts'

/** A header in one of the messages that carry it. */
export type HeaderMessage =
  | { readonly type: 'Header'; readonly header: Header }
  | { readonly type: 'SignedHeader'; readonly header: SignedHeader }
  | { readonly type: 'P2PSignedHeader'; readonly header: SignedHeader; readonly daHeightHint: number }
  | {
      readonly type: 'DAHeaderEnvelope'
      readonly header: SignedHeader
      readonly envelopeSignature: Uint8Array
    }

/** Data in one of the messages that carry it. */
export type DataMessage =
  | { readonly type: 'Data'; readonly data: Data }
  | { readonly type: 'P2PData'; readonly data: P2PData; readonly daHeightHint: number }
  | { readonly type: 'SignedData'; readonly data: Data; readonly signed: SignedData }

const { Varint, Bytes } = WireType

/** Wire type of the last field of each number, and where the first one begins. */
function fieldsOf(bytes: Uint8Array): ReadonlyMap<number, number> {
  const reader = new WireReader(bytes)
  const fields = new Map<number, number>()
  let at = 0
  try {
    for (let field = reader.next(); field !== undefined; field = reader.next()) {
      fields.set(field.number, field.type)
      reader.skip(field)
      at = reader.offset
    }
  } catch (error) {
    if (!isEvolveError(error, 'DECODE_FAILED')) throw error
    throw new EvolveError('DECODE_FAILED', `${error.message}, in the field at byte ${at} of ${bytes.length}`)
  }
  return fields
}

/** Rejects messages that are something, but say nothing. */
function expectField(fields: ReadonlyMap<number, number>, what: string): void {
  if (fields.get(1) === Bytes) return
  const found = [...fields.keys()].toSorted((a, b) => a - b).join(', ')
  throw new EvolveError(
    'DECODE_FAILED',
    `${what} begins with field 1, a message; found ${found === '' ? 'no fields' : `fields ${found}`}`,
  )
}

/** Reads a header, signed or not, as peers send it, or as it lies on DA. Throws `DECODE_FAILED`. */
export function readHeaderMessage(bytes: Uint8Array): HeaderMessage {
  const fields = fieldsOf(bytes)
  expectField(fields, 'a header')
  if (fields.get(2) === Varint) return checked({ type: 'Header', header: decodeHeader(bytes) })
  const fourth = fields.get(4)
  if (fourth === Bytes) {
    const { header, envelopeSignature } = decodeDAHeaderEnvelope(bytes)
    return checked({ type: 'DAHeaderEnvelope', header, envelopeSignature })
  }
  if (fourth === Varint) {
    const { daHeightHint = 0, ...header } = decodeP2PSignedHeader(bytes)
    return checked({ type: 'P2PSignedHeader', header, daHeightHint })
  }
  return checked({ type: 'SignedHeader', header: decodeSignedHeader(bytes) })
}

/** What is decoded from bytes that are something else says neither height nor chain. */
function checked(message: HeaderMessage): HeaderMessage {
  const header = message.type === 'Header' ? message.header : message.header.header
  if (header.height > 0 || header.chainId !== '') return message
  throw new EvolveError('DECODE_FAILED', 'a header names its height and chain; nothing of it is there')
}

/** Reads data, as peers send it, or signed as it lies on DA. Throws `DECODE_FAILED`. */
export function readDataMessage(bytes: Uint8Array): DataMessage {
  const fields = fieldsOf(bytes)
  expectField(fields, 'data')
  const third = fields.get(3)
  if (third === Bytes) {
    const signed = decodeSignedData(bytes)
    return { type: 'SignedData', data: signed.data, signed }
  }
  if (third === Varint) {
    const data = decodeP2PData(bytes)
    return { type: 'P2PData', data, daHeightHint: data.daHeightHint ?? 0 }
  }
  const data = decodeData(bytes)
  if (data.metadata?.height === 0 && data.metadata.chainId === '') {
    throw new EvolveError('DECODE_FAILED', 'data names its height and chain; nothing of it is there')
  }
  return { type: 'Data', data }
}

/** Reads the bytes of a DA blob: a header in its envelope, or signed data. Throws `DECODE_FAILED`. */
export function readBlobMessage(bytes: Uint8Array): HeaderMessage | DataMessage {
  const reasons: string[] = []
  for (const read of [readHeaderMessage, readDataMessage]) {
    try {
      return read(bytes)
    } catch (error) {
      if (!isEvolveError(error, 'DECODE_FAILED')) throw error
      reasons.push(describeError(error))
    }
  }
  const [asHeader, asData] = reasons
  throw new EvolveError(
    'DECODE_FAILED',
    asHeader === asData ? String(asHeader) : `as a header: ${asHeader}; as data: ${asData}`,
  )
}
