import { describeError, EvolveError, isEvolveError, verdictOf } from '../util/errors.ts'
import { type SubmitAnswer, SubmitCode } from './codec.ts'

/** Nobody who takes transactions can be reached, or not now. */
export function noAggregator(message: string, cause?: unknown): EvolveError {
  return new EvolveError('NO_AGGREGATOR', message, { verdict: 'retry', cause })
}

/** There is no room for a transaction now. */
export function noRoom(message: string, cause?: unknown): EvolveError {
  return new EvolveError('TX_NO_ROOM', message, { verdict: 'retry', cause })
}

/** A transaction can never get in. */
export function txRefused(message: string, cause?: unknown): EvolveError {
  return new EvolveError('TX_REFUSED', message, { verdict: 'reject', cause })
}

/** Any failure to take a transaction, as one of the errors that `NodeView.submit` knows. */
export function asSubmitError(error: unknown): EvolveError {
  if (isEvolveError(error, 'TX_REFUSED', 'TX_NO_ROOM', 'TX_NOT_ACCEPTED', 'NO_AGGREGATOR')) return error
  const what = describeError(error)
  if (verdictOf(error, 'retry') === 'reject') return txRefused(what, error)
  if (isEvolveError(error, 'QUEUE_FULL')) return noRoom(what, error)
  return noAggregator(`the transaction could not be handed over: ${what}`, error)
}

/** The answer that tells a peer of a failure. */
export function answerOf(error: unknown): SubmitAnswer {
  const { code, message } = asSubmitError(error)
  return { code: codeOf(code), message, distance: 0 }
}

function codeOf(code: string): SubmitCode {
  if (code === 'TX_REFUSED') return SubmitCode.refused
  if (code === 'TX_NO_ROOM') return SubmitCode.noRoom
  if (code === 'TX_NOT_ACCEPTED') return SubmitCode.notAccepted
  return SubmitCode.noAggregator
}
