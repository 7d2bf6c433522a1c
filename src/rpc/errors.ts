/*
 * Errors on their way to clients: a code of Connect for programs of any kind, and our own stable code beside it.
 */
import { Code, ConnectError, type HandlerContext } from '@connectrpc/connect'
import type { Logger } from '../core/logger.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import { ErrorInfoSchema } from './gen/evolve/v1/error_pb.ts'

/** What clients are told of errors of these codes. Others are the node's own failures: `internal`. */
const CODES: ReadonlyMap<string, Code> = new Map([
  ['INVALID_REQUEST', Code.InvalidArgument],
  ['BLOCK_NOT_FOUND', Code.NotFound],
  ['BLOCK_PRUNED', Code.NotFound],
  ['TX_NOT_FOUND', Code.NotFound],
  ['TX_INDEX_OFF', Code.Unimplemented],
  ['TX_REFUSED', Code.InvalidArgument],
  ['TX_NO_ROOM', Code.ResourceExhausted],
  ['TX_NOT_ACCEPTED', Code.FailedPrecondition],
  ['NO_AGGREGATOR', Code.Unavailable],
  ['SUBSCRIPTION_DROPPED', Code.ResourceExhausted],
  ['TOO_MANY_SUBSCRIBERS', Code.ResourceExhausted],
  ['NODE_STOPPING', Code.Unavailable],
])

/** The error of a request that cannot be answered as it stands. */
export function invalidRequest(message: string): EvolveError {
  return new EvolveError('INVALID_REQUEST', message)
}

/** The code of Connect for an error that clients are told of; undefined for a failure of the node itself. */
export function connectCodeOf(error: unknown): Code | undefined {
  return isEvolveError(error) ? CODES.get(error.code) : undefined
}

/** The height to go on with that an error names; 0 for none. */
export function nextHeightOf(error: EvolveError): number {
  const height = error.data['nextHeight']
  return typeof height === 'number' ? height : 0
}

/** `error` as those see it who are told of it: a store that stopped is a node that stops. */
export function tellable(error: unknown): unknown {
  return isEvolveError(error, 'STORE_STOPPED', 'KV_STOPPED')
    ? new EvolveError('NODE_STOPPING', 'the node is not running', { verdict: 'retry', cause: error })
    : error
}

/** Any error for the wire. What clients cannot know the meaning of goes to the log, and they are told no details. */
export function connectError(logger: Logger, method: string, thrown: unknown): ConnectError {
  if (thrown instanceof ConnectError) return thrown
  const error = tellable(thrown)
  const code = connectCodeOf(error)
  if (code === undefined || !isEvolveError(error)) {
    logger.error('a call failed', { method, error })
    return new ConnectError('the node failed; its log says why', Code.Internal, undefined, undefined, error)
  }
  const value = { code: error.code, nextHeight: BigInt(nextHeightOf(error)) }
  return new ConnectError(error.message, code, undefined, [{ desc: ErrorInfoSchema, value }], error)
}

/** Makes methods of a service whose errors are told by {@link connectError}. */
export function answering(
  logger: Logger,
): <Request, Response>(
  method: string,
  answer: (request: Request, context: HandlerContext) => Promise<Response>,
) => (request: Request, context: HandlerContext) => Promise<Response> {
  return (method, answer) => async (request, context) => {
    try {
      return await answer(request, context)
    } catch (error) {
      // Whoever went away hears nothing, and nothing failed.
      if (context.signal.aborted) throw error
      throw connectError(logger, method, error)
    }
  }
}
