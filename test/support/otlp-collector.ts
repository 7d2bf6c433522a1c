import { createServer, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import { z } from 'zod'

const attribute = z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) })

/** The part of an OTLP export that tests look at. */
const exportSchema = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(attribute) }),
      scopeSpans: z.array(
        z.object({
          scope: z.object({ name: z.string() }),
          spans: z.array(
            z.object({
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              name: z.string(),
              attributes: z.array(attribute).default([]),
              status: z.object({ code: z.number().default(0), message: z.string().optional() }).prefault({}),
            }),
          ),
        }),
      ),
    }),
  ),
})

/** A span as it arrived. */
export interface CollectedSpan {
  readonly name: string
  readonly scope: string
  readonly traceId: string
  readonly spanId: string
  readonly parent: string | undefined
  readonly attributes: Readonly<Record<string, unknown>>
  /** Of the process that sent it. */
  readonly resource: Readonly<Record<string, unknown>>
  /** Why it failed; undefined when it did not. */
  readonly failure: string | undefined
}

/** An OpenTelemetry collector that takes OTLP in JSON over HTTP. */
export interface OtlpCollector {
  /** `host:port`. */
  readonly address: string
  readonly spans: readonly CollectedSpan[]
  /** Resolves when a span of that name has arrived, or has already. */
  arrived(name: string): Promise<CollectedSpan>
  stop(): Promise<void>
}

/** Starts an {@link OtlpCollector}. */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: CollectedSpan[] = []
  const listeners = new Set<() => void>()
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      if (request.url !== '/v1/traces') response.writeHead(404).end()
      else {
        spans.push(...spansOf(body))
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
        for (const listener of listeners) listener()
      }
    })
  })
  const address = await listen(server)
  return {
    address,
    spans,
    async arrived(name) {
      return await new Promise((resolve) => {
        const look = (): void => {
          const found = spans.find((span) => span.name === name)
          if (found === undefined) return
          listeners.delete(look)
          resolve(found)
        }
        listeners.add(look)
        look()
      })
    },
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('the collector does not listen')
  return `127.0.0.1:${bound.port}`
}

function spansOf(body: unknown): CollectedSpan[] {
  return exportSchema.parse(body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        name: span.name,
        scope: scope.name,
        traceId: span.traceId,
        spanId: span.spanId,
        parent: span.parentSpanId === '' ? undefined : span.parentSpanId,
        attributes: valuesOf(span.attributes),
        resource: valuesOf(resource.attributes),
        failure: span.status.code === 2 ? (span.status.message ?? '') : undefined,
      })),
    ),
  )
}

function valuesOf(attributes: readonly z.infer<typeof attribute>[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
