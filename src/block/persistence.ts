import { type Backoff, createBackoff, type Env, sleep } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import { describeError, verdictOf } from '../util/errors.ts'
import { BLOCK_METRICS } from './metrics.ts'

/** Repeats what fails for a reason that may pass: a full disk, a store that does not answer. */
export interface Persistence {
  /** The failure that is being waited out; undefined when there is none. */
  readonly lastError: string | undefined
  /** Runs `task` until it succeeds. Failures with verdict `reject`, `ignore` or `halt`, and aborts, pass. */
  run<T>(what: string, signal: AbortSignal, task: () => Promise<T>): Promise<T>
}

/** Waiting times of a {@link Persistence} in milliseconds; defaults in brackets. */
export interface PersistenceOptions {
  /** Before the first repetition [100]; doubles up to the last [10,000]. */
  readonly retryFirst?: number
  readonly retryLast?: number
}

/** Makes a {@link Persistence}. */
export function createPersistence(
  deps: { readonly env: Env; readonly logger: Logger; readonly metrics: Metrics },
  options: PersistenceOptions = {},
): Persistence {
  const { env, logger, metrics } = deps
  const { retryFirst = 100, retryLast = 10_000 } = options
  let lastError: string | undefined
  return {
    get lastError() {
      return lastError
    },
    async run(what, signal, task) {
      let backoff: Backoff | undefined
      try {
        for (;;) {
          try {
            const result = await task()
            if (backoff !== undefined) logger.info('worked at last', { what })
            return result
          } catch (error) {
            signal.throwIfAborted()
            if (verdictOf(error, 'retry') !== 'retry') throw error
            backoff ??= createBackoff(retryFirst, retryLast)
            lastError = describeError(error)
            metrics.count(BLOCK_METRICS.retries, 1, { operation: what })
            logger.warn('failed; trying again', { what, error })
            await sleep(env, backoff.next(), signal)
          }
        }
      } finally {
        lastError = undefined
      }
    },
  }
}
