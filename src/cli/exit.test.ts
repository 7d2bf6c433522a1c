import { CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { EvolveError } from '../util/errors.ts'
import { exitCodeOf, explain } from './exit.ts'

test.each([
  [new EvolveError('USAGE', 'x'), 2],
  [new EvolveError('INVALID_CONFIG', 'x'), 2],
  [new EvolveError('FILE_NOT_PRIVATE', 'x'), 2],
  [new EvolveError('WRONG_PASSPHRASE', 'x'), 2],
  [new EvolveError('FILE_FAILED', 'x'), 1],
  [new EvolveError('APP_HASH_MISMATCH', 'x', { verdict: 'halt' }), 70],
  [new EvolveError('TIMEOUT', 'x', { verdict: 'retry' }), 1],
  [new CommanderError(1, 'commander.unknownOption', 'x'), 2],
  [new CommanderError(0, 'commander.helpDisplayed', 'x'), 0],
  [new TypeError('x'), 1],
  ['x', 1],
])('%s ends with %i', (error, code) => {
  expect(exitCodeOf(error)).toBe(code)
})

test('what commander has told is not told again; causes are', () => {
  expect(explain(new CommanderError(1, 'commander.unknownOption', 'x'))).toBeUndefined()
  expect(explain(new EvolveError('FILE_FAILED', 'cannot write a', { cause: new Error('disk full') }))).toBe(
    'error: cannot write a: disk full',
  )
})
