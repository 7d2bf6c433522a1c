import { EvolveError } from '../../util/errors.ts'
import { varintLength, WireReader, WireType, WireWriter } from '../../util/wire.ts'

/** Status of one response. Source: go-header v0.8.6 p2p/pb. */
export const ResponseStatus = { Invalid: 0, Ok: 1, NotFound: 2 } as const

/**
 * What is asked of a peer: `amount` items from height `origin` on (origin 0 asks for the head), or the item with a
 * hash. Heights and amounts are as they came: any 64-bit unsigned number.
 */
export type HeaderRequest =
  | { readonly origin: bigint; readonly hash?: undefined; readonly amount: bigint }
  | { readonly origin?: undefined; readonly hash: Uint8Array; readonly amount: bigint }

/** One answer: the bytes of an item, or none and why. */
export interface HeaderResponse {
  readonly body: Uint8Array
  /** One of {@link ResponseStatus}, or whatever the peer wrote. */
  readonly status: number
}

const ORIGIN = 1
const HASH = 2
const AMOUNT = 3
const BODY = 1
const STATUS = 2
const BODY_TAG = BODY * 8 + WireType.Bytes
const STATUS_TAG = STATUS * 8 + WireType.Varint

function malformed(what: string): EvolveError {
  return new EvolveError('DECODE_FAILED', what, { verdict: 'reject' })
}

/** Bytes of a request without length prefix. The origin is written also when it is 0: its presence asks for the head. */
export function encodeRequest(request: HeaderRequest): Uint8Array {
  const writer = new WireWriter(48)
  if (request.hash === undefined) writer.varint(ORIGIN * 8 + WireType.Varint).varint64(request.origin)
  else writer.presentBytes(HASH, request.hash)
  return writer.uint64(AMOUNT, request.amount).finish()
}

/**
 * Reads a request. Of origin and hash the last one counts; unknown fields are passed over. Throws `DECODE_FAILED`
 * for bytes that are no request and `EMPTY_REQUEST` when neither origin nor hash is there.
 */
export function decodeRequest(bytes: Uint8Array): HeaderRequest {
  const reader = new WireReader(bytes)
  let origin: bigint | undefined
  let hash: Uint8Array | undefined
  let amount = 0n
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === ORIGIN) {
      origin = reader.uint64(field, 'origin')
      hash = undefined
    } else if (field.number === HASH) {
      hash = reader.bytes(field, 'hash')
      origin = undefined
    } else if (field.number === AMOUNT) amount = reader.uint64(field, 'amount')
    else reader.skip(field)
  }
  if (hash !== undefined) return { hash, amount }
  if (origin !== undefined) return { origin, amount }
  throw new EvolveError('EMPTY_REQUEST', 'a request names a height or a hash; this one names neither', {
    verdict: 'reject',
  })
}

function responseLength(body: Uint8Array, status: number): number {
  const bodyLength = body.length === 0 ? 0 : 1 + varintLength(body.length) + body.length
  return bodyLength + (status === 0 ? 0 : 2)
}

function writeVarint(out: Uint8Array, at: number, value: number): number {
  let offset = at
  let rest = value
  while (rest > 0x7f) {
    out[offset++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  out[offset++] = rest
  return offset
}

function writeResponse(out: Uint8Array, at: number, body: Uint8Array, status: number): number {
  let offset = at
  if (body.length > 0) {
    out[offset++] = BODY_TAG
    offset = writeVarint(out, offset, body.length)
    out.set(body, offset)
    offset += body.length
  }
  if (status !== 0) {
    out[offset++] = STATUS_TAG
    out[offset++] = status
  }
  return offset
}

/** Bytes of a response without length prefix. `status` is below 128. */
export function encodeResponse(body: Uint8Array, status: number): Uint8Array {
  const out = new Uint8Array(responseLength(body, status))
  writeResponse(out, 0, body, status)
  return out
}

/** One buffer with a response for each body, each behind its length. `status` is below 128. */
export function encodeResponseFrames(bodies: readonly Uint8Array[], status: number): Uint8Array {
  let total = 0
  for (const body of bodies) {
    const length = responseLength(body, status)
    total += varintLength(length) + length
  }
  const out = new Uint8Array(total)
  let offset = 0
  for (const body of bodies) {
    offset = writeVarint(out, offset, responseLength(body, status))
    offset = writeResponse(out, offset, body, status)
  }
  return out
}

/** The usual layout, body then a one-byte status, without the general reader; undefined when it is another. */
function decodeUsualResponse(bytes: Uint8Array): HeaderResponse | undefined {
  if (bytes[0] !== BODY_TAG) return undefined
  let length = 0
  let scale = 1
  let offset = 1
  for (;;) {
    const byte = bytes[offset++]
    if (byte === undefined || offset > 5) return undefined
    length += (byte & 0x7f) * scale
    if (byte < 0x80) break
    scale *= 128
  }
  const end = offset + length
  const status = bytes[end + 1]
  if (bytes.length !== end + 2 || bytes[end] !== STATUS_TAG || status === undefined || status > 0x7f) {
    return undefined
  }
  return { body: bytes.subarray(offset, end), status }
}

/**
 * Reads a response. Absent fields are an empty body and status 0; unknown fields are passed over. The body is a
 * view of the input. Throws `DECODE_FAILED`.
 */
export function decodeResponse(bytes: Uint8Array): HeaderResponse {
  const usual = decodeUsualResponse(bytes)
  if (usual !== undefined) return usual
  const reader = new WireReader(bytes)
  let body = bytes.subarray(0, 0)
  let status = 0
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === BODY) body = reader.bytes(field, 'body')
    else if (field.number === STATUS) status = Number(BigInt.asIntN(32, reader.uint64(field, 'status_code')))
    else reader.skip(field)
  }
  return { body, status }
}

