import { z } from 'zod'
import { LOG_LEVELS, type LogLevel } from '../../core/log-level.ts'
import { checkHostPort } from '../addresses.ts'
import { choice, count, duration, fraction, list, type Section, text, yesNo } from '../kinds.ts'

/** The RPC server. */
export interface RpcConfig {
  /** `host:port`. */
  readonly address: string
  readonly enableDaVisualization: boolean
  readonly explorer: boolean
  /** Origins of pages that may ask; `*` for all. */
  readonly corsOrigins: readonly string[]
  readonly maxSubscribers: number
  readonly transactionIndex: boolean
  readonly takeTransactions: boolean
}

/** Metrics, profiles and traces. */
export interface InstrumentationConfig {
  readonly prometheus: boolean
  /** `host:port`; `:port` for all addresses. */
  readonly prometheusListenAddr: string
  readonly maxOpenConnections: number
  readonly namespace: string
  readonly pprof: boolean
  /** `host:port`; `:port` for this machine alone. */
  readonly pprofListenAddr: string
  readonly tracing: boolean
  readonly tracingEndpoint: string
  readonly tracingServiceName: string
  readonly tracingSampleRate: number
}

/** Logs. */
export interface LogConfig {
  readonly level: LogLevel
  readonly format: 'text' | 'json'
  /** Stack traces with errors. */
  readonly trace: boolean
}

/** Removal of old blocks. */
export interface PruningConfig {
  readonly pruningMode: 'disabled' | 'all' | 'metadata'
  readonly pruningKeepRecent: number
  /** Milliseconds. */
  readonly pruningInterval: number
}

/** What may stand at the beginning of a metric's name. */
function checkMetricPrefix(prefix: string): string | undefined {
  return /^(?:[A-Za-z_]\w*)?$/.test(prefix)
    ? undefined
    : 'expected letters, digits and underscores, such as evnode'
}

/** Schema of {@link RpcConfig}. */
export const rpcSection: Section<RpcConfig> = z.strictObject({
  address: text('127.0.0.1:7331', 'host:port of the RPC server.', { check: checkHostPort }),
  enableDaVisualization: yesNo(false, 'Serve /da: what was submitted to DA, as JSON.'),
  explorer: yesNo(true, 'Serve a page at / that shows the chain.'),
  corsOrigins: list(
    'Origins of web pages that may ask this node, separated by commas, like https://app.example. *: all.',
  ),
  maxSubscribers: count(2_000, 'Subscriptions that may be open at once.'),
  transactionIndex: yesNo(true, 'Keep an index that finds transactions by their hash.'),
  takeTransactions: yesNo(
    true,
    'Take transactions, by RPC and from peers: an aggregator for its blocks, a follower to pass them on.',
  ),
})

/** Schema of {@link InstrumentationConfig}. */
export const instrumentationSection: Section<InstrumentationConfig> = z.strictObject({
  prometheus: yesNo(false, 'Serve metrics for Prometheus.'),
  prometheusListenAddr: text(':26660', 'host:port of the metrics; :port for all addresses.', {
    check: checkHostPort,
  }),
  maxOpenConnections: count(3, 'Requests for metrics that are answered at once. 0: no limit.'),
  namespace: text('evnode', "First part of every metric's name.", { check: checkMetricPrefix }),
  pprof: yesNo(false, 'Serve profiles.'),
  pprofListenAddr: text(':6060', 'host:port of the profiles; :port for this machine alone.', {
    check: checkHostPort,
  }),
  tracing: yesNo(false, 'Send traces by OpenTelemetry.'),
  tracingEndpoint: text('localhost:4318', 'host:port of the OpenTelemetry collector.'),
  tracingServiceName: text('ev-node', 'Name of this node in traces.'),
  tracingSampleRate: fraction(0.1, 'Part of the traces that is sent. From 0 to 1.'),
})

/** Schema of {@link LogConfig}. */
export const logSection: Section<LogConfig> = z.strictObject({
  level: choice(LOG_LEVELS, 'info', 'How much is logged: trace, debug, info, warn or error.'),
  format: choice(['text', 'json'], 'text', 'Form of the log: text for people, json for programs.'),
  trace: yesNo(false, 'Log errors with their stack traces.'),
})

/** Schema of {@link PruningConfig}. */
export const pruningSection: Section<PruningConfig> = z.strictObject({
  pruningMode: choice(
    ['disabled', 'all', 'metadata'],
    'disabled',
    'What to remove of old blocks: disabled (nothing), metadata (the states after them), all (the blocks too).',
  ),
  pruningKeepRecent: count(100_000, 'Latest blocks that are never removed. At least 1 when pruning.'),
  pruningInterval: duration('15m0s', 'Time between removals. Examples: 5m, 15m, 24h.'),
})
