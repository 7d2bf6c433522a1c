import type { Stream, StreamCloseEvent, StreamMessageEvent } from '@libp2p/interface'
import { createWake } from '../util/async.ts'
import { eachPart, hasEnded } from './streams.ts'

/** Reads a stream, holding at most about `limit` bytes that nobody took; the peer waits while it is full. */
async function* paced(stream: Stream, limit: number): AsyncGenerator<Uint8Array> {
  const held: Uint8Array[] = []
  const arrived = createWake()
  const never = new AbortController().signal
  let bytes = 0
  let ended = false
  let failure: Error | undefined
  const onMessage = ({ data }: StreamMessageEvent): void => {
    eachPart(data, (part) => {
      held.push(part)
      bytes += part.length
    })
    if (hasEnded(stream)) ended = true
    if (bytes > limit && stream.readStatus === 'readable') stream.pause()
    arrived.wake()
  }
  const onEnd = (): void => {
    ended = true
    arrived.wake()
  }
  const onClose = ({ error }: StreamCloseEvent): void => {
    failure = error
    onEnd()
  }
  stream.addEventListener('message', onMessage)
  stream.addEventListener('end', onEnd)
  stream.addEventListener('close', onClose)
  if (hasEnded(stream) || stream.status !== 'open') onEnd()
  try {
    for (;;) {
      const parts = held.splice(0)
      for (const part of parts) {
        yield part
        bytes -= part.length
      }
      if (bytes <= limit && stream.readStatus === 'paused') stream.resume()
      if (held.length > 0) continue
      if (failure !== undefined) throw failure
      if (ended) return
      await arrived.wait(never)
    }
  } finally {
    stream.removeEventListener('message', onMessage)
    stream.removeEventListener('end', onEnd)
    stream.removeEventListener('close', onClose)
  }
}

/**
 * A stream whose async iterator lets the peer wait when its reader falls behind; the library's own queues without
 * bound. Only the iterator reads: the events of the stream are hidden, or those who pipe streams would prefer them.
 */
export function pacedReads(stream: Stream, limit: number): Stream {
  return new Proxy(stream, {
    get(target, key) {
      if (key === Symbol.asyncIterator) return () => paced(target, limit)
      if (key === 'addEventListener') return undefined
      const value: unknown = Reflect.get(target, key, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
