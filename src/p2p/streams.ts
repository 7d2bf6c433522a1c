import type { Connection, Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import type { PeerId } from '../core/network.ts'
import { deferred } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { WireWriter } from '../util/wire.ts'

/** Streams of one protocol that one connection may have open, in either direction, before libp2p itself refuses. */
export const LIBRARY_STREAM_LIMIT = 1024

/** `message` behind its length as a uvarint. */
export function framed(message: Uint8Array): Uint8Array {
  return new WireWriter(message.length + 5).varint(message.length).raw(message).finish()
}

/**
 * Whether a stream has nothing more to bring. Its own `readableEnded` may be true while bytes wait: those that came
 * together with the negotiation of the protocol are put back behind it, and the end is not announced again.
 */
export function hasEnded(stream: Stream): boolean {
  return stream.readBufferLength === 0 && (stream.readableEnded || stream.remoteWriteStatus === 'closed')
}

/** Anything thrown, as an Error that a stream can be aborted with. */
export function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

/** The same bytes, not copied, without the further methods (and the other `slice`) of Node's own kind of array. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Calls `take` with each contiguous part of what a stream brought, neither joined nor copied. */
export function eachPart(
  data: StreamMessageEvent['data'],
  take: (part: Uint8Array) => boolean | void,
): boolean | void {
  if (data instanceof Uint8Array) return take(plain(data))
  for (const part of data) if (take(plain(part)) === false) return false
  return undefined
}

function reset(peer: PeerId, why: string, cause: unknown): EvolveError {
  return new EvolveError('STREAM_RESET', `the stream with ${peer} ended before the answer did: ${why}`, {
    cause,
    data: { peer },
    verdict: 'retry',
  })
}

async function open(connection: Connection, protocol: string, signal: AbortSignal): Promise<Stream> {
  try {
    return await connection.newStream(protocol, { signal, maxOutboundStreams: LIBRARY_STREAM_LIMIT })
  } catch (cause) {
    signal.throwIfAborted()
    const peer = connection.remotePeer.toString()
    throw new EvolveError('PEER_UNREACHABLE', `no stream of ${protocol} to ${peer}`, {
      cause,
      data: { peer, protocol },
      verdict: 'retry',
    })
  }
}

/**
 * Sends `request` behind its length over a new stream, closes the sending side and hands over what comes back
 * until the peer closes too. What `Network.request` promises holds here, for one connection.
 */
export async function requestOver(
  connection: Connection,
  protocol: string,
  request: Uint8Array,
  {
    signal,
    onData,
  }: { readonly signal: AbortSignal; readonly onData: (bytes: Uint8Array) => boolean | void },
): Promise<void> {
  signal.throwIfAborted()
  const stream = await open(connection, protocol, signal)
  const peer = connection.remotePeer.toString()
  const { promise: answered, resolve, reject } = deferred<void>()
  answered.catch(() => undefined)
  // A connection that dies looks like an end of data too; only a peer that closed has said all it had to say.
  let peerClosed = stream.remoteWriteStatus === 'closed' && stream.status === 'open'

  const onMessage = ({ data }: StreamMessageEvent): void => {
    try {
      if (eachPart(data, onData) !== false) {
        if (hasEnded(stream)) onEnd()
        return
      }
      resolve()
      stream.abort(new Error('nothing more is wanted'))
    } catch (error) {
      reject(error)
      stream.abort(asError(error))
    }
  }
  const onPeerClosed = (): void => {
    peerClosed = true
  }
  const onEnd = (): void => {
    if (peerClosed) resolve()
  }
  const onClose = ({ error }: StreamCloseEvent): void => {
    if (peerClosed && error === undefined) resolve()
    else reject(reset(peer, error?.message ?? 'the connection closed', error))
  }
  const onAbort = (): void => {
    reject(signal.reason)
    stream.abort(asError(signal.reason))
  }
  stream.addEventListener('remoteCloseWrite', onPeerClosed)
  stream.addEventListener('end', onEnd)
  stream.addEventListener('close', onClose)
  stream.addEventListener('message', onMessage)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    if (signal.aborted) onAbort()
    else if (stream.status !== 'open') reject(reset(peer, `it was ${stream.status} at once`, undefined))
    else if (hasEnded(stream)) onEnd()
    if (stream.status === 'open') {
      stream.send(framed(request))
      // Its failure is a failure of the stream, which the close event tells.
      stream.close({ signal }).catch(() => undefined)
    }
    await answered
  } catch (error) {
    if (stream.status === 'open') stream.abort(asError(error))
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('close', onClose)
    stream.removeEventListener('end', onEnd)
    stream.removeEventListener('remoteCloseWrite', onPeerClosed)
  }
}
