/*
 * Which pages in browsers may ask: those the node serves itself, and those of origins that the operator named.
 */
import { cors } from '@connectrpc/connect'
import { isIP } from 'node:net'
import { isLoopback } from '../util/listen.node.ts'
import type { HttpRequest, HttpResponse } from './port.node.ts'

/** Seconds that a browser may keep what it was told. */
const KEEP = 7_200

const METHODS = ['GET', 'POST', 'OPTIONS', 'HEAD'].join(', ')
const REQUEST_HEADERS = [...cors.allowedHeaders, 'Last-Event-ID', 'Authorization'].join(', ')
const RESPONSE_HEADERS = cors.exposedHeaders.join(', ')

/** What becomes of a request, as far as its origin goes. */
export type OriginVerdict = 'go-on' | 'answered'

/** Judges where requests come from. */
export interface Origins {
  /** Sets the headers that a browser needs; answers what is to be refused, and questions beforehand. */
  judge(request: HttpRequest, response: HttpResponse): OriginVerdict
  /** Whether a program on this machine asks, and not a page in a browser. */
  fromOperator(request: Pick<HttpRequest, 'headers' | 'socket'>): boolean
}

/** Makes {@link Origins}: `allowed` are origins like `https://app.example`, or `*` for all. */
export function createOrigins({ allowed }: { readonly allowed: readonly string[] }): Origins {
  const all = allowed.includes('*')
  const named = new Set(allowed.map((origin) => origin.toLowerCase().replace(/\/$/, '')))
  const names = new Set([...named].flatMap((origin) => URL.parse(origin)?.hostname ?? []))

  /**
   * A page that had its name point at this machine asks with that name as host. What only this machine can reach answers
   * to addresses and `localhost` alone.
   */
  function isRebound(request: HttpRequest): boolean {
    if (!isLoopback(request.socket.localAddress ?? '')) return false
    const host = hostOf(request)
    if (host === undefined || all) return false
    const name = URL.parse(`http://${host}`)?.hostname.replace(/^\[(.*)\]$/, '$1') ?? ''
    return isIP(name) === 0 && name !== 'localhost' && !name.endsWith('.localhost') && !names.has(name)
  }

  return {
    judge(request, response) {
      if (isRebound(request)) {
        refuse(response, 403, 'this node answers to localhost and to addresses, not to other names')
        return 'answered'
      }
      const { origin } = request.headers
      if (origin === undefined) return 'go-on'
      response.setHeader('vary', 'Origin')
      const host = hostOf(request)
      const own = host !== undefined && URL.parse(origin)?.host === host
      const ok = all || own || named.has(origin.toLowerCase())
      if (!ok) {
        // A browser would send some requests all the same and only keep the answer from the page.
        refuse(response, 403, 'pages of this origin may not ask: see rpc.cors_origins')
        return 'answered'
      }
      response.setHeader('access-control-allow-origin', all ? '*' : origin)
      response.setHeader('access-control-expose-headers', RESPONSE_HEADERS)
      if (request.method !== 'OPTIONS') return 'go-on'
      response.setHeader('access-control-allow-methods', METHODS)
      response.setHeader('access-control-allow-headers', REQUEST_HEADERS)
      response.setHeader('access-control-max-age', String(KEEP))
      response.statusCode = 204
      response.end()
      return 'answered'
    },
    fromOperator: ({ headers, socket }) =>
      headers['origin'] === undefined &&
      headers['sec-fetch-site'] === undefined &&
      headers['forwarded'] === undefined &&
      headers['x-forwarded-for'] === undefined &&
      isLoopback(socket.remoteAddress ?? ''),
  }
}

function hostOf({ headers }: HttpRequest): string | undefined {
  const host = headers[':authority'] ?? headers.host
  return typeof host === 'string' ? host.toLowerCase() : undefined
}

function refuse(response: HttpResponse, status: number, text: string): void {
  response.statusCode = status
  response.setHeader('content-type', 'text/plain; charset=utf-8')
  response.setHeader('x-content-type-options', 'nosniff')
  response.end(`${text}\n`)
}
