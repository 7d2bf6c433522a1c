import { expect, test } from 'vitest'
import { classifyDaError, classifyHttpStatus, daError, shortText } from './errors.ts'

test.each([
  ['blob: not found', 'DA_NOT_FOUND'],
  ['header: given height is from the future: networkHeight: 4, requestedHeight: 9', 'DA_FROM_FUTURE'],
  ['timed out waiting for tx to be included in a block', 'DA_NOT_INCLUDED'],
  ['tx already in mempool', 'DA_IN_MEMPOOL'],
  ['account sequence mismatch: incorrect account sequence', 'DA_SEQUENCE'],
  ['blob: over size limit', 'DA_TOO_BIG'],
  ['broadcast: Tx too large. Max size is 2097152', 'DA_TOO_BIG'],
  ['request bigger than maximum 104857600 allowed', 'DA_TOO_BIG'],
  ['context deadline exceeded', 'DA_TIMEOUT'],
  ["missing permission to invoke 'Submit' (need 'write')", 'DA_UNAUTHORIZED'],
  ['something nobody has seen', 'DA_FAILED'],
  ['', 'DA_FAILED'],
])('the text "%s" is %s', (text, code) => {
  expect(classifyDaError(1, text)).toBe(code)
  expect(classifyDaError(1, `wrapped: ${text}: again`)).toBe(code)
})

test('the text that tells more wins', () => {
  expect(
    classifyDaError(1, 'context deadline exceeded: timed out waiting for tx to be included in a block'),
  ).toBe('DA_NOT_INCLUDED')
})

test('an unknown text is judged by its number, a known one by what it says', () => {
  const codes = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -32601].map((code) => classifyDaError(code, 'odd'))
  expect(codes).toEqual([
    'DA_FAILED',
    'DA_FAILED',
    'DA_NOT_FOUND',
    'DA_NOT_INCLUDED',
    'DA_IN_MEMPOOL',
    'DA_TOO_BIG',
    'DA_TIMEOUT',
    'DA_FAILED',
    'DA_SEQUENCE',
    'DA_FAILED',
    'DA_FROM_FUTURE',
    'DA_FAILED',
  ])
  expect(classifyDaError(2, 'blob: over size limit')).toBe('DA_TOO_BIG')
})

test.each([
  [200, undefined],
  [204, undefined],
  [301, 'DA_FAILED'],
  [401, 'DA_UNAUTHORIZED'],
  [403, 'DA_UNAUTHORIZED'],
  [404, 'DA_FAILED'],
  [408, 'DA_TIMEOUT'],
  [413, 'DA_TOO_BIG'],
  [500, 'DA_FAILED'],
  [502, 'DA_UNREACHABLE'],
  [503, 'DA_UNREACHABLE'],
  [504, 'DA_TIMEOUT'],
])('HTTP %i is %s', (status, code) => {
  expect(classifyHttpStatus(status)).toBe(code)
})

test('every failure may be tried again', () => {
  expect(daError('DA_MALFORMED', 'x')).toMatchObject({ code: 'DA_MALFORMED', verdict: 'retry' })
})

test('texts are cut, and stay on one line', () => {
  expect(shortText('a\r\nb\u0007c')).toBe('a b c')
  expect(shortText('x'.repeat(1_000_000))).toBe(`${'x'.repeat(300)}…`)
})
