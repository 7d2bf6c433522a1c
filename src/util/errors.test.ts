import { describe, expect, test } from 'vitest'
import { describeError, EvolveError, isEvolveError, verdictOf } from './errors.ts'

describe('an error', () => {
  const cause = new Error('disk full')
  const error = new EvolveError('WRITE_FAILED', 'cannot write', {
    cause,
    data: { height: 3 },
    verdict: 'retry',
  })

  test('says what, why and what to do', () => {
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'EvolveError',
      code: 'WRITE_FAILED',
      message: 'cannot write',
      data: { height: 3 },
      verdict: 'retry',
    })
    expect(error.cause).toBe(cause)
    expect('cause' in new EvolveError('A', 'b')).toBe(false)
    expect(new EvolveError('A', 'b').data).toEqual({})
  })

  test('is known by its code', () => {
    expect(isEvolveError(error)).toBe(true)
    expect(isEvolveError(error, 'OTHER', 'WRITE_FAILED')).toBe(true)
    expect(isEvolveError(error, 'OTHER')).toBe(false)
    expect(isEvolveError(cause)).toBe(false)
    expect(isEvolveError(undefined)).toBe(false)
  })

  test('has a verdict, or the one to fall back on', () => {
    expect(verdictOf(error, 'halt')).toBe('retry')
    expect(verdictOf(new EvolveError('A', 'b'), 'halt')).toBe('halt')
    expect(verdictOf(cause, 'ignore')).toBe('ignore')
  })

  test('is described on one line with its causes', () => {
    expect(describeError(error)).toBe('cannot write: disk full')
    expect(describeError(new AggregateError([cause, 'text'], 'two failed'))).toBe(
      'two failed: disk full; text',
    )
    expect(describeError(new AggregateError([], 'none failed'))).toBe('none failed')
    expect(describeError(new TypeError(''))).toBe('TypeError')
    expect(describeError(new Error('cannot write: disk full', { cause }))).toBe('cannot write: disk full')
    expect(describeError('text')).toBe('text')
    expect(describeError(undefined)).toBe('undefined')
  })
})
