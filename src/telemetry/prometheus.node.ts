import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type Logger, noopLogger } from '../core/logger.ts'
import type { MetricLabels, Metrics } from '../core/metrics.ts'
import { EvolveError } from '../util/errors.ts'
import { processMetrics } from './process-metrics.node.ts'
import type { MetricDefinition } from './table/definition.ts'
import { METRICS } from './table/table.ts'

/** Options of {@link createPrometheusMetrics}. */
export interface PrometheusOptions {
  /** First part of every name; empty for none. */
  readonly namespace: string
  /** Value of the label `chain_id`, which all series have but those of the process. */
  readonly chainId: string
}

/** Metrics that Prometheus can fetch. */
export interface PrometheusMetrics extends Metrics {
  /** Of what {@link PrometheusMetrics.text} gives. */
  readonly contentType: string
  /** Everything measured so far, and what the process is like, as Prometheus reads it. */
  text(): Promise<string>
  /** Calls `fill` before each text, to report what is only looked up, until the returned function is called. */
  onScrape(fill: () => void): () => void
}

/** One metric of the library, whichever way it is reported. */
interface Instrument {
  count?(value: number, labels: MetricLabels | undefined): void
  gauge?(value: number, labels: MetricLabels | undefined): void
  observe?(value: number, labels: MetricLabels | undefined): void
}

/**
 * Makes {@link PrometheusMetrics} that know the names of the table, and no others. What cannot be reported is logged
 * once and left out: measuring never breaks what is measured. Throws `INVALID_NAMESPACE`.
 */
export function createPrometheusMetrics(
  { namespace, chainId }: PrometheusOptions,
  { logger = noopLogger }: { readonly logger?: Logger } = {},
): PrometheusMetrics {
  if (!/^(?:[A-Za-z_][\w]*)?$/.test(namespace)) {
    throw new EvolveError(
      'INVALID_NAMESPACE',
      `a namespace of metrics has letters, digits and underscores, got ${JSON.stringify(namespace)}`,
    )
  }
  const registry = new Registry()
  registry.setDefaultLabels({ chain_id: chainId })
  const instruments = new Map(
    METRICS.map((definition) => [definition.name, instrumentOf(definition, namespace, registry)]),
  )
  const fills = new Set<() => void>()
  const complained = new Set<string>()

  function complain(name: string, error: unknown): void {
    if (complained.has(name)) return
    complained.add(name)
    logger.error('a metric cannot be reported', { name, error })
  }

  function report(how: keyof Instrument, name: string, value: number, labels?: MetricLabels): void {
    try {
      const instrument = instruments.get(name)
      if (instrument?.[how] === undefined) {
        throw new EvolveError('UNKNOWN_METRIC', `no metric ${name} that takes ${how}`)
      }
      instrument[how](value, labels)
    } catch (error) {
      complain(name, error)
    }
  }

  return {
    count: (name, value = 1, labels) => report('count', name, value, labels),
    gauge: (name, value, labels) => report('gauge', name, value, labels),
    observe: (name, value, labels) => report('observe', name, value, labels),
    contentType: registry.contentType,
    async text() {
      for (const fill of fills) {
        try {
          fill()
        } catch (error) {
          complain('on scrape', error)
        }
      }
      return `${await registry.metrics()}\n${await processMetrics().metrics()}`
    },
    onScrape(fill) {
      fills.add(fill)
      return () => fills.delete(fill)
    },
  }
}

function instrumentOf(definition: MetricDefinition, namespace: string, registry: Registry): Instrument {
  const { name, help, type, labels = {}, buckets, initial } = definition
  const shared = {
    name: namespace === '' ? name : `${namespace}_${name}`,
    help,
    labelNames: Object.keys(labels),
    registers: [registry],
  }
  if (type === 'counter') {
    const counter = new Counter(shared)
    return {
      count: (value, given) => (given === undefined ? counter.inc(value) : counter.inc(given, value)),
    }
  }
  if (type === 'histogram') {
    const histogram = new Histogram({
      ...shared,
      ...(buckets === undefined ? {} : { buckets: [...buckets] }),
    })
    return {
      observe: (value, given) =>
        given === undefined ? histogram.observe(value) : histogram.observe(given, value),
    }
  }
  const gauge = new Gauge(shared)
  if (initial !== undefined) gauge.set(initial)
  // The library starts those without labels at 0, which would be taken for a value.
  else if (shared.labelNames.length === 0) gauge.remove()
  return {
    // What only grows, but is called a gauge by dashboards that exist.
    count: (value, given) => (given === undefined ? gauge.inc(value) : gauge.inc(given, value)),
    gauge: (value, given) => (given === undefined ? gauge.set(value) : gauge.set(given, value)),
  }
}
