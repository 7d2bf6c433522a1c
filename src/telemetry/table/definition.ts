/** What a metric is. Its full name has the configured namespace in front: `evnode_` as a rule. */
export interface MetricDefinition {
  /** As the code reports it, without namespace. */
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** A sentence for those who read the metrics. */
  readonly help: string
  /** Labels and what they say, besides `chain_id`, which all have. */
  readonly labels?: Readonly<Record<string, string>>
  /** Value of a gauge before it was first reported; without, it is not there until then. */
  readonly initial?: number
  /** Upper bounds of a histogram. */
  readonly buckets?: readonly number[]
  /** ev-node v1.2.3 has it too, with this name, type and labels. */
  readonly known?: true
}

/** Bounds in seconds, from a millisecond: those of ev-node's operation durations. */
export const DURATIONS: readonly number[] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Bounds in seconds of what is often over in a fraction of a millisecond. */
export const SHORT_DURATIONS: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5,
]
