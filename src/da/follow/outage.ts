import type { Logger } from '../../core/logger.ts'
import { describeError } from '../../util/errors.ts'

/** Whether DA answers. An outage is said once when it begins and once when it is over. */
export interface Outage {
  readonly reachable: boolean
  /** The last failure of an outage that goes on. */
  readonly lastError: string | undefined
  failed(error: unknown, facts: Readonly<Record<string, unknown>>): void
  over(): void
}

/** Makes an {@link Outage}. */
export function createOutage(logger: Logger): Outage {
  let lastError: string | undefined
  return {
    get reachable() {
      return lastError === undefined
    },
    get lastError() {
      return lastError
    },
    failed(error, facts) {
      if (lastError === undefined)
        logger.warn('reading DA fails; trying again until it works', { ...facts, error })
      lastError = describeError(error)
    },
    over() {
      if (lastError !== undefined) logger.info('DA can be read again')
      lastError = undefined
    },
  }
}
