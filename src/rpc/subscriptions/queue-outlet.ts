import { createWake } from '../../util/async.ts'
import type { Outlet } from './outlet.ts'

/** An outlet whose messages are taken one by one. */
export interface QueueOutlet<Message> extends Outlet<Message> {
  /** Messages in order, until `close` was called and all were taken, or the signal aborts. */
  messages(signal: AbortSignal): AsyncIterable<Message>
  /** Nothing more comes. */
  close(): void
}

/** Messages that may wait. */
const ROOM = 16

/** Makes a {@link QueueOutlet}, for servers that write messages themselves. */
export function createQueueOutlet<Message>(heartbeat: (next: number) => Message): QueueOutlet<Message> {
  let waiting: Message[] = []
  let closed = false
  let drained = (): void => {}
  const wake = createWake()

  function push(message: Message): boolean {
    waiting.push(message)
    wake.wake()
    return waiting.length < ROOM
  }

  function close(): void {
    closed = true
    wake.wake()
  }

  return {
    send: ({ message }) => push(message),
    heartbeat: (next) => push(heartbeat(next)),
    onDrain(listener) {
      drained = listener
    },
    destroy() {
      waiting = []
      close()
    },
    close,
    async *messages(signal) {
      for (;;) {
        const message = waiting.shift()
        if (message !== undefined) {
          yield message
        } else if (closed) {
          return
        } else {
          drained()
          if (waiting.length === 0) await wake.wait(signal)
        }
      }
    },
  }
}
