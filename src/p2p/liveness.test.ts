import { describe, expect, test } from 'vitest'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { noopLogger } from '../core/logger.ts'
import { createLiveness, type Watched } from './liveness.ts'

function setUp() {
  const virtual = createVirtualEnv()
  const pings: { id: string; at: number }[] = []
  const dropped: string[] = []
  const connections = new Map<string, Watched>()
  const add = (id: string, configured: boolean, answer: () => Promise<void>): void => {
    connections.set(id, {
      id,
      configured,
      async ping() {
        pings.push({ id, at: virtual.env.monotonic() })
        await answer()
      },
      drop() {
        dropped.push(id)
        connections.delete(id)
      },
    })
  }
  const liveness = createLiveness(
    { env: virtual.env, logger: noopLogger, connections: () => [...connections.values()] },
    { interval: 5_000, misses: 2 },
  )
  const times = (id: string): number[] => pings.filter((ping) => ping.id === id).map(({ at }) => at)
  return { virtual, liveness, add, dropped, times }
}
const never = async (): Promise<void> => await new Promise<never>(() => {})
const atOnce = async (): Promise<void> => {}

describe('connections', () => {
  test('are pinged: of configured peers each interval, of others a third as often', async () => {
    const { virtual, liveness, add, times, dropped } = setUp()
    add('configured', true, atOnce)
    add('other', false, atOnce)
    await liveness.start()
    await virtual.advance(30_000)
    expect(times('configured')).toEqual([5_000, 10_000, 15_000, 20_000, 25_000, 30_000])
    expect(times('other')).toEqual([15_000, 30_000])
    expect(dropped).toEqual([])
    await liveness.stop()
    expect(virtual.timers).toBe(0)
  })

  test('that miss two pings in a row are closed', async () => {
    const { virtual, liveness, add, dropped } = setUp()
    add('configured', true, never)
    add('other', false, never)
    await liveness.start()
    await virtual.advance(14_999)
    expect(dropped).toEqual([])
    await virtual.advance(1)
    expect(dropped).toEqual(['configured'])
    await virtual.advance(10_000)
    expect(dropped).toEqual(['configured', 'other'])
    await liveness.stop()
  })

  test('that miss one and answer the next stay', async () => {
    const { virtual, liveness, add, dropped } = setUp()
    let count = 0
    add('a', true, async () => {
      if (count++ % 2 === 0) await never()
    })
    await liveness.start()
    await virtual.advance(120_000)
    expect(count).toBeGreaterThan(10)
    expect(dropped).toEqual([])
    await liveness.stop()
  })

  test('are left alone after stop, also by a ping under way', async () => {
    const { virtual, liveness, add, dropped, times } = setUp()
    add('a', true, never)
    await liveness.start()
    await liveness.start()
    await virtual.advance(10_000)
    await liveness.stop()
    await liveness.stop()
    await virtual.advance(60_000)
    expect(times('a')).toHaveLength(2)
    expect(dropped).toEqual([])
    expect(virtual.timers).toBe(0)
  })
})
