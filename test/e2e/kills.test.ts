import { expect, test } from 'vitest'
import { runKills } from '../../scripts/network/kills.ts'

test('DA, aggregator and followers killed over and over: nothing lost, changed, doubled or signed twice', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const { faults } = await runKills({ kills: 8, seed, say: () => undefined })
  expect({ seed, faults }).toEqual({ seed, faults: [] })
})
