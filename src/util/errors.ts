/**
 * What a caller should do with a failure, where peers or blocks are judged.
 *
 * - `retry`: nothing is wrong with what was sent; try again later or elsewhere.
 * - `ignore`: we cannot judge it now; drop it and punish nobody.
 * - `reject`: it is wrong and an honest sender could have known; drop it and penalise the sender.
 * - `halt`: going on would fork or lose state; the node must stop.
 */
export type Verdict = 'retry' | 'ignore' | 'reject' | 'halt'

/** Options of {@link EvolveError}. */
export interface EvolveErrorOptions {
  /** Facts for logs and for whoever handles the error: heights, hashes as hex, names. */
  readonly data?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
  readonly verdict?: Verdict
}

/**
 * The one error class of this package. `code` is stable and upper snake case; `message` says what was
 * expected and what came; `verdict` is set where somebody has to act on it.
 */
export class EvolveError extends Error {
  override readonly name = 'EvolveError'
  readonly code: string
  readonly data: Readonly<Record<string, unknown>>
  readonly verdict: Verdict | undefined

  constructor(code: string, message: string, options: EvolveErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.data = options.data ?? {}
    this.verdict = options.verdict
  }
}

/** Whether `error` is an {@link EvolveError}, of one of `codes` when any are given. */
export function isEvolveError(error: unknown, ...codes: readonly string[]): error is EvolveError {
  return error instanceof EvolveError && (codes.length === 0 || codes.includes(error.code))
}

/** The verdict an error carries, or `fallback` for errors that carry none. */
export function verdictOf(error: unknown, fallback: Verdict): Verdict {
  return (error instanceof EvolveError ? error.verdict : undefined) ?? fallback
}

/** A text of anything thrown, causes included unless the message quotes them already. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const own = error.message === '' ? error.name : error.message
  const cause = causeText(error)
  return cause === undefined || own.includes(cause) ? own : `${own}: ${cause}`
}

function causeText(error: Error): string | undefined {
  if (error instanceof AggregateError && error.errors.length > 0) {
    return error.errors.map(describeError).join('; ')
  }
  return error.cause === undefined ? undefined : describeError(error.cause)
}
