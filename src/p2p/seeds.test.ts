import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { noopLogger } from '../core/logger.ts'
import { createSeeds, type Seeds } from './seeds.ts'

/** Seeds over a network whose every dial the test decides. */
function setUp(names: readonly string[]) {
  const virtual = createVirtualEnv()
  const connected = new Set<string>()
  const dials: { peer: string; at: number }[] = []
  const reachable = new Set(names)
  const seeds: Seeds = createSeeds(
    {
      env: virtual.env,
      logger: noopLogger,
      isConnected: (peer) => connected.has(peer),
      async dial(peer, addresses) {
        expect(addresses).toEqual([`address of ${peer}`])
        dials.push({ peer, at: virtual.env.monotonic() })
        if (!reachable.has(peer)) throw new Error('refused')
        connected.add(peer)
      },
    },
    new Map(names.map((name) => [name, [`address of ${name}`]])),
    { first: 1_000, last: 30_000 },
  )
  const lose = (peer: string): void => {
    connected.delete(peer)
    seeds.changed(peer)
  }
  const pauses = (): number[] => dials.map(({ at }, index) => at - (dials[index - 1]?.at ?? 0)).slice(1)
  return { virtual, seeds, dials, connected, reachable, lose, pauses }
}

describe('configured peers', () => {
  test('are dialled at start, and again when they are lost', async () => {
    const { virtual, seeds, dials, connected, lose } = setUp(['a', 'b'])
    await seeds.start()
    await seeds.start()
    await virtual.settle()
    expect(dials.map(({ peer }) => peer)).toEqual(['a', 'b'])
    lose('b')
    await virtual.advance(1_500)
    expect(dials.map(({ peer }) => peer)).toEqual(['a', 'b', 'b'])
    expect(connected).toEqual(new Set(['a', 'b']))
    await seeds.stop()
    expect(virtual.timers).toBe(0)
  })

  test('that cannot be reached are tried for ever, with pauses that double up to the longest', async () => {
    const { virtual, seeds, reachable, dials, pauses, connected } = setUp(['a'])
    reachable.clear()
    await seeds.start()
    await virtual.advance(600_000)
    const expected = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
    for (const [index, wanted] of expected.entries()) {
      expect(pauses()[index]).toBeGreaterThanOrEqual(wanted * 0.5)
      expect(pauses()[index]).toBeLessThan(wanted * 1.5)
    }
    expect(dials.length).toBeGreaterThan(12)
    reachable.add('a')
    await virtual.advance(45_000)
    expect(connected).toEqual(new Set(['a']))
    await seeds.stop()
  })

  test('that keep hanging up are not dialled faster and faster', async () => {
    const { virtual, seeds, lose, dials } = setUp(['a'])
    await seeds.start()
    for (let index = 0; index < 600; index++) {
      await virtual.advance(100)
      lose('a')
    }
    expect(dials.length).toBeLessThan(10)
    await seeds.stop()
  })

  test('that were connected for long are dialled soon after they are lost', async () => {
    const { virtual, seeds, reachable, lose, dials } = setUp(['a'])
    reachable.clear()
    await seeds.start()
    await virtual.advance(60_000)
    reachable.add('a')
    await virtual.advance(100_000)
    const before = dials.length
    lose('a')
    await virtual.advance(1_500)
    expect(dials).toHaveLength(before + 1)
    await seeds.stop()
  })

  test('that connected to us themselves are not dialled', async () => {
    const { virtual, seeds, connected, dials } = setUp(['a'])
    connected.add('a')
    await seeds.start()
    await virtual.advance(100_000)
    expect(dials).toEqual([])
    await seeds.stop()
    await seeds.stop()
  })
})
