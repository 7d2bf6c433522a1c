import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import { noopTracing, type Tracing } from '../core/tracing.ts'
import { createSerial } from '../util/async.ts'
import type { OtlpTracing } from './otlp.node.ts'
import type { TracingOptions } from './tracing-options.ts'

/**
 * Makes a {@link Tracing} that sends spans to an OpenTelemetry collector while it runs. What that takes is loaded at
 * the start. Spans wait in a queue with a bound; a collector that cannot be reached costs spans, never anything else.
 * At the end what waits is sent, for at most three seconds.
 */
export function createTracing(
  deps: { readonly env: Env; readonly logger: Logger },
  options: TracingOptions,
): Tracing & Service {
  const logger = deps.logger.child({ component: 'tracing' })
  const serial = createSerial()
  let running: OtlpTracing | undefined
  const now = (): Tracing => running ?? noopTracing

  return {
    enabled: true,
    span: async (name, attributes, task) => await now().span(name, attributes, task),
    within: (headers, task) => now().within(headers, task),
    async start() {
      await serial.run(async () => {
        if (running !== undefined) return
        const { createOtlpTracing } = await import('./otlp.node.ts')
        running = createOtlpTracing({ env: deps.env, logger }, options)
        logger.info('traces are sent', { url: running.url, sampleRate: options.sampleRate })
      })
    },
    async stop() {
      await serial.run(async () => {
        const ending = running
        running = undefined
        await ending?.end()
      })
    },
  }
}
