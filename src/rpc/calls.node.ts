/*
 * Calls of services in Connect, gRPC and gRPC-Web, over either HTTP: which path is which method, how much a request may
 * hold, and how long it may take.
 */
import {
  Code,
  ConnectError,
  type ConnectRouter,
  type ConnectRouterOptions,
  type ContextValues,
  createConnectRouter,
} from '@connectrpc/connect'
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from '@connectrpc/connect-node'
import type { Env } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { HttpRequest, HttpResponse } from './port.node.ts'
import { isGone, responseSink } from './response-sink.node.ts'
import { RESPONSE_SINK } from './subscriptions/serve.ts'

type UniversalHandler = ConnectRouter['handlers'][number]

/** Options of {@link createCalls}. */
export interface CallsOptions extends Omit<ConnectRouterOptions, 'readMaxBytes' | 'maxTimeoutMs'> {
  /** Adds the services; called more than once. */
  readonly routes: (router: ConnectRouter) => void
  readonly contextValues: (request: HttpRequest) => ContextValues
  /** Paths whose requests may be large. */
  readonly largePaths: readonly string[]
  /** Milliseconds for a call with one answer, from its head to its end. Streams may last. Default 30,000. */
  readonly callTimeout?: number
}

/** Answers calls. */
export interface Calls {
  /** Answers a request if it calls a method; says whether it does. Never throws. */
  handle(request: HttpRequest, response: HttpResponse): boolean
}

/** Bytes of a message of a request, and of one to a path for large ones: what makes a block has to fit. */
const REQUEST_BYTES = { usual: 65_536, large: 16 * 1_048_576 }

/** Requests that are large, or do not say that they are not, under way at once; with this they hold 1 GiB at most. */
const LARGE_AT_ONCE = 64

/** A request that says it is no longer than this is not large, unless it is packed. */
const SMALL = 262_144

/** Say that a request is packed. */
const PACKED = ['content-encoding', 'grpc-encoding', 'connect-content-encoding']

/** Units of a timeout of gRPC, in milliseconds. */
const UNITS: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 }

/** Makes {@link Calls}. */
export function createCalls(
  { env, logger }: { readonly env: Env; readonly logger: Logger },
  options: CallsOptions,
): Calls {
  const { routes, contextValues, largePaths, callTimeout = 30_000, ...shared } = options
  const handlers = new Map<string, UniversalHandler>()
  for (const [large, readMaxBytes] of [
    [false, REQUEST_BYTES.usual],
    [true, REQUEST_BYTES.large],
  ] as const) {
    const router = createConnectRouter({ ...shared, readMaxBytes })
    routes(router)
    for (const handler of router.handlers) {
      if (largePaths.includes(handler.requestPath) === large) handlers.set(handler.requestPath, handler)
    }
  }
  let largeUnderWay = 0

  /** Counts a request that may be large; false when there are too many. */
  function admit(path: string, request: HttpRequest, response: HttpResponse): boolean {
    const { headers } = request
    const packed = PACKED.some((name) => (headers[name] ?? 'identity') !== 'identity')
    const small = !packed && Number(headers['content-length'] ?? Infinity) <= SMALL
    if (small || !largePaths.includes(path)) return true
    if (largeUnderWay >= LARGE_AT_ONCE) return false
    largeUnderWay++
    response.once('close', () => largeUnderWay--)
    return true
  }

  /**
   * Ends a request that does not arrive in time, and a call with one answer that is not taken: what follows the head has no
   * time limit in HTTP/2.
   */
  function limitTransfer(request: HttpRequest, response: HttpResponse, unary: boolean): void {
    const cutAfter = (time: number): (() => void) => {
      const cancel = env.timer(time, () => responseSink(response).destroy(), { background: true })
      response.once('close', cancel)
      return cancel
    }
    request.once('end', cutAfter(callTimeout))
    // A call that is not answered in time is told so first.
    if (unary) cutAfter(2 * callTimeout)
  }

  async function answer(
    handler: UniversalHandler,
    request: HttpRequest,
    response: HttpResponse,
  ): Promise<void> {
    const values = contextValues(request).set(RESPONSE_SINK, responseSink(response))
    const universal = universalRequestFromNodeRequest(request, response, undefined, values)
    const { methodKind } = handler.method
    if (methodKind === 'unary') limitTime(universal.header, callTimeout)
    if (methodKind === 'unary' || methodKind === 'server_streaming')
      limitTransfer(request, response, methodKind === 'unary')
    await universalResponseToNodeResponse(await handler(universal), response)
  }

  return {
    handle(request, response) {
      const { url = '' } = request
      const query = url.indexOf('?')
      const path = query === -1 ? url : url.slice(0, query)
      const handler = handlers.get(path)
      if (handler === undefined) return false
      if (!isAddressed(request)) refuse(response, 400, 'expected a Host header with a name or an address')
      else if (!admit(path, request, response)) refuse(response, 429, 'too many large requests at once')
      else {
        answer(handler, request, response).catch((error: unknown) => {
          // Clients come and go as they like.
          const gone = isGone(response) || ConnectError.from(error).code === Code.Aborted
          if (!gone) logger.error('a call could not be answered', { path, error })
          response.destroy()
        })
      }
      return true
    },
  }
}

/** Whether the address of a request can be put together. */
function isAddressed(request: HttpRequest): boolean {
  const authority = 'authority' in request ? request.authority : request.headers.host
  return (
    typeof authority === 'string' &&
    authority !== '' &&
    URL.canParse(request.url ?? '', `http://${authority}`)
  )
}

/** Sets what a client says of its patience to no more than `limit` milliseconds. */
function limitTime(header: Headers, limit: number): void {
  if (header.get('content-type')?.startsWith('application/grpc') === true) {
    const [, digits = '', unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(header.get('grpc-timeout') ?? '') ?? []
    const asked = digits === '' ? Infinity : Number(digits) * (UNITS[unit] ?? 1)
    if (asked > limit) header.set('grpc-timeout', `${limit}m`)
  } else {
    const asked = Number(header.get('connect-timeout-ms') ?? Infinity)
    if (asked > limit) header.set('connect-timeout-ms', String(limit))
  }
}

function refuse(response: HttpResponse, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.end(`${text}\n`)
}
