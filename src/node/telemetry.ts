/*
 * What instrumentation.* asks for: where a node measures and traces to, and the servers that show it.
 */
import type { InstrumentationConfig } from '../config/sections/service.ts'
import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import { type Metrics, noopMetrics } from '../core/metrics.ts'
import type { ReadinessOptions } from '../core/readiness.ts'
import { noopTracing, type Tracing } from '../core/tracing.ts'
import { createMetricsServer } from '../telemetry/metrics-server.node.ts'
import { reportNode, type ReportedNode } from '../telemetry/node-gauges.ts'
import { createProfileServer } from '../telemetry/profile-server.node.ts'
import { createPrometheusMetrics, type PrometheusMetrics } from '../telemetry/prometheus.node.ts'
import { createTracing } from '../telemetry/tracing.node.ts'
import { packageVersion } from './package-version.node.ts'

/** What telemetry needs to know. */
export interface TelemetryDeps {
  readonly env: Env
  readonly logger: Logger
  readonly chainId: string
  /** When the node counts as ready. */
  readonly ready: ReadinessOptions
}

/** What watches a node. */
export interface Telemetry {
  readonly metrics: Metrics
  readonly tracing: Tracing
  /** What runs before and around a node, in the order of starting. To be called once. */
  services(node: ReportedNode): readonly Service[]
}

/** Makes the {@link Telemetry} that a configuration describes. Throws `INVALID_NAMESPACE`. */
export function telemetryFromConfig(config: InstrumentationConfig, deps: TelemetryDeps): Telemetry {
  const { env, logger, chainId } = deps
  const { namespace } = config
  const prometheus = config.prometheus
    ? createPrometheusMetrics({ namespace, chainId }, { logger: logger.child({ component: 'metrics' }) })
    : undefined
  const tracing = config.tracing
    ? createTracing(
        { env, logger },
        {
          endpoint: config.tracingEndpoint,
          serviceName: config.tracingServiceName,
          sampleRate: config.tracingSampleRate,
          chainId,
          version: packageVersion(),
        },
      )
    : undefined
  return {
    metrics: prometheus ?? noopMetrics,
    tracing: tracing ?? noopTracing,
    services: (node) => [
      ...(tracing === undefined ? [] : [tracing]),
      ...(config.pprof ? [createProfileServer({ env, logger }, { address: config.pprofListenAddr })] : []),
      ...(prometheus === undefined ? [] : [metricsServer(prometheus, node, config, deps)]),
    ],
  }
}

function metricsServer(
  metrics: PrometheusMetrics,
  node: ReportedNode,
  config: InstrumentationConfig,
  { env, logger, ready }: TelemetryDeps,
): Service {
  const version = packageVersion()
  metrics.onScrape(() => reportNode({ node, ready, metrics, env, version, runtime: process.version }))
  return createMetricsServer(
    { metrics, env, logger },
    { address: config.prometheusListenAddr, maxOpenConnections: config.maxOpenConnections },
  )
}
