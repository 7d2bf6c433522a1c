/** Facts of a span. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean>>

/** A span under way. */
export interface Span {
  /** Adds facts that are known only now. */
  readonly set: (attributes: SpanAttributes) => void
}

/** Headers of a request that may name the trace it belongs to, in W3C Trace Context. */
export type TraceHeaders = (name: 'traceparent' | 'tracestate') => string | undefined

/** Where spans go: what was done, for how long, and as part of what. */
export interface Tracing {
  /** Whether anybody looks at spans: what costs something only for their sake can be left out otherwise. */
  readonly enabled: boolean
  /**
   * Runs `task` as a span, inside the span that is under way. It fails when the task does. What the task gives or
   * throws passes through.
   */
  readonly span: <T>(name: string, attributes: SpanAttributes, task: (span: Span) => Promise<T>) => Promise<T>
  /** Runs `task` so that its spans belong to the trace that a request names; to one of their own when it names none. */
  readonly within: <T>(headers: TraceHeaders, task: () => T) => T
}

const noSpan: Span = { set() {} }

/** Spans that go nowhere. */
export const noopTracing: Tracing = {
  enabled: false,
  span: async (_name, _attributes, task) => await task(noSpan),
  within: (_headers, task) => task(),
}
