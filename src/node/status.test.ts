import { expect, test } from 'vitest'
import { nodePhase } from './status.ts'

test.each([
  ['following', 0, 0, 'waiting-peers'],
  ['following', 0, 2_000, 'catching-up'],
  ['following', 96, 100, 'catching-up'],
  ['following', 97, 100, 'following'],
  ['following', 100, 100, 'following'],
  ['catching-up', 100, 100, 'catching-up'],
  ['replaying', 0, 0, 'replaying'],
  ['waiting-genesis', 0, 5, 'waiting-genesis'],
  ['halted', 5, 100, 'halted'],
  ['stopped', 5, 100, 'stopped'],
] as const)(
  'a follower that is %s at %d of %d makes the node %s',
  (phase, height, targetHeight, expected) => {
    expect(nodePhase(phase, { height, targetHeight, initialHeight: 1 })).toBe(expected)
  },
)

test('a chain may begin above height 1', () => {
  const before = { height: 99, targetHeight: 99, initialHeight: 100 }
  expect(nodePhase('following', before)).toBe('waiting-peers')
  expect(nodePhase('following', { ...before, targetHeight: 100 })).toBe('following')
})
