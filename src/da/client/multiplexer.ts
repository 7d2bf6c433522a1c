/*
 * Many calls and channels over one connection: which message belongs to whom.
 */
import { deferred } from '../../util/async.ts'
import { type Answer, decodeIncoming, encodeCall, encodeCancel } from './json-rpc.ts'

/** One call: `id` is unique among those of the client. */
export interface OutgoingCall {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

/** Takes what comes over a channel. */
export interface ChannelSink {
  value(value: unknown): void
  /** Nothing comes any more. */
  end(): void
}

/** Why a message was ignored: it could not be read, or nobody waits for it. */
export type IgnoreReason = 'malformed' | 'unknown-call' | 'unknown-channel'

/** What a multiplexer needs of its connection. */
export interface MultiplexerDeps {
  /** Sends a message; `failed` is called when it cannot be sent. */
  send(text: string, failed: (error: Error) => void): void
  ignored(reason: IgnoreReason): void
}

/** See {@link createMultiplexer}. */
export interface Multiplexer {
  /** Whether any message came that was waited for. */
  readonly answered: boolean
  /** Takes a message off the connection. Never throws. */
  receive(text: string): void
  /**
   * Sends a call and waits for its answer; a numeric result opens a channel to the sink, if there is one. When the
   * signal aborts, the other side is told that nobody waits any more.
   */
  call(
    call: OutgoingCall,
    options: { readonly signal: AbortSignal; readonly sink?: ChannelSink },
  ): Promise<Answer>
  /** Ends the channel that call `id` has opened, if it has one; nothing comes over it any more. */
  endChannel(id: number): void
  /** The connection is gone: every call rejects, every channel ends. */
  fail(error: Error): void
}

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
  readonly sink: ChannelSink | undefined
}

interface Channel {
  readonly call: number
  readonly sink: ChannelSink
}

/** Makes a multiplexer for one connection. It holds no more than what is called and subscribed. */
export function createMultiplexer(connection: MultiplexerDeps): Multiplexer {
  const waiting = new Map<number, Waiting>()
  const channels = new Map<number, Channel>()
  let answered = false

  function onAnswer(id: unknown, answer: Answer): void {
    const call = typeof id === 'number' ? id : Number.NaN
    const one = waiting.get(call)
    if (one === undefined) return connection.ignored('unknown-call')
    waiting.delete(call)
    answered = true
    // At once: values may stand in the very next message.
    if (one.sink !== undefined && 'result' in answer && typeof answer.result === 'number') {
      channels.get(answer.result)?.sink.end()
      channels.set(answer.result, { call, sink: one.sink })
    }
    one.resolve(answer)
  }

  return {
    get answered() {
      return answered
    },
    receive(text) {
      const incoming = decodeIncoming(text)
      if (incoming === undefined) return connection.ignored('malformed')
      if (incoming.kind === 'answer') return onAnswer(incoming.id, incoming.answer)
      const channel = channels.get(incoming.channel)
      if (channel === undefined) return connection.ignored('unknown-channel')
      answered = true
      if (incoming.kind === 'value') return channel.sink.value(incoming.value)
      channels.delete(incoming.channel)
      return channel.sink.end()
    },
    async call({ id, method, params }, { signal, sink }) {
      signal.throwIfAborted()
      const { promise, resolve, reject } = deferred<Answer>()
      const onAbort = (): void => {
        connection.send(encodeCancel(id), () => undefined)
        reject(signal.reason)
      }
      waiting.set(id, { resolve, reject, sink })
      signal.addEventListener('abort', onAbort, { once: true })
      connection.send(encodeCall(id, method, params), reject)
      try {
        return await promise
      } finally {
        waiting.delete(id)
        signal.removeEventListener('abort', onAbort)
      }
    },
    endChannel(id) {
      for (const [number, { call }] of channels) {
        if (call !== id) continue
        channels.delete(number)
        connection.send(encodeCancel(id), () => undefined)
      }
    },
    fail(error) {
      for (const { reject } of waiting.values()) reject(error)
      waiting.clear()
      for (const { sink } of channels.values()) sink.end()
      channels.clear()
    },
  }
}
