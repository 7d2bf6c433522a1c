import { abortable, type Deferred, deferred } from '../util/async.ts'
import type { CancelTimer, Env } from './env.ts'

/** Lets a stage run ahead of the one that follows it, but not so far that what it hands on is forgotten meanwhile. */
export interface Pace {
  /**
   * Resolves when the stage behind has come near `height`, or does not move: whoever stands still keeps nobody waiting.
   * Rejects with the signal's reason. For one waiter.
   */
  wait(height: number, options: { readonly signal: AbortSignal }): Promise<void>
  /** The stage behind has done everything up to `height`. */
  reached(height: number): void
}

/** Makes a {@link Pace} with at most `lead` heights between the stages; `patience` milliseconds without a move are standing still. */
export function createPace(
  { env }: { readonly env: Env },
  { lead, patience }: { readonly lead: number; readonly patience: number },
): Pace {
  let behind = 0
  /** Waited for in vain since the last move. */
  let still = false
  let waiting: { readonly height: number; readonly near: Deferred<void>; cancel: CancelTimer } | undefined

  function arm(): CancelTimer {
    return env.timer(patience, () => {
      still = true
      waiting?.near.resolve()
    })
  }

  return {
    async wait(height, { signal }) {
      if (still || height - behind <= lead) return
      const own = { height, near: deferred<void>(), cancel: arm() }
      waiting = own
      try {
        await abortable(own.near.promise, signal)
      } finally {
        own.cancel()
        waiting = undefined
      }
    },
    reached(height) {
      behind = height
      still = false
      if (waiting === undefined) return
      waiting.cancel()
      waiting.cancel = arm()
      if (waiting.height - behind <= lead) waiting.near.resolve()
    },
  }
}
