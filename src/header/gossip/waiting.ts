import type { PeerId } from '../../core/network.ts'

/** Limits of a {@link Waiting}. */
export interface WaitingLimits {
  /** Messages of one sender. */
  readonly perSender: number
  /** Messages of all. */
  readonly messages: number
  /** Bytes of all. */
  readonly bytes: number
}

/** Places for messages that are being judged. Strangers fill it, so it is small and shared out. */
export interface Waiting {
  readonly messages: number
  readonly bytes: number
  /** Takes a place for `bytes` of a sender; undefined when there is none. Call what it returns to give it back. */
  enter(sender: PeerId, bytes: number): (() => void) | undefined
}

/** Makes a {@link Waiting}. */
export function createWaiting(limits: WaitingLimits): Waiting {
  const senders = new Map<PeerId, number>()
  let messages = 0
  let held = 0
  return {
    get messages() {
      return messages
    },
    get bytes() {
      return held
    },
    enter(sender, bytes) {
      const ofSender = senders.get(sender) ?? 0
      if (ofSender >= limits.perSender || messages >= limits.messages || held + bytes > limits.bytes) {
        return undefined
      }
      senders.set(sender, ofSender + 1)
      messages++
      held += bytes
      let inside = true
      return () => {
        if (!inside) return
        inside = false
        messages--
        held -= bytes
        const left = (senders.get(sender) ?? 1) - 1
        if (left === 0) senders.delete(sender)
        else senders.set(sender, left)
      }
    },
  }
}
