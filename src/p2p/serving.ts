import type { Connection, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { type Env, withTimeout } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { PeerId, RequestHandler, ServeOptions } from '../core/network.ts'
import { abortable, deferred, linkSignals } from '../util/async.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { varintLength } from '../util/wire.ts'
import { asError, eachPart, hasEnded } from './streams.ts'

function malformed(message: string): EvolveError {
  return new EvolveError('MALFORMED_REQUEST', message, { verdict: 'reject' })
}

/**
 * Where the content of the first uvarint frame of `bytes` begins and ends; undefined while its length is not all there.
 * Throws `MALFORMED_REQUEST` as soon as the length is known to be wrong or over `limit`.
 */
function frameBounds(bytes: Uint8Array, limit: number): readonly [start: number, end: number] | undefined {
  const longest = varintLength(limit)
  let length = 0
  let scale = 1
  for (let offset = 0; offset < longest; offset++) {
    const byte = bytes[offset]
    if (byte === undefined) return undefined
    length += (byte & 0x7f) * scale
    scale *= 128
    if (byte >= 0x80) continue
    if (length > limit) throw malformed(`a request has ${length} bytes, at most ${limit} are taken`)
    return [offset + 1, offset + 1 + length]
  }
  throw malformed(`the length of a request has more than ${longest} bytes`)
}

/** Puts together the first frame of what comes in parts, however small these are. */
export interface FrameCollector {
  /** Takes the next part; gives the content of the frame once it is all there. Throws `MALFORMED_REQUEST`. */
  push(part: Uint8Array): Uint8Array | undefined
}

/** Makes a {@link FrameCollector} of a frame of at most `limit` bytes. */
export function createFrameCollector(limit: number): FrameCollector {
  let held = EMPTY_BYTES
  let length = 0
  let bounds: readonly [start: number, end: number] | undefined
  return {
    push(part) {
      if (length === 0) {
        held = part
      } else {
        if (length + part.length > held.length) {
          // Doubled, so that many small parts are not copied again with each of them.
          const grown = new Uint8Array(Math.max(2 * held.length, length + part.length))
          grown.set(held.subarray(0, length))
          held = grown
        }
        held.set(part, length)
      }
      length += part.length
      bounds ??= frameBounds(held.subarray(0, length), limit)
      return bounds === undefined || length < bounds[1] ? undefined : held.subarray(...bounds)
    },
  }
}

/** Reads one request. Listens from the moment of the call. */
async function readRequest(stream: Stream, limit: number, signal: AbortSignal): Promise<Uint8Array> {
  const { promise, resolve, reject } = deferred<Uint8Array>()
  const frame = createFrameCollector(limit)
  let whole = false
  const onMessage = ({ data }: StreamMessageEvent): void => {
    try {
      eachPart(data, (part) => {
        const content = frame.push(part)
        if (content === undefined) return true
        whole = true
        resolve(content)
        return false
      })
      if (hasEnded(stream)) onEnd()
    } catch (error) {
      reject(error)
    }
  }
  const onEnd = (): void => {
    // Nearly every request ends its side at once: an error that nobody hears of would cost more than the request.
    if (!whole) reject(malformed('the peer closed before its request was whole'))
  }
  stream.addEventListener('message', onMessage)
  stream.addEventListener('end', onEnd)
  if (hasEnded(stream)) onEnd()
  try {
    return await abortable(promise, signal)
  } finally {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('end', onEnd)
  }
}

/** Resolves when the stream holds no unsent bytes. */
async function sent(stream: Stream, signal: AbortSignal): Promise<void> {
  if (stream.writeBufferLength === 0) return
  const { promise, resolve } = deferred<void>()
  const onIdle = (): void => resolve()
  stream.addEventListener('idle', onIdle)
  try {
    await abortable(promise, signal)
  } finally {
    stream.removeEventListener('idle', onIdle)
  }
}

/** The streams of one served protocol. */
export interface Serving {
  /** Takes over an inbound stream. Never throws. */
  handle(stream: Stream, connection: Connection): void
  /** Ends what is under way and resolves when nothing of it is left. */
  close(): Promise<void>
}

/** Makes a {@link Serving}: each stream carries one request and its answer. */
export function createServing(
  { env, logger, metrics }: { readonly env: Env; readonly logger: Logger; readonly metrics?: Metrics },
  protocol: string,
  options: ServeOptions,
  handler: RequestHandler,
): Serving {
  const { maxRequestBytes, readTimeout, writeTimeout, maxStreamsPerPeer } = options
  const live = new Map<PeerId, number>()
  const running = new Set<Promise<void>>()
  const closing = new AbortController()

  async function write(stream: Stream, piece: Uint8Array, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    stream.send(piece)
    metrics?.count('p2p_message_send_bytes_total', piece.length, { message_type: protocol })
    if (stream.writeBufferLength === 0) return
    await withTimeout(
      env,
      writeTimeout,
      signal,
      'taking a piece of an answer',
      async (within) => await sent(stream, within),
    )
  }

  async function answer(stream: Stream, peer: PeerId): Promise<void> {
    const work = linkSignals(closing.signal)
    const { promise: closed, resolve: onClosed } = deferred<void>()
    let answered = false
    const onClose = ({ error }: StreamCloseEvent): void => {
      if (answered) {
        onClosed()
        return
      }
      const cause = error === undefined ? {} : { cause: error }
      work.abort(new EvolveError('STREAM_CLOSED', `${peer} ended its stream`, { ...cause, verdict: 'retry' }))
      onClosed()
    }
    stream.addEventListener('close', onClose, { once: true })
    try {
      const request = await withTimeout(env, readTimeout, work.signal, 'reading a request', async (signal) =>
        readRequest(stream, maxRequestBytes, signal),
      )
      // Whatever else the peer sends is dropped, so that it cannot pile up here.
      await stream.closeRead({ signal: work.signal })
      const pieces = handler(request, { peer, signal: work.signal })[Symbol.asyncIterator]()
      try {
        for (;;) {
          const next = await abortable(pieces.next(), work.signal)
          if (next.done === true) break
          await write(stream, next.value, work.signal)
        }
      } catch (error) {
        // A handler that is in the middle of something learns it there, by its signal.
        void Promise.resolve(pieces.return?.()).catch(() => undefined)
        throw error
      }
      work.signal.throwIfAborted()
      answered = true
      await withTimeout(env, writeTimeout, closing.signal, 'closing an answered stream', async (signal) =>
        stream.close({ signal }),
      )
      if (stream.status === 'open') {
        await withTimeout(env, readTimeout, closing.signal, 'closing by the peer', async () => await closed)
      }
    } catch (error) {
      if (stream.status !== 'open') return
      logger.debug('request not answered', { protocol, peer, error })
      stream.abort(asError(error))
    } finally {
      stream.removeEventListener('close', onClose)
      work.release()
    }
  }

  return {
    handle(stream, connection) {
      if (stream.status !== 'open') return
      const peer = connection.remotePeer.toString()
      const open = live.get(peer) ?? 0
      if (closing.signal.aborted || open >= maxStreamsPerPeer) {
        stream.abort(
          new EvolveError(
            'TOO_MANY_STREAMS',
            `${peer} has ${open} streams open, ${maxStreamsPerPeer} are allowed`,
          ),
        )
        return
      }
      live.set(peer, open + 1)
      const task = answer(stream, peer).finally(() => {
        const left = (live.get(peer) ?? 1) - 1
        if (left === 0) live.delete(peer)
        else live.set(peer, left)
        running.delete(task)
      })
      running.add(task)
    },
    async close() {
      closing.abort(new EvolveError('NOT_SERVED', `${protocol} is no longer served`, { verdict: 'retry' }))
      await Promise.allSettled(running)
    },
  }
}
