import { expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { createLogLevelControl } from '../core/log-level.ts'
import { EvolveError } from '../util/errors.ts'
import { createLogger, type LoggerOptions } from './logger.ts'

function setUp(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  const { env } = createVirtualEnv(1_700_000_000_123_000_000n)
  const logger = createLogger(
    { env, write: (line) => lines.push(line) },
    { level: 'info', format: 'json', trace: false, color: false, ...options },
  )
  return { lines, logger }
}

const failure = new EvolveError('EXAMPLE', 'expected 1, got 2', {
  data: { height: 7 },
  cause: new Error('deeper'),
})

test('JSON lines carry level, time, component, message and fields', () => {
  const { lines, logger } = setUp()
  logger.child({ component: 'syncer' }).info('a block', { height: 7, hash: Uint8Array.of(1, 255), at: 5n })
  expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
    {
      level: 'info',
      time: '2023-11-14T22:13:20.123Z',
      component: 'syncer',
      height: 7,
      hash: '01ff',
      at: '5',
      message: 'a block',
    },
  ])
})

test('errors show code, data and causes, and no stack unless asked for', () => {
  const { lines, logger } = setUp()
  logger.error('it failed', { error: failure })
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    error: { code: 'EXAMPLE', height: 7, message: 'expected 1, got 2: deeper' },
  })
  expect(lines[0]).not.toContain('logger.test.ts')
  const traced = setUp({ trace: true })
  traced.logger.error('it failed', { error: failure })
  expect(traced.lines[0]).toContain('logger.test.ts')
})

test('levels below the chosen one are silent', () => {
  const { lines, logger } = setUp({ level: 'warn' })
  logger.info('quiet')
  logger.warn('loud')
  expect(lines).toHaveLength(1)
})

test('text is one readable line without control characters of strangers', () => {
  const { lines, logger } = setUp({ format: 'text' })
  logger.child({ component: 'gossip' }).warn('odd peer', { agent: 'evil\u001b[2J\nline', height: 3 })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.123 WARN: {1,2}gossip: odd peer agent="evil.*line" height=3\n$/)
  expect(lines[0]?.trimEnd()).not.toMatch(/\p{Cc}/u)
})

test('the level can be changed at any time, for loggers made before too', () => {
  const lines: string[] = []
  const control = createLogLevelControl('info')
  const logger = createLogger(
    { env: createVirtualEnv().env, write: (line) => lines.push(line), control },
    { level: 'error', format: 'json', trace: false, color: false },
  )
  const child = logger.child({ component: 'syncer' }).child({ worker: 'p2p' })
  const said = (): string[] => {
    for (const one of [logger, child]) {
      one.trace('trace')
      one.debug('debug')
      one.info('info')
      one.error('error')
    }
    return lines.splice(0).map((line) => /"level":"(\w+)"/.exec(line)?.[1] ?? '')
  }
  expect(said()).toEqual(['info', 'error', 'info', 'error'])
  control.set('trace')
  expect(said()).toEqual(['trace', 'debug', 'info', 'error', 'trace', 'debug', 'info', 'error'])
  control.set('error')
  expect(said()).toEqual(['error', 'error'])
})
