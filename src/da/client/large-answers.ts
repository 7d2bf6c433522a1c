import type { Env } from '../../core/env.ts'

/** Milliseconds for which more large answers are expected after one. */
const EXPECTED_FOR = 10 * 60_000

/**
 * Remembers that answers were too large for a WebSocket, which breaks over each of them: while one reads along many
 * such heights, it is left in peace.
 */
export interface LargeAnswers {
  /** Whether the next answer may be a large one too. */
  readonly expected: boolean
  /** A large answer came by HTTP. */
  came(): void
  /** By HTTP nothing comes: better the WebSocket than nothing. */
  forget(): void
}

/** Makes {@link LargeAnswers}, none expected. */
export function createLargeAnswers(env: Env): LargeAnswers {
  let until = Number.NEGATIVE_INFINITY
  return {
    get expected() {
      return env.monotonic() < until
    },
    came() {
      until = env.monotonic() + EXPECTED_FOR
    },
    forget() {
      until = Number.NEGATIVE_INFINITY
    },
  }
}
