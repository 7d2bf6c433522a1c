/** Facts of a log line. Errors go under `error`. */
export type LogFields = Readonly<Record<string, unknown>>

/** Where log lines go: the message is constant, what varies is in the fields. */
export interface Logger {
  trace(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
  /** The same logger with fixed fields, as a rule `{ component }`. */
  child(fields: LogFields): Logger
}

/** A logger that writes nothing. */
export const noopLogger: Logger = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => noopLogger,
}
