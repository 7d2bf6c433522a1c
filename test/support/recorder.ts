import type { LogFields, Logger } from '../../src/core/logger.ts'
import type { Metrics } from '../../src/core/metrics.ts'

/** A logger and metrics that remember. */
export interface Recorder {
  readonly logger: Logger
  readonly metrics: Metrics
  /** Messages with their level, as `warn: text`, in order. */
  readonly lines: readonly string[]
  /** How often a line came. */
  times(line: string): number
  /** Sum of a counter over all its labels, or last value of a gauge. */
  value(name: string): number | undefined
}

/** Makes a {@link Recorder}. */
export function createRecorder(): Recorder {
  const lines: string[] = []
  const values = new Map<string, number>()
  const write = (level: string) => (message: string, _fields?: LogFields) => {
    lines.push(`${level}: ${message}`)
  }
  const logger: Logger = {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: () => logger,
  }
  return {
    logger,
    metrics: {
      count: (name, value = 1) => values.set(name, (values.get(name) ?? 0) + value),
      gauge: (name, value) => values.set(name, value),
      observe() {},
    },
    lines,
    times: (line) => lines.filter((one) => one === line).length,
    value: (name) => values.get(name),
  }
}
