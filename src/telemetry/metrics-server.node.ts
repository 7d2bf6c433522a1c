import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gzip as gzipWithCallback } from 'node:zlib'
import type { Env } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import { formatHostPort } from '../util/listen.node.ts'
import { answer, createHttpService, type HttpService, readingUrl } from './http-service.node.ts'
import type { PrometheusMetrics } from './prometheus.node.ts'

const gzip = promisify(gzipWithCallback)

/** Options of {@link createMetricsServer}. */
export interface MetricsServerOptions {
  /** `host:port`; no host for all addresses. */
  readonly address: string
  /** Requests that are answered at once, further ones get 503; 0 for no limit. */
  readonly maxOpenConnections: number
}

/**
 * Serves metrics at `/metrics`, for Prometheus to fetch; 404 elsewhere. There is no password: whoever reaches the
 * address can read them. `start` rejects with `ADDRESS_IN_USE`, `INVALID_ADDRESS` and `LISTEN_FAILED`.
 */
export function createMetricsServer(
  deps: { readonly metrics: PrometheusMetrics; readonly env: Env; readonly logger: Logger },
  { address, maxOpenConnections }: MetricsServerOptions,
): HttpService {
  const logger = deps.logger.child({ component: 'metrics' })
  let answering = 0

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = readingUrl(request, response)
    if (url === undefined) return
    if (url.pathname !== '/metrics') {
      answer(response, 404, 'the metrics are at /metrics')
      return
    }
    if (maxOpenConnections > 0 && answering >= maxOpenConnections) {
      answer(response, 503, `more than ${maxOpenConnections} requests at once`)
      return
    }
    answering++
    // A request holds its place until its answer has left, however slowly it is read.
    response.once('close', () => answering--)
    const text = await deps.metrics.text()
    const packed = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
    const body = packed ? await gzip(text) : Buffer.from(text)
    response.writeHead(200, {
      'content-type': deps.metrics.contentType,
      'content-length': body.length,
      ...(packed ? { 'content-encoding': 'gzip' } : {}),
    })
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  return createHttpService(
    {
      env: deps.env,
      logger,
      handle,
      onListening(at) {
        logger.info('metrics can be fetched', { url: `http://${formatHostPort(at)}/metrics` })
        if (at.open) {
          logger.warn('metrics can be read by whoever reaches this machine', {
            address: formatHostPort(at),
            instead: 'instrumentation.prometheus_listen_addr 127.0.0.1:26660, or a firewall',
          })
        }
      },
    },
    { address },
  )
}
