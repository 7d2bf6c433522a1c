import type { EventForm, SubscriptionEvent } from './event.ts'

/** Where a subscriber takes what it is told. */
export interface Outlet<Message> {
  /** Hands an event over. False when the subscriber should be left alone until it has taken what it was given. */
  send(event: SubscriptionEvent<Message>): boolean
  /** Says that the node is there, and which height comes next; as `send`. */
  heartbeat(next: number): boolean
  /** Called each time all was taken after `send` or `heartbeat` said false. */
  onDrain(listener: () => void): void
  /** The subscriber was told that it is over and does not take even that: closes its connection. */
  destroy(): void
}

/** A response that bytes can be written to past whoever serves it. */
export interface ByteSink {
  /** False when nothing more should be written until all was taken. What is written after the end is lost. */
  write(bytes: Uint8Array): boolean
  /** Called each time all was taken after `write` said false. */
  onDrain(listener: () => void): void
  destroy(): void
}

/** An outlet that writes events in one form: the bytes are the same for all, and are written as they are. */
export function sinkOutlet<Message>(
  sink: ByteSink,
  form: EventForm,
  heartbeat: (next: number) => Uint8Array,
): Outlet<Message> {
  return {
    send: (event) => sink.write(event.bytes(form)),
    heartbeat: (next) => sink.write(heartbeat(next)),
    onDrain: (listener) => sink.onDrain(listener),
    destroy: () => sink.destroy(),
  }
}
