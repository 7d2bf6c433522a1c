/** How much is logged; each includes those after it. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const

/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Changes how much is logged while the program runs. */
export interface LogLevelControl {
  level(): LogLevel
  /** From now on, of every logger with this control, those made before included. */
  set(level: LogLevel): void
}

/** Makes a {@link LogLevelControl}. */
export function createLogLevelControl(first: LogLevel): LogLevelControl {
  let current = first
  return {
    level: () => current,
    set(level) {
      current = level
    },
  }
}

/** Whether `text` is one of {@link LOG_LEVELS}. */
export function isLogLevel(text: string): text is LogLevel {
  return LOG_LEVELS.some((level) => level === text)
}
