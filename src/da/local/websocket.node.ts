/*
 * Calls and subscriptions over one WebSocket.
 * Source: filecoin-project/go-jsonrpc: the result of a subscribing call is the number of a channel; its values and its
 * end come as notifications; a call is cancelled, and answered nevertheless, by a notification with its id.
 */
import type { RawData, WebSocket } from 'ws'
import type { CancelTimer, Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Calls, Outcome } from './faults.ts'
import {
  type Call,
  type CallId,
  type Failure,
  failureOf,
  failureText,
  notificationText,
  readMessage,
  resultText,
} from './json-rpc.ts'
import type { Limits } from './limits.ts'
import type { Subscriptions, Topic } from './subscriptions.ts'

/** What a connection needs. */
export interface WebSocketDeps {
  readonly env: Env
  readonly logger: Logger
  readonly calls: Calls
  readonly subscriptions: Subscriptions
}

/** Close codes. Source: RFC 6455, section 7.4; 1013 is registered with IANA. */
const CLOSE = { goingAway: 1001, internal: 1011, tryAgainLater: 1013 } as const

/** Milliseconds that a client has to answer the end of a connection. */
const CLOSE_TIME = 5_000

/** Bytes of a WebSocket message, however they came. */
function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8')
  return (Buffer.isBuffer(data) ? data : Buffer.from(data)).toString('utf8')
}

/** Serves an open WebSocket until it closes or `signal` aborts, which closes it. */
export function serveWebSocket(
  socket: WebSocket,
  deps: WebSocketDeps,
  limits: Limits,
  signal: AbortSignal,
): void {
  const { env, calls, subscriptions } = deps
  const logger = deps.logger.child({ component: 'local-da' })
  const running = new Map<CallId, AbortController>()
  const channels = new Map<CallId, { readonly channel: number; readonly end: () => void }>()
  let lastChannel = 0
  let closing = false
  let cancelTerminate: CancelTimer | undefined

  const release = (): void => {
    for (const controller of running.values())
      controller.abort(new DOMException('the connection is gone', 'AbortError'))
    for (const { end } of channels.values()) end()
    running.clear()
    channels.clear()
  }
  const close = (code: number, reason: string): void => {
    if (closing) return
    closing = true
    release()
    socket.close(code, reason)
    cancelTerminate = env.timer(CLOSE_TIME, () => socket.terminate(), { background: true })
  }
  const send = (text: string): void => {
    if (closing) return
    if (socket.bufferedAmount > limits.maxBacklogBytes) {
      const reason = `too slow: ${socket.bufferedAmount} bytes unread`
      logger.warn('client of the local DA dropped', { reason })
      close(CLOSE.tryAgainLater, reason)
      return
    }
    socket.send(text)
  }
  const fail = (id: CallId, failure: Failure): void => send(failureText(id, failure))

  const subscribe = (id: CallId, topic: Topic): void => {
    const channel = ++lastChannel
    try {
      // The number of the channel must go out before its first value: nothing is published in between.
      const end = subscriptions.add(topic, (json) =>
        send(notificationText('xrpc.ch.val', [String(channel), json])),
      )
      channels.set(id, { channel, end })
    } catch (error) {
      fail(id, failureOf(error))
      return
    }
    send(resultText(id, channel))
  }
  const finish = (id: CallId, outcome: Outcome): void => {
    switch (outcome.kind) {
      case 'value':
        send(resultText(id, outcome.value))
        return
      case 'subscription':
        subscribe(id, outcome.topic)
        return
      case 'failure':
        fail(id, outcome)
        return
      case 'status':
      case 'drop':
        socket.terminate()
        return
      case 'silence':
        return
    }
  }
  const start = async ({ id, method, params }: Call): Promise<void> => {
    if (running.has(id) || channels.has(id)) {
      fail(id, { code: -32600, message: 'this id is in use by another call' })
      return
    }
    if (running.size >= limits.maxCalls || channels.size >= limits.maxSubscriptions) {
      const { maxCalls, maxSubscriptions } = limits
      const message = `too much at once: at most ${maxCalls} calls and ${maxSubscriptions} subscriptions`
      fail(id, { code: 1, message })
      return
    }
    const controller = new AbortController()
    running.set(id, controller)
    const outcome = await calls.call(method, params, controller.signal)
    if (closing || running.get(id) !== controller) return
    running.delete(id)
    finish(id, outcome)
  }
  const cancel = (id: CallId): void => {
    running.get(id)?.abort(new DOMException('cancelled by the client', 'AbortError'))
    const subscription = channels.get(id)
    if (subscription === undefined) return
    subscription.end()
    channels.delete(id)
    send(notificationText('xrpc.ch.close', [String(subscription.channel)]))
  }
  const onAbort = (): void => close(CLOSE.goingAway, 'the local DA stops')

  socket.on('message', (data: RawData) => {
    if (closing) return
    const message = readMessage(textOf(data))
    if (message.kind === 'refused') send(message.answer)
    else if (message.kind === 'cancel') cancel(message.id)
    else
      void start(message.call).catch((error: unknown) => {
        logger.error('an answer of the local DA could not be sent', { error })
        close(CLOSE.internal, 'failed')
      })
  })
  // What is wrong with a frame closes the connection; nothing else is to be done about it.
  socket.on('error', (error) => logger.debug('connection to the local DA broke', { error }))
  socket.on('close', () => {
    closing = true
    release()
    cancelTerminate?.()
    signal.removeEventListener('abort', onAbort)
  })
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
}
