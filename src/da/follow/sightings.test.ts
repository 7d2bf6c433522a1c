import { expect, test } from 'vitest'
import { createProposers } from '../../core/proposers.ts'
import { createSightings, MAX_AUTHORS, type Sightings } from './sightings.ts'

const author = (index: number): Uint8Array => new Uint8Array(32).fill(index)
const [first, second] = [author(1), author(2)]

function setUp(): { proposers: ReturnType<typeof createProposers>; sightings: Sightings } {
  const proposers = createProposers(1, first)
  const sightings = createSightings(proposers)
  proposers.onChange((from, address) => sightings.named(from, address))
  return { proposers, sightings }
}

test('counts what each proposer signed in its own term', () => {
  const { proposers, sightings } = setUp()
  sightings.saw(9, first)
  sightings.saw(7, first)
  sightings.saw(12, second)
  expect([sightings.highestBy(first), sightings.highestBy(second)]).toEqual([9, 0])
  proposers.name(10, second)
  sightings.saw(12, second)
  sightings.saw(14, first)
  expect([sightings.highestBy(first), sightings.highestBy(second)]).toEqual([9, 12])
})

test('forgets what was signed beyond a term once that has ended, for good', () => {
  const { proposers, sightings } = setUp()
  sightings.saw(1_000, first)
  proposers.name(10, second)
  expect(sightings.highestBy(first)).toBe(9)
  proposers.name(20, first)
  sightings.saw(21, first)
  expect(sightings.highestBy(first)).toBe(21)
})

test('remembers the proposers that were seen last', () => {
  const { proposers, sightings } = setUp()
  for (let index = 1; index <= MAX_AUTHORS + 1; index++) {
    proposers.name(index * 10, author(index))
    sightings.saw(index * 10, author(index))
    // The first one goes on posting what was not found yet.
    sightings.saw(5, first)
  }
  const heights = [1, 2, 3, 4, 5].map((index) => sightings.highestBy(author(index)))
  expect(heights).toEqual([10, 0, 30, 40, 50])
})
