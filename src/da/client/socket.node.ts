/*
 * One WebSocket to a DA node: opening it, closing it, and noticing when nobody is there any more.
 */
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { Env } from '../../core/env.ts'
import type { Metrics } from '../../core/metrics.ts'
import { deferred } from '../../util/async.ts'
import { describeError, type EvolveError } from '../../util/errors.ts'
import { answerTooLarge, classifyHttpStatus, daError } from './errors.ts'
import { CLIENT_METRICS } from './metrics.ts'
import { createMultiplexer, type Multiplexer } from './multiplexer.ts'

/** An open WebSocket to a DA node. Its calls reject with `DA_UNREACHABLE` when it breaks. */
export interface DaSocket extends Pick<Multiplexer, 'call' | 'endChannel' | 'answered'> {
  /** Whether calls may be sent. */
  readonly usable: boolean
  /** Resolves, with the reason, when it is closed: `DA_MALFORMED` when a message was too large. */
  readonly closed: Promise<EvolveError>
  /** Resolves when it is closed. */
  close(): Promise<void>
}

/** Bounds of a {@link DaSocket}. Times in milliseconds. */
export interface DaSocketOptions {
  readonly url: string
  /** Host and port, for messages. */
  readonly host: string
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of the largest message. */
  readonly maxBodyBytes: number
  /** Time for the connection to open. */
  readonly openTimeout: number
  readonly pingInterval: number
  /** It counts as dead after as long without a byte in either direction. */
  readonly silence: number
  /** Time for the other side to agree to the closing. */
  readonly closeTimeout: number
}

/** What a socket works with. */
export interface DaSocketDeps {
  readonly env: Env
  readonly metrics: Metrics
}

const NORMAL_CLOSURE = 1000
const TOO_LARGE = 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'

/** Opens a WebSocket. Rejects with `DA_UNREACHABLE`, `DA_UNAUTHORIZED`, `DA_TIMEOUT`, or the signal's reason. */
export async function openSocket(
  deps: DaSocketDeps,
  options: DaSocketOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<DaSocket> {
  const { host, openTimeout } = options
  signal.throwIfAborted()
  const ws = new WebSocket(options.url, {
    headers: { ...options.headers },
    maxPayload: options.maxBodyBytes,
    perMessageDeflate: false,
  })
  const opened = deferred<void>()
  const fail = (error: unknown): void => {
    opened.reject(error)
    ws.terminate()
  }
  ws.on('open', () => opened.resolve())
  ws.on('unexpected-response', (_request, { statusCode = 0 }) => {
    const code = classifyHttpStatus(statusCode) === 'DA_UNAUTHORIZED' ? 'DA_UNAUTHORIZED' : 'DA_UNREACHABLE'
    fail(
      daError(code, `the DA node at ${host} opens no WebSocket: HTTP ${statusCode}`, {
        data: { statusCode },
      }),
    )
  })
  ws.on('error', (cause) =>
    fail(
      daError('DA_UNREACHABLE', `no WebSocket to the DA node at ${host}: ${describeError(cause)}`, { cause }),
    ),
  )
  const cancel = deps.env.timer(openTimeout, () =>
    fail(daError('DA_TIMEOUT', `the DA node at ${host} opened no WebSocket within ${openTimeout} ms`)),
  )
  const onAbort = (): void => fail(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  // What comes right behind the handshake must find its reader.
  const socket = attach(deps, options, ws)
  try {
    await opened.promise
    return socket
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

function attach({ env, metrics }: DaSocketDeps, options: DaSocketOptions, ws: WebSocket): DaSocket {
  const { host, maxBodyBytes } = options
  const closed = deferred<EvolveError>()
  let reason: EvolveError | undefined
  let stopWatching = (): void => undefined

  const broken = (what: string, cause?: unknown): EvolveError =>
    daError('DA_UNREACHABLE', `the WebSocket to the DA node at ${host} broke: ${what}`, { cause })

  const multiplexer = createMultiplexer({
    send(text, failed) {
      ws.send(text, (error) => {
        if (error) failed(broken(describeError(error), error))
      })
    },
    ignored: (why) => metrics.count(CLIENT_METRICS.messagesIgnored, 1, { reason: why }),
  })

  ws.on('upgrade', ({ socket }) => {
    stopWatching = watch(env, options, ws, socket, () => {
      reason = broken(`nothing came for ${options.silence} ms`)
      ws.terminate()
    })
  })
  ws.on('message', (data) => multiplexer.receive(Buffer.isBuffer(data) ? data.toString('utf8') : ''))
  ws.on('error', (error) => {
    const tooLarge = Reflect.get(error, 'code') === TOO_LARGE
    reason ??= tooLarge ? answerTooLarge(maxBodyBytes) : broken(describeError(error), error)
  })
  ws.on('close', (code) => {
    stopWatching()
    const why = reason ?? broken(`closed with ${code}`)
    multiplexer.fail(why)
    closed.resolve(why)
  })

  return {
    call: async (call, how) => await multiplexer.call(call, how),
    endChannel: (id) => multiplexer.endChannel(id),
    get answered() {
      return multiplexer.answered
    },
    get usable() {
      return ws.readyState === WebSocket.OPEN
    },
    closed: closed.promise,
    async close() {
      reason ??= daError('DA_UNREACHABLE', 'the DA client stops')
      ws.close(NORMAL_CLOSURE)
      const cancel = env.timer(options.closeTimeout, () => ws.terminate())
      await closed.promise
      cancel()
    },
  }
}

/** Pings, and calls `dead` when nothing moves any more: no byte comes, and none of ours leaves. Returns its end. */
function watch(
  env: Env,
  { pingInterval, silence }: DaSocketOptions,
  ws: WebSocket,
  stream: Socket,
  dead: () => void,
): () => void {
  let read = stream.bytesRead
  let unsent = 0
  let moved = env.monotonic()
  let cancel = env.timer(pingInterval, look, { background: true })
  function look(): void {
    const now = env.monotonic()
    if (stream.bytesRead !== read || ws.bufferedAmount < unsent) moved = now
    if (now - moved >= silence) return dead()
    ws.ping()
    read = stream.bytesRead
    unsent = ws.bufferedAmount
    cancel = env.timer(pingInterval, look, { background: true })
  }
  return () => cancel()
}
