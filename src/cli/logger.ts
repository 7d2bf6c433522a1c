/*
 * Log lines: text for people, JSON for programs. Written at once, so that none is lost when the process ends.
 */
import { pino, type Logger as PinoLogger } from 'pino'
import { prettyFactory } from 'pino-pretty'
import type { LogConfig } from '../config/sections/service.ts'
import type { Env } from '../core/env.ts'
import { createLogLevelControl, LOG_LEVELS, type LogLevel, type LogLevelControl } from '../core/log-level.ts'
import type { LogFields, Logger } from '../core/logger.ts'
import { toHex } from '../util/bytes.ts'
import { describeError, EvolveError } from '../util/errors.ts'

/** What a logger writes to, and the clock of its lines. */
export interface LoggerDeps {
  readonly env: Env
  /** Says how much is logged from then on; the level of the options where it is left out. */
  readonly control?: LogLevelControl
  /** Gets whole lines, line break included. */
  write(line: string): void
}

/** Options of a logger. */
export interface LoggerOptions extends LogConfig {
  /** Colours in text. */
  readonly color: boolean
}

/** Names that every line has; a field of the same name would come twice. */
const OWN = new Set(['level', 'time', 'component', 'message'])

/** Makes a {@link Logger} of what `log.level`, `log.format` and `log.trace` say. */
export function createLogger(deps: LoggerDeps, options: LoggerOptions): Logger {
  const { env, control = createLogLevelControl(options.level) } = deps
  const toText = options.format === 'text' ? textFormatter(options.color) : (line: string) => line
  const logger = pino(
    {
      // The library's children keep the level they were made with; ours ask the control at every line.
      level: 'trace',
      base: null,
      messageKey: 'message',
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date(Number(env.now() / 1_000_000n)).toISOString()}"`,
    },
    { write: (line: string) => deps.write(toText(line)) },
  )
  return wrap(logger, control, options.trace)
}

function wrap(logger: PinoLogger, control: LogLevelControl, stacks: boolean): Logger {
  const log = (level: LogLevel) => {
    const rank = LOG_LEVELS.indexOf(level)
    return (message: string, fields: LogFields = {}): void => {
      if (rank >= LOG_LEVELS.indexOf(control.level())) logger[level](plainFields(fields, stacks), message)
    }
  }
  return {
    trace: log('trace'),
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    child: (fields) => wrap(logger.child(plainFields(fields, stacks)), control, stacks),
  }
}

function plainFields(fields: LogFields, stacks: boolean): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, plain(value, stacks)]))
}

/** A value as log lines have it: bytes as hex, big numbers as text, errors with what is known of them. */
function plain(value: unknown, stacks: boolean): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (typeof value === 'bigint') return String(value)
  if (!(value instanceof Error)) return value
  const { code, data } = value instanceof EvolveError ? value : { code: undefined, data: {} }
  return {
    ...plainFields(data, stacks),
    ...(code === undefined ? {} : { code }),
    message: describeError(value),
    ...(stacks ? { stack: value.stack } : {}),
  }
}

/** Peers choose some of the texts; none of them may move the cursor or change colours. */
function harmless(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\u00b7')
}

function fieldText(value: unknown): string {
  if (
    typeof value === 'object' &&
    value !== null &&
    'message' in value &&
    typeof value.message === 'string'
  ) {
    return harmless(JSON.stringify(value.message))
  }
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined')
  return harmless(/[\s"=]/.test(text) && typeof value === 'string' ? JSON.stringify(text) : text)
}

function stackOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || !('stack' in value)) return ''
  const lines = String(value.stack).split('\n')
  return `\n${lines.map((line) => `    ${harmless(line.trim())}`).join('\n')}`
}

/** From a JSON line to `12:00:01.250 INFO:  syncer: block executed height=7`. */
function textFormatter(color: boolean): (line: string) => string {
  return prettyFactory({
    colorize: color,
    colorizeObjects: false,
    translateTime: 'SYS:HH:MM:ss.l',
    messageKey: 'message',
    hideObject: true,
    customPrettifiers: {
      time: (time) => (typeof time === 'string' ? time : ''),
      level: (_level, _key, _log, { labelColorized }) => labelColorized,
    },
    messageFormat(log, messageKey) {
      const fields = Object.entries(log).filter(([name]) => !OWN.has(name))
      const component = typeof log['component'] === 'string' ? `${log['component']}: ` : ''
      const text = fields.map(([name, value]) => ` ${name}=${fieldText(value)}`).join('')
      const stacks = fields.map(([, value]) => stackOf(value)).join('')
      // Behind the level and its colon, so that all messages begin in one column.
      const gap = log['level'] === 'info' || log['level'] === 'warn' ? ' ' : ''
      return `${gap}${component}${harmless(String(log[messageKey]))}${text}${stacks}`
    },
  })
}
