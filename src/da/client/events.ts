import type { DaEvent } from '../../core/da.ts'
import { createWake } from '../../util/async.ts'

/**
 * Events of a growing chain on their way to one reader. Of those that it has not taken only the highest is kept: it
 * says all that the others said.
 */
export interface LatestEvents {
  push(height: number): void
  /** Nothing comes any more; what is there may still be taken. */
  end(): void
  /** The next event, undefined after the end. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<DaEvent | undefined>
}

/** Makes {@link LatestEvents}. */
export function createLatestEvents(): LatestEvents {
  const wake = createWake()
  let highest: number | undefined
  let ended = false
  return {
    push(height) {
      highest = Math.max(highest ?? height, height)
      wake.wake()
    },
    end() {
      ended = true
      wake.wake()
    },
    async take(signal) {
      for (;;) {
        signal.throwIfAborted()
        if (highest !== undefined) {
          const event = { height: highest }
          highest = undefined
          return event
        }
        if (ended) return undefined
        await wake.wait(signal)
      }
    },
  }
}
