import { expect, test } from 'vitest'
import { editDistance, nearest } from './nearest.ts'

test.each([
  ['', '', 0],
  ['a', '', 1],
  ['light', 'ligth', 1],
  ['kitten', 'sitting', 3],
])('from %j to %j are %i edits', (a, b, edits) => {
  expect(editDistance(a, b)).toBe(edits)
  expect(editDistance(b, a)).toBe(edits)
})

test('only near words are suggested', () => {
  const known = ['node.block_time', 'da.block_time', 'node.light']
  expect(nearest('node.blocktime', known)).toBe('node.block_time')
  expect(nearest('LIGHT', known)).toBe('node.light')
  expect(nearest('node.colour', known)).toBeUndefined()
})
