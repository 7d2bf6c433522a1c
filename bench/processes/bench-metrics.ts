import { type Metrics, noopMetrics } from '../../src/core/metrics.ts'
import { createPrometheusMetrics } from '../../src/telemetry/prometheus.node.ts'

/** Where a measured node reports to: nowhere, or with `BENCH_METRICS=on` to where operators read. */
export function benchMetrics(): Metrics {
  return process.env['BENCH_METRICS'] === 'on'
    ? createPrometheusMetrics({ namespace: 'evnode', chainId: 'bench' })
    : noopMetrics
}
