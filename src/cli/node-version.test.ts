import { expect, test } from 'vitest'
import { nodeVersionProblem } from './node-version.ts'

test.each(['22.18.0', '22.20.1', '23.0.0', '24.21.0', '100.0.0'])('Node %s runs the program', (version) => {
  expect(nodeVersionProblem(version)).toBeUndefined()
})

test.each(['20.20.2', '22.17.9', '18.0.0', '', 'x'])('Node %j does not', (version) => {
  expect(nodeVersionProblem(version)).toContain('22.18 or newer')
})
