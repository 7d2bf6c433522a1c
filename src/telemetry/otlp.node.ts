/*
 * OpenTelemetry: loaded only by nodes that send traces. Nothing of it is set for the whole process, so that several
 * nodes of one process, and programs with traces of their own, do not get into each other's way.
 */
import {
  type Context,
  createTraceState,
  ROOT_CONTEXT,
  type Span as LibrarySpan,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { resourceFromAttributes } from '@opentelemetry/resources'
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { type Env, withTimeout } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { TraceHeaders, Tracing } from '../core/tracing.ts'
import { describeError } from '../util/errors.ts'
import { parseTraceParent } from './trace-parent.ts'
import type { TracingOptions } from './tracing-options.ts'

/** Milliseconds that the last spans have to be sent, short of what a process has to end; and one batch at any time. */
const END_TIMEOUT = 3_000
const SEND_TIMEOUT = 5_000

/** Spans that wait to be sent; further ones are lost. */
const MAX_WAITING = 8_192

/** Spans go by the parts of the node, under the names that ev-node's have. */
const SCOPES: Readonly<Record<string, string>> = {
  BlockExecutor: 'ev-node/block-executor',
  BlockSyncer: 'ev-node/block-syncer',
  DARetriever: 'ev-node/da-retriever',
  DASubmitter: 'ev-node/da-submitter',
  DA: 'ev-node/da',
  Sequencer: 'ev-node/sequencer',
  Executor: 'ev-node/execution',
  Store: 'ev-node/store',
  StoreService: 'ev-node/store-service',
  P2PService: 'ev-node/p2p-service',
  ConfigService: 'ev-node/config-service',
}

/** A {@link Tracing} that sends. */
export interface OtlpTracing extends Tracing {
  /** Where spans go. */
  readonly url: string
  /** Sends what waits, if that can be done in time, and stops. Never rejects. */
  end(): Promise<void>
}

/** Makes an {@link OtlpTracing}. */
export function createOtlpTracing(
  { env, logger }: { readonly env: Env; readonly logger: Logger },
  options: TracingOptions,
): OtlpTracing {
  const url = tracesUrl(options.endpoint)
  const contexts = new AsyncLocalStorageContextManager()
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: SEND_TIMEOUT })
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': options.serviceName,
      'service.version': options.version,
      'chain.id': options.chainId,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.sampleRate) }),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: reporting(exporter, logger, url),
        maxQueueSize: MAX_WAITING,
        exportTimeoutMillis: SEND_TIMEOUT,
      }),
    ],
  })

  async function run<T>(span: LibrarySpan, task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (error) {
      span.recordException(error instanceof Error ? error : String(error))
      span.setStatus({ code: SpanStatusCode.ERROR, message: describeError(error) })
      throw error
    } finally {
      span.end()
    }
  }

  return {
    enabled: true,
    url,
    async span(name, attributes, task) {
      const [part = ''] = name.split('.', 1)
      const parent = contexts.active()
      const span = provider
        .getTracer(SCOPES[part] ?? 'evolve', options.version)
        .startSpan(name, { attributes }, parent)
      const own = {
        set(further: typeof attributes): void {
          span.setAttributes(further)
        },
      }
      return await contexts.with(
        trace.setSpan(parent, span),
        async () => await run(span, async () => await task(own)),
      )
    },
    within: (headers, task) => contexts.with(contextOf(headers), task),
    async end() {
      try {
        await withTimeout(
          env,
          END_TIMEOUT,
          undefined,
          'sending the last spans',
          async () => await provider.shutdown(),
        )
      } catch (error) {
        logger.warn('the last spans were not sent', { url, error })
      }
    },
  }
}

/** Where a collector takes traces. */
function tracesUrl(endpoint: string): string {
  const url = new URL(/^https?:\/\//.test(endpoint) ? endpoint : `http://${endpoint}`)
  if (url.pathname === '/') url.pathname = '/v1/traces'
  return url.href
}

/** The trace that a request belongs to, as far as it names one. */
function contextOf(headers: TraceHeaders): Context {
  const parent = parseTraceParent(headers('traceparent'))
  if (parent === undefined) return ROOT_CONTEXT
  const state = headers('tracestate')
  return trace.setSpanContext(ROOT_CONTEXT, {
    ...parent,
    isRemote: true,
    ...(state === undefined ? {} : { traceState: createTraceState(state) }),
  })
}

/** An exporter that says, once, when its spans do not arrive, and when they do again. */
function reporting(inner: SpanExporter, logger: Logger, url: string): SpanExporter {
  let failing = false
  return {
    export(spans, done) {
      inner.export(spans, (result) => {
        const failed = result.error !== undefined
        if (failed && !failing)
          logger.warn('traces do not arrive; they are lost', { url, error: result.error })
        if (!failed && failing) logger.info('traces arrive again', { url })
        failing = failed
        done(result)
      })
    },
    shutdown: async () => await inner.shutdown(),
    forceFlush: async () => await inner.forceFlush?.(),
  }
}