/** `message` behind its uvarint length. */
export function encodeFrame(message: Uint8Array): Uint8Array {
  const out = new Uint8Array(varintLength(message.length) + message.length)
  out.set(message, writeVarint(out, 0, message.length))
  return out
}

const FIRST_BUFFER = 4096
const MAX_LENGTH_BYTES = 10

/**
 * Cuts a stream of bytes into frames: a uvarint length, then that many bytes. It keeps what came of an unfinished
 * frame and nothing more: a length that a peer claims reserves no memory.
 */
export class FrameReader {
  readonly #maxFrameBytes: number
  /** Length of the frame being read; undefined while its length is being read. */
  #length: number | undefined
  #lengthBytes = 0
  #lengthSum = 0
  #buffer: Uint8Array = new Uint8Array(0)
  #buffered = 0

  /** `maxFrameBytes` limits the bytes of one frame without its length. */
  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Whether the bytes so far end between two frames. */
  get atBoundary(): boolean {
    return this.#length === undefined && this.#lengthBytes === 0
  }

  /**
   * Takes the next bytes and hands each frame they complete to `onFrame`, which may return false to stop: the rest
   * of the bytes is dropped then. Frames may be views of `chunk`, which must not be changed afterwards. Throws
   * `DECODE_FAILED` for a length of more than ten bytes and `FRAME_TOO_LARGE` for one above the limit; frames
   * before it were handed over.
   */
  push(chunk: Uint8Array, onFrame: (frame: Uint8Array) => boolean | void): void {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#length === undefined) {
        const byte = chunk[offset++]
        if (byte === undefined) return
        this.#readLength(byte)
        if (this.#length !== 0) continue
      }
      const missing = this.#length - this.#buffered
      const end = Math.min(chunk.length, offset + missing)
      const part = chunk.subarray(offset, end)
      offset = end
      if (part.length < missing) {
        this.#keep(part)
        return
      }
      if (onFrame(this.#complete(part)) === false) return
    }
  }

  #readLength(byte: number): void {
    this.#lengthBytes++
    if (this.#lengthBytes > MAX_LENGTH_BYTES) throw malformed('frame length of more than ten bytes')
    this.#lengthSum += (byte & 0x7f) * 128 ** (this.#lengthBytes - 1)
    if (this.#lengthSum > this.#maxFrameBytes) {
      throw new EvolveError('FRAME_TOO_LARGE', `frame of more than ${this.#maxFrameBytes} bytes announced`, {
        verdict: 'reject',
      })
    }
    if (byte < 0x80) this.#length = this.#lengthSum
  }

  #keep(part: Uint8Array): void {
    const needed = this.#buffered + part.length
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(
        Math.max(needed, Math.min(this.#length ?? 0, Math.max(this.#buffer.length * 2, FIRST_BUFFER))),
      )
      grown.set(this.#buffer.subarray(0, this.#buffered))
      this.#buffer = grown
    }
    this.#buffer.set(part, this.#buffered)
    this.#buffered = needed
  }

  #complete(part: Uint8Array): Uint8Array {
    let frame = part
    if (this.#buffered > 0) {
      this.#keep(part)
      frame = this.#buffer.subarray(0, this.#buffered)
      this.#buffer = new Uint8Array(0)
    }
    this.#buffered = 0
    this.#length = undefined
    this.#lengthBytes = 0
    this.#lengthSum = 0
    return frame
  }
}
