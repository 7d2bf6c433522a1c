import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { EvolveError } from '../../util/errors.ts'
import type { EntryExecutor } from '../entry-executor.ts'
import { answer, TEXT } from './answer.node.ts'
import { createBodyReader } from './body.node.ts'
import { queryValue } from './query.ts'
import { storeJson } from './store-json.ts'

/** Bytes of one transaction, and of all that are being read. */
const BODY_LIMITS = { maxBytes: 1024 * 1024, maxTogether: 64 * 1024 * 1024 }

/** Answers at once that go through all entries. */
const MAX_LISTINGS = 8

/** Seconds after which clients are asked to try again. */
const RETRY_AFTER = { 'Retry-After': '1' }

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** Makes the function that answers requests. It rejects when something is wrong here, or the client is gone. */
export function createRoutes({
  executor,
  canSubmit,
}: {
  readonly executor: EntryExecutor
  readonly canSubmit?: () => string | undefined
}): Handler {
  const readBody = createBodyReader(BODY_LIMITS)
  let injected = 0
  let listings = 0

  async function submit(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = canSubmit?.()
    if (refusal !== undefined) return answer(response, 503, refusal)
    try {
      const tx = await readBody(request)
      if (tx.length === 0) return answer(response, 400, 'Empty transaction')
      await executor.submitTx(tx)
    } catch (error) {
      if (!(error instanceof EvolveError)) throw error
      if (error.verdict === 'reject') return answer(response, statusOf(error), error.message)
      if (error.verdict === 'retry') return answer(response, 503, error.message, RETRY_AFTER)
      throw error
    }
    injected++
    response.writeHead(202, TEXT).end('Transaction accepted')
  }

  async function lookup(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = queryValue(request.url ?? '', 'key')
    if (key === undefined || key.length === 0) return answer(response, 400, 'Missing key parameter')
    const value = await executor.get(key)
    if (value === undefined) return answer(response, 404, 'Key not found')
    response.writeHead(200, TEXT).end(value)
  }

  async function list(_request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (listings >= MAX_LISTINGS) return answer(response, 503, 'too many requests at once', RETRY_AFTER)
    listings++
    try {
      const pieces = storeJson(executor.entries())
      // The first is made before anything is sent, so that a store that cannot be read is told.
      const first = await pieces.next()
      response.writeHead(200, { 'Content-Type': 'application/json', 'X-Content-Type-Options': 'nosniff' })
      const rest = async function* (): AsyncGenerator<string, void> {
        if (first.done !== true) yield first.value
        yield* pieces
      }
      await pipeline(Readable.from(rest(), { objectMode: false }), response)
    } finally {
      listings--
    }
  }

  async function stats(_request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { blocks, txs } = executor.executed()
    const body = { injected_txs: injected, executed_txs: txs, blocks_produced: blocks }
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
  }

  const routes: Readonly<Record<string, readonly [method: string, handler: Handler]>> = {
    '/tx': ['POST', submit],
    '/kv': ['GET', lookup],
    '/store': ['GET', list],
    '/stats': ['GET', stats],
  }

  return async (request, response) => {
    // A client may name a whole URL; whose host that is, is not asked.
    const [, path = ''] = /^(?:https?:\/\/[^/?]*)?([^?]*)/i.exec(request.url ?? '') ?? []
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined
    if (route === undefined) return answer(response, 404, '404 page not found')
    const [method, handler] = route
    if (request.method !== method) return answer(response, 405, 'Method not allowed', { Allow: method })
    await handler(request, response)
  }
}

function statusOf({ code, data }: EvolveError): number {
  return code === 'BODY_TOO_BIG' || data['limit'] !== undefined ? 413 : 400
}
