import { createBackoff, type Env, sleep, wakeOrTimeout } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import { createWake } from '../util/async.ts'
import { describeError, verdictOf } from '../util/errors.ts'

/** Work that is done in turns: when somebody wakes it, and when its time has come. */
export interface Turns {
  /** The failure that is being waited out; undefined when there is none. */
  readonly lastError: string | undefined
  /** There may be something to do. Wakes during a turn are kept as one. */
  wake(): void
  /**
   * Runs `turn` at once and again and again, until `signal` aborts; then it resolves. A turn gives the milliseconds
   * after which it wants another one if nobody wakes it before: 0 for at once, Infinity for never. One that fails is
   * repeated with growing pauses, during which wakes change nothing; with verdict `halt` the failure is passed on.
   */
  run(turn: () => Promise<number>, signal: AbortSignal): Promise<void>
}

/** Makes {@link Turns}. `retryFirst` and `retryLast` are the pauses after failures in milliseconds. */
export function createTurns(
  deps: { readonly env: Env; readonly logger: Logger },
  options: { readonly what: string; readonly retryFirst: number; readonly retryLast: number },
): Turns {
  const { env, logger } = deps
  const { what } = options
  const woken = createWake()
  let lastError: string | undefined

  async function wait(ms: number, signal: AbortSignal): Promise<void> {
    if (ms === Infinity) await woken.wait(signal)
    else await wakeOrTimeout(env, woken, ms, signal)
  }

  return {
    get lastError() {
      return lastError
    },
    wake: () => woken.wake(),
    async run(turn, signal) {
      const backoff = createBackoff(options.retryFirst, options.retryLast)
      let pause = 0
      for (;;) {
        try {
          if (pause > 0) await sleep(env, pause, signal)
          const ms = await turn()
          signal.throwIfAborted()
          if (pause > 0) logger.info('goes on', { what })
          pause = 0
          lastError = undefined
          backoff.reset()
          if (ms > 0) await wait(ms, signal)
        } catch (error) {
          if (signal.aborted) return
          if (verdictOf(error, 'retry') === 'halt') throw error
          if (pause === 0) logger.warn('failed; trying again', { what, error })
          lastError = describeError(error)
          pause = backoff.next()
        }
      }
    },
  }
}
