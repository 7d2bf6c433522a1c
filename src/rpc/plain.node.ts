/*
 * What is asked by plain HTTP: health, what was posted to DA, and the page.
 */
import type { Env } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { NodeView } from '../core/node-view.ts'
import { observeRequest } from '../core/request-metrics.ts'
import { createDaPages } from './da-pages.ts'
import type { PageFiles } from './files.node.ts'
import { readiness, type ReadinessOptions } from '../core/readiness.ts'
import type { HttpRequest, HttpResponse } from './port.node.ts'

/** What {@link createPlainPaths} needs. */
export interface PlainPathsDeps {
  readonly node: NodeView
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** The page; undefined while there is none. */
  readonly files: () => PageFiles | undefined
}

/** Options of {@link createPlainPaths}. */
export interface PlainPathsOptions {
  readonly readiness: ReadinessOptions
  readonly daPages: boolean
}

const NO_DA_PAGES = 'DA visualization not available'

const DA_PATHS = ['/da/submissions', '/da/blob?id=', '/da/stats', '/da/health']

/** Answers every request that calls no service. */
export function createPlainPaths(
  deps: PlainPathsDeps,
  options: PlainPathsOptions,
): (request: HttpRequest, response: HttpResponse) => void {
  const { node, env, logger, metrics } = deps
  const daPages = createDaPages({ node, now: () => env.now() })

  async function live(response: HttpResponse): Promise<void> {
    try {
      await node.blocks.height()
      text(response, 200, 'OK')
    } catch {
      text(response, 503, 'FAIL')
    }
  }

  function ready(request: HttpRequest, response: HttpResponse): void {
    const found = readiness({ env, node }, options.readiness)
    const status = found.ready ? 200 : 503
    if (!accepts(request, 'application/json')) {
      text(response, status, found.text)
      return
    }
    json(response, status, {
      ready: found.ready,
      text: found.text,
      criteria: found.criteria.map(({ name, problem }) => ({
        name,
        fulfilled: problem === undefined,
        ...(problem === undefined ? {} : { problem }),
      })),
    })
  }

  async function da(url: URL, response: HttpResponse): Promise<void> {
    if (!options.daPages) {
      text(response, 503, NO_DA_PAGES)
      return
    }
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const found = await daPages(url.pathname, url.searchParams, { signal: gone.signal })
    if (found === undefined) text(response, 404, 'not found')
    else json(response, found.status, found.body)
  }

  /** People get the page that shows submissions, programs the list of what can be asked. */
  function daPage(request: HttpRequest, response: HttpResponse): void {
    if (!options.daPages) text(response, 503, NO_DA_PAGES)
    else if (accepts(request, 'text/html') && deps.files()?.found === true) {
      response.setHeader('location', '/availability')
      text(response, 302, 'see /availability')
    } else json(response, 200, { paths: DA_PATHS })
  }

  /** Answers; resolves with the name of what was asked. */
  async function answer(request: HttpRequest, response: HttpResponse): Promise<string> {
    const url = URL.parse(request.url ?? '/', 'http://localhost')
    if (url === null) {
      text(response, 400, 'the path cannot be read')
      return 'other'
    }
    const { pathname } = url
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      // A method that is not there says the same to clients of every protocol.
      text(response, 404, 'there is no such method')
      return 'other'
    }
    if (pathname === '/health/live') await live(response)
    else if (pathname === '/health/ready') ready(request, response)
    else if (pathname === '/da') daPage(request, response)
    else if (pathname.startsWith('/da/')) await da(url, response)
    else if (pathname.startsWith('/health/') || deps.files()?.answer(request, response) !== true) {
      text(response, 404, pathname === '/' ? 'an Evolve node; it serves no page here' : 'not found')
      return 'other'
    } else return 'page'
    return pathname.startsWith('/health/') ? pathname : '/da'
  }

  return (request, response) => {
    const began = env.monotonic()
    answer(request, response)
      .then((method) =>
        observeRequest(metrics, {
          method,
          code: response.statusCode < 400 ? 'ok' : String(response.statusCode),
          seconds: (env.monotonic() - began) / 1_000,
        }),
      )
      .catch((error: unknown) => {
        logger.error('a request failed', { path: request.url, error })
        if (response.headersSent) response.end()
        else text(response, 500, 'the node failed; its log says why')
      })
  }
}

function accepts({ headers }: HttpRequest, type: string): boolean {
  return headers.accept?.includes(type) === true
}

function text(response: HttpResponse, status: number, body: string): void {
  send(response, status, 'text/plain; charset=utf-8', `${body}\n`)
}

function json(response: HttpResponse, status: number, body: unknown): void {
  send(response, status, 'application/json', JSON.stringify(body))
}

function send(response: HttpResponse, status: number, type: string, body: string): void {
  response.statusCode = status
  response.setHeader('content-type', type)
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  if (response.req.method === 'HEAD') response.end()
  else response.end(body)
}
