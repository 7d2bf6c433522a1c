/*
 * Whatever goes wrong with a node asked over the network, as an EvolveError with a stable code.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import { describeError, EvolveError, isEvolveError, type Verdict } from '../../util/errors.ts'
import { ErrorInfoSchema } from '../gen/evolve/v1/error_pb.ts'
import { numberOf } from './messages.ts'

/**
 * Codes of the errors that a client rejects with. `error.verdict` is `retry` where the same call may succeed later.
 *
 * | code | what happened | |
 * |---|---|---|
 * | `RPC_UNREACHABLE` | no connection to the node, or it was lost | `retry` |
 * | `RPC_TIMEOUT` | the node did not answer in time | `retry` |
 * | `RPC_BUSY` | the node, or what stands before it, has too much to do | `retry` |
 * | `RPC_UNSUPPORTED` | who answers has no such service: no Evolve node, or another version | |
 * | `RPC_BAD_RESPONSE` | the answer is not what a node says | |
 * | `RPC_FAILED` | the node failed; its log says why | |
 * | `NOT_ALLOWED` | the node does this for its operator only | |
 * | `INVALID_REQUEST` | an argument is not as it must be | |
 * | `BLOCK_NOT_FOUND` | there is no such block | |
 * | `BLOCK_PRUNED` | the node no longer has it; `data.nextHeight` is the first it has | |
 * | `TX_NOT_FOUND` | no indexed block holds such a transaction | |
 * | `TX_INDEX_OFF` | the node does not index transactions | |
 * | `TX_REFUSED` | the transaction can never get into a block | |
 * | `TX_NO_ROOM` | too many transactions wait | `retry` |
 * | `TX_NOT_ACCEPTED` | the node takes no transactions | |
 * | `NO_AGGREGATOR` | nobody who takes transactions can be reached | `retry` |
 * | `SUBSCRIPTION_DROPPED` | the subscriber was too slow; `data.nextHeight` is where to go on | `retry` |
 * | `TOO_MANY_SUBSCRIBERS` | the node serves no more | `retry` |
 * | `NODE_STOPPING` | the node is being stopped | `retry` |
 *
 * A node may add others: they come through as they are.
 */
export type ClientErrorCode =
  | 'RPC_UNREACHABLE'
  | 'RPC_TIMEOUT'
  | 'RPC_BUSY'
  | 'RPC_UNSUPPORTED'
  | 'RPC_BAD_RESPONSE'
  | 'RPC_FAILED'
  | 'NOT_ALLOWED'
  | 'INVALID_REQUEST'
  | 'BLOCK_NOT_FOUND'
  | 'BLOCK_PRUNED'
  | 'TX_NOT_FOUND'
  | 'TX_INDEX_OFF'
  | 'TX_REFUSED'
  | 'TX_NO_ROOM'
  | 'TX_NOT_ACCEPTED'
  | 'NO_AGGREGATOR'
  | 'SUBSCRIPTION_DROPPED'
  | 'TOO_MANY_SUBSCRIBERS'
  | 'NODE_STOPPING'

/** The node cannot be reached, or no longer. */
export function unreachable(url: string, cause: unknown): EvolveError {
  return new EvolveError('RPC_UNREACHABLE', `the node at ${url} cannot be reached: ${describeError(cause)}`, {
    verdict: 'retry',
    cause,
    data: { url },
  })
}

/** The node does not answer. */
export function timedOut(url: string, what: string, ms: number): EvolveError {
  return new EvolveError('RPC_TIMEOUT', `the node at ${url} took longer than ${ms} ms: ${what}`, {
    verdict: 'retry',
    data: { url },
  })
}

/** What passes by itself. */
const PASSING: readonly Code[] = [
  Code.Unavailable,
  Code.ResourceExhausted,
  Code.Aborted,
  Code.DeadlineExceeded,
]

function verdictOf(code: Code): { readonly verdict?: Verdict } {
  return PASSING.includes(code) ? { verdict: 'retry' } : {}
}

/** What the node itself said, if it did. */
function fromInfo(url: string, error: ConnectError): EvolveError | undefined {
  const [info] = error.findDetails(ErrorInfoSchema)
  if (info === undefined || info.code === '') return undefined
  const nextHeight = numberOf(info.nextHeight, 'the height to go on with')
  return new EvolveError(info.code, error.rawMessage, {
    ...verdictOf(error.code),
    data: { url, ...(nextHeight > 0 ? { nextHeight } : {}) },
  })
}

/** What an error means that says no more than its code of Connect: it may come from what stands before the node. */
const MEANING: ReadonlyMap<Code, ClientErrorCode> = new Map([
  [Code.Unavailable, 'RPC_UNREACHABLE'],
  [Code.DeadlineExceeded, 'RPC_TIMEOUT'],
  [Code.ResourceExhausted, 'RPC_BUSY'],
  [Code.Unimplemented, 'RPC_UNSUPPORTED'],
  [Code.PermissionDenied, 'NOT_ALLOWED'],
  [Code.Unauthenticated, 'NOT_ALLOWED'],
  [Code.InvalidArgument, 'INVALID_REQUEST'],
  [Code.OutOfRange, 'INVALID_REQUEST'],
  [Code.Unknown, 'RPC_BAD_RESPONSE'],
])

function fromCode(url: string, error: ConnectError): EvolveError {
  const code = MEANING.get(error.code) ?? 'RPC_FAILED'
  return new EvolveError(code, `the node at ${url} answered: ${error.rawMessage}`, {
    ...verdictOf(error.code),
    cause: error,
    data: { url },
  })
}

/** Anything thrown by a call to the node at `url`, as an EvolveError. */
export function clientError(url: string, error: unknown): EvolveError {
  if (error instanceof EvolveError) return error
  if (!(error instanceof ConnectError)) return unreachable(url, error)
  const { cause } = error
  if (isEvolveError(cause)) return cause
  const said = fromInfo(url, error)
  if (said !== undefined) return said
  // What the platform throws when bytes stop coming, and what is said of a stream without its end.
  if (cause instanceof TypeError || typeof cause === 'string') return unreachable(url, cause)
  return fromCode(url, error)
}
