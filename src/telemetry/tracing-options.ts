/** Where traces go, and how many of them. */
export interface TracingOptions {
  /** Of the collector, which takes OTLP over HTTP: `host:port`, or a URL; without a path, `/v1/traces`. */
  readonly endpoint: string
  readonly serviceName: string
  /** Part of the traces that is sent, 0 to 1. Traces that began elsewhere are sent when they are sent there. */
  readonly sampleRate: number
  readonly chainId: string
  /** Of this package. */
  readonly version: string
}
