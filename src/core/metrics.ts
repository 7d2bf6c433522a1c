/** Labels of one sample. Keep the number of their values small. */
export type MetricLabels = Readonly<Record<string, string>>

/** Where measurements go. Names carry their unit: `_total`, `_seconds`, `_bytes`. */
export interface Metrics {
  /** Adds to a counter. */
  count(name: string, value?: number, labels?: MetricLabels): void
  /** Sets a gauge. */
  gauge(name: string, value: number, labels?: MetricLabels): void
  /** Adds to a histogram. */
  observe(name: string, value: number, labels?: MetricLabels): void
}

/** Metrics that go nowhere. */
export const noopMetrics: Metrics = { count() {}, gauge() {}, observe() {} }
