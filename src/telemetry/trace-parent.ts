/** Which span a request comes from. */
export interface TraceParent {
  /** 32 and 16 digits of lower-case hex. */
  readonly traceId: string
  readonly spanId: string
  /** 1 when the trace is recorded where it began. */
  readonly traceFlags: number
}

/**
 * Reads a header `traceparent`; undefined when it is missing or none: then the trace begins here.
 * Source: W3C Trace Context, section 3.2.
 */
export function parseTraceParent(header: string | undefined): TraceParent | undefined {
  const [, version, traceId = '', spanId = '', flags = '', more] =
    /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/.exec(header?.trim() ?? '') ?? []
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined)) return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1 }
}
