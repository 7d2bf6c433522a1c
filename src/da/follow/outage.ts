import type { Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import { describeError } from '../../util/errors.ts'

/**
 * Whether DA answers. An outage is said once when it begins and once when it is over: a node that fails now and then is
 * in one all the time.
 */
export interface Outage {
  /** Whether the last question was answered. */
  readonly reachable: boolean
  /** Why it was not. */
  readonly lastError: string | undefined
  failed(error: unknown, facts: Readonly<Record<string, unknown>>): void
  answered(): void
}

/** Makes an {@link Outage}. It is over when nothing failed for `calm` milliseconds. */
export function createOutage(
  { env, logger }: { readonly env: Env; readonly logger: Logger },
  { calm }: { readonly calm: number },
): Outage {
  let lastError: string | undefined
  let failedAt: number | undefined
  return {
    get reachable() {
      return lastError === undefined
    },
    get lastError() {
      return lastError
    },
    failed(error, facts) {
      if (failedAt === undefined)
        logger.warn('reading DA fails; trying again until it works', { ...facts, error })
      failedAt = env.monotonic()
      lastError = describeError(error)
    },
    answered() {
      lastError = undefined
      if (failedAt === undefined || env.monotonic() - failedAt < calm) return
      failedAt = undefined
      logger.info('DA can be read again')
    },
  }
}
