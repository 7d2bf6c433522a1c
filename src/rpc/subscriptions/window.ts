import type { SubscriptionEvent } from './event.ts'

/** The latest events, so that those who are a little behind need not have them read and encoded again. */
export interface Window<Message> {
  get(height: number): SubscriptionEvent<Message> | undefined
  /** Adds the newest; the oldest go. */
  add(event: SubscriptionEvent<Message>): void
}

/** Most that is kept. */
const MAX_EVENTS = 256
const MAX_BYTES = 32 << 20

/** Makes a {@link Window} of messages of which `size` says about how many bytes they take. */
export function createWindow<Message>(size: (message: Message) => number): Window<Message> {
  const events = new Map<number, { readonly event: SubscriptionEvent<Message>; readonly size: number }>()
  let bytes = 0

  function remove(height: number): void {
    bytes -= events.get(height)?.size ?? 0
    events.delete(height)
  }

  return {
    get: (height) => events.get(height)?.event,
    add(event) {
      const height = event.next - 1
      remove(height)
      const entry = { event, size: size(event.message) }
      events.set(height, entry)
      bytes += entry.size
      for (const oldest of events.keys()) {
        if (events.size <= MAX_EVENTS && bytes <= MAX_BYTES) break
        remove(oldest)
      }
    },
  }
}
