import type { Connection, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { PING_PROTOCOL } from '@libp2p/ping'
import { abortable, deferred } from '../util/async.ts'
import { equalBytes } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { asError, eachPart } from './streams.ts'

/**
 * Sends 32 bytes over a connection and waits for them to come back. A peer that answers without knowing the
 * protocol lives too. Rejects with what went wrong, or with the signal's reason.
 */
export async function pingOver(
  connection: Connection,
  bytes: Uint8Array,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  let stream
  try {
    stream = await connection.newStream(PING_PROTOCOL, { signal, maxOutboundStreams: 8 })
  } catch (error) {
    if (error instanceof Error && error.name === 'UnsupportedProtocolError') return
    throw error
  }
  const { promise: echoed, resolve, reject } = deferred<void>()
  echoed.catch(() => undefined)
  let received = 0
  const onMessage = ({ data }: StreamMessageEvent): void => {
    eachPart(data, (part) => {
      const expected = bytes.subarray(received, received + part.length)
      received += part.length
      if (!equalBytes(part, expected)) reject(new EvolveError('PING_MISMATCH', 'a ping came back changed'))
    })
    if (received === bytes.length) resolve()
  }
  const onClose = ({ error }: StreamCloseEvent): void =>
    reject(error ?? new EvolveError('STREAM_CLOSED', 'the stream of a ping was closed'))
  stream.addEventListener('message', onMessage)
  stream.addEventListener('close', onClose)
  try {
    stream.send(bytes)
    await abortable(echoed, signal)
    stream.close({ signal }).catch(() => undefined)
  } catch (error) {
    stream.abort(asError(error))
    throw error
  } finally {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('close', onClose)
  }
}
