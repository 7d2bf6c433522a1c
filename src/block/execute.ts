import { createBackoff, type Env, sleep } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import { abortable } from '../util/async.ts'
import { describeError, EvolveError, isEvolveError, verdictOf } from '../util/errors.ts'
import { BLOCK_METRICS } from './metrics.ts'

/** How often and how long the executor is asked again. */
export interface ExecutionPolicy {
  /** Calls that may fail before the node halts. Default 3. */
  readonly attempts?: number
  /** Milliseconds between failed calls. Default 10,000. */
  readonly attemptDelay?: number
  /** First and last waiting time in milliseconds while the executor is unreachable. Default 250 and 10,000. */
  readonly unreachableFirst?: number
  readonly unreachableLast?: number
}

/** One call to the executor. */
export interface ExecutorCall<T> {
  /** What is called, for logs and errors. */
  readonly what: string
  readonly height: number
  /** Calls that may fail, when other than the policy says. */
  readonly attempts?: number
  readonly signal: AbortSignal
  readonly task: (signal: AbortSignal) => Promise<T>
}

/** Calls the executor with patience. */
export interface PatientExecutor {
  /** False from the moment the executor cannot be reached until it answers again. */
  readonly reachable: boolean
  /**
   * Calls until it succeeds. An unreachable executor (`EXECUTOR_UNREACHABLE`) is waited for as long as it takes.
   * Other failures are repeated a few times and then end in `EXECUTION_FAILED` with verdict `halt`; a failure that
   * carries this verdict itself passes at once. Rejects with the signal's reason when aborted.
   */
  call<T>(call: ExecutorCall<T>): Promise<T>
}

/** Makes a {@link PatientExecutor}. */
export function createPatientExecutor(
  deps: { readonly env: Env; readonly logger: Logger; readonly metrics: Metrics },
  policy: ExecutionPolicy = {},
): PatientExecutor {
  const { env, logger, metrics } = deps
  const allowed = policy.attempts ?? 3
  const attemptDelay = policy.attemptDelay ?? 10_000
  const { unreachableFirst = 250, unreachableLast = 10_000 } = policy
  let reachable = true

  function setReachable(now: boolean, facts: Readonly<Record<string, unknown>>): void {
    if (now === reachable) return
    reachable = now
    metrics.gauge(BLOCK_METRICS.executorReachable, now ? 1 : 0)
    if (now) logger.info('executor answers again', facts)
    else logger.warn('executor cannot be reached; waiting for it', facts)
  }

  return {
    get reachable() {
      return reachable
    },
    async call({ what, height, signal, task, attempts = allowed }) {
      const backoff = createBackoff(unreachableFirst, unreachableLast)
      for (let failures = 0; ; ) {
        try {
          signal.throwIfAborted()
          const result = await abortable(task(signal), signal)
          setReachable(true, { height })
          return result
        } catch (error) {
          signal.throwIfAborted()
          if (isEvolveError(error, 'EXECUTOR_UNREACHABLE')) {
            setReachable(false, { height, what, error })
            metrics.count(BLOCK_METRICS.retries, 1, { operation: what })
            await sleep(env, backoff.next(), signal)
            continue
          }
          setReachable(true, { height })
          if (verdictOf(error, 'retry') === 'halt') throw error
          failures++
          if (failures >= attempts) {
            throw new EvolveError(
              'EXECUTION_FAILED',
              `${what} at height ${height} failed ${failures} times, last: ${describeError(error)}`,
              { verdict: 'halt', cause: error, data: { height, what, attempts: failures } },
            )
          }
          logger.error('executor failed; trying again', { height, what, attempt: failures, attempts, error })
          metrics.count(BLOCK_METRICS.retries, 1, { operation: what })
          await sleep(env, attemptDelay, signal)
        }
      }
    },
  }
}
