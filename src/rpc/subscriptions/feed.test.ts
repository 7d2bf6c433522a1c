import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { systemEnv } from '../../core/env.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { EvolveError } from '../../util/errors.ts'
import type { SubscriptionEvent } from './event.ts'
import { createFeed, type Feed } from './feed.ts'
import { SUBSCRIPTION_LIMITS } from './member.ts'
import type { Outlet } from './outlet.ts'

const LIMITS = SUBSCRIPTION_LIMITS

function eventOf(height: number): SubscriptionEvent<number> {
  return { next: height + 1, message: height, bytes: () => Uint8Array.of(height & 255) }
}

const turn = async (): Promise<void> => await new Promise((resolve) => systemEnv.soon(resolve))

/** A chain whose reads take as many turns as a test likes. */
function createScriptedChain(turns: (height: number) => number = () => 0) {
  let height = 0
  const reads: number[] = []
  return {
    reads,
    get height() {
      return height
    },
    grow(by: number) {
      height += by
    },
    source: {
      kind: 'test',
      batch: 4,
      head: async () => height,
      async read(at: number) {
        if (at > height) throw new Error(`read of ${at} above ${height}`)
        reads.push(at)
        for (let left = turns(at); left > 0; left--) await turn()
        return eventOf(at)
      },
      size: () => 1,
    },
  }
}

/**
 * An outlet that takes `room` events before it wants to be left alone, and all it was given when it is drained: by the
 * test, or by itself before the turn is over.
 */
function createTestOutlet(room: () => number, drainsSoon = false) {
  const got: number[] = []
  const beats: number[] = []
  let left = room()
  let drained = (): void => {}
  let destroyed = 0
  const drain = (): void => {
    left = room()
    drained()
  }
  const take = (): boolean => {
    if (--left > 0) return true
    if (drainsSoon) queueMicrotask(drain)
    return false
  }
  const outlet: Outlet<number> = {
    send({ message }) {
      got.push(message)
      return take()
    },
    heartbeat(next) {
      beats.push(next)
      return take()
    },
    onDrain(listener) {
      drained = listener
    },
    destroy() {
      destroyed++
    },
  }
  return {
    outlet,
    got,
    beats,
    get destroyed() {
      return destroyed
    },
    drain,
  }
}

function realFeed(chain: ReturnType<typeof createScriptedChain>): Feed<number> {
  return createFeed({ env: systemEnv, logger: noopLogger, metrics: noopMetrics }, chain.source, {
    ...LIMITS,
    lag: Infinity,
    stall: Infinity,
  })
}

describe('each height once, in order, without a gap', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('grow' as const),
      by: fc.integer({ min: 1, max: 9 }),
      told: fc.integer({ min: 0, max: 2 }),
    }),
    fc.record({
      kind: fc.constant('join' as const),
      back: fc.integer({ min: -3, max: 40 }),
      room: fc.integer({ min: 1, max: 5 }),
      soon: fc.boolean(),
    }),
    fc.record({
      kind: fc.constant('joinNew' as const),
      room: fc.integer({ min: 1, max: 5 }),
      soon: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('drain' as const), who: fc.nat(5) }),
    fc.record({ kind: fc.constant('leave' as const), who: fc.nat(5) }),
    fc.record({ kind: fc.constant('turns' as const), count: fc.integer({ min: 1, max: 3 }) }),
  )

  test('whatever comes between: groups, slow reads, blocked and leaving subscribers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.array(fc.nat(2), { minLength: 1 }),
        async (steps, pace) => {
          const chain = createScriptedChain((height) => pace[height % pace.length] ?? 0)
          const feed = realFeed(chain)
          const members: {
            first: number
            left: boolean
            reader: ReturnType<typeof createTestOutlet>
            close(): void
          }[] = []
          const open = { count: 0 }
          const join = async (from: number | undefined, room: number, soon: boolean): Promise<void> => {
            open.count++
            const subscription = await feed.open(from, () => open.count--)
            const reader = createTestOutlet(() => room, soon)
            members.push({ first: subscription.next, left: false, reader, close: () => subscription.close() })
            void subscription.tell(reader.outlet)
          }
          for (const one of steps) {
            if (one.kind === 'grow') {
              chain.grow(one.by)
              // Blocks that were saved together are told one by one, or by others' hints.
              for (let told = 0; told < one.told; told++) feed.poke()
            } else if (one.kind === 'join')
              await join(Math.max(1, chain.height - one.back), one.room, one.soon)
            else if (one.kind === 'joinNew') await join(undefined, one.room, one.soon)
            else if (one.kind === 'drain') members[one.who]?.reader.drain()
            else if (one.kind === 'leave') {
              const member = members[one.who]
              if (member !== undefined) {
                member.close()
                member.left = true
              }
            } else for (let left = one.count; left > 0; left--) await turn()
          }
          feed.poke()
          const behind = (): boolean =>
            members.some(({ first, left, reader }) => !left && first + reader.got.length <= chain.height)
          for (let round = 0; round < 2_000 && behind(); round++) {
            await turn()
            for (const { reader } of members) reader.drain()
          }
          for (const { first, left, reader } of members) {
            const wanted = left ? reader.got.length : Math.max(0, chain.height - first + 1)
            expect(reader.got).toEqual(Array.from({ length: wanted }, (_, index) => first + index))
          }
          feed.end(new EvolveError('NODE_STOPPING', 'over'))
          await turn()
          expect(open.count).toBe(0)
        },
      ),
      { numRuns: 300 },
    )
  })

  test('many who begin at the same old height have it read once', async () => {
    const chain = createScriptedChain(() => 2)
    chain.grow(100)
    const feed = realFeed(chain)
    const members = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const outlet = createTestOutlet(() => Infinity)
        void (await feed.open(1, () => {})).tell(outlet.outlet)
        return outlet
      }),
    )
    while (members.some(({ got }) => got.length < 100)) await turn()
    expect(chain.reads.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, index) => index + 1),
    )
  })

  test('who waits for a height that is far ahead is told from there, and nothing before is read for him', async () => {
    const chain = createScriptedChain()
    chain.grow(10)
    const feed = realFeed(chain)
    const far = createTestOutlet(() => Infinity)
    void (await feed.open(20, () => {})).tell(far.outlet)
    for (let height = 10; height < 22; height++) {
      chain.grow(1)
      feed.poke()
      for (let turns = 0; turns < 3; turns++) await turn()
    }
    expect(far.got).toEqual([20, 21, 22])
    expect(chain.reads).toEqual([20, 21, 22])
  })
})

describe('the slow and the silent', () => {
  function virtualFeed(limits = LIMITS) {
    const time = createVirtualEnv()
    const chain = createScriptedChain()
    const feed = createFeed({ env: time.env, logger: noopLogger, metrics: noopMetrics }, chain.source, limits)
    const join = async (room: number) => {
      const reader = createTestOutlet(() => room)
      let reason: EvolveError | undefined
      const subscription = await feed.open(undefined, () => {})
      void subscription.tell(reader.outlet).then((end) => {
        reason = end
      })
      await time.settle()
      return { reader, end: () => reason }
    }
    const grow = async (by: number): Promise<void> => {
      for (; by > 0; by--) {
        chain.grow(1)
        feed.poke()
        await time.advance(2)
      }
    }
    return { time, feed, join, grow }
  }

  test('who takes nothing and falls behind is dropped, and told where to go on; others are not', async () => {
    const { time, feed, join, grow } = virtualFeed()
    const slow = await join(3)
    const quick = await join(Infinity)
    await grow(5)
    await time.advance(LIMITS.patience)
    await grow(LIMITS.lag)
    expect(slow.end()).toMatchObject({ code: 'SUBSCRIPTION_DROPPED', data: { nextHeight: 4 } })
    expect(slow.reader.got).toEqual([1, 2, 3])
    expect(quick.end()).toBeUndefined()
    expect(quick.reader.got).toHaveLength(5 + LIMITS.lag)
    // He is told why, and is given time to take it.
    expect(slow.reader.destroyed).toBe(0)
    await time.advance(LIMITS.grace)
    expect(slow.reader.destroyed).toBe(1)
    feed.end(new EvolveError('NODE_STOPPING', 'over'))
  })

  test('who falls behind but takes what he is given is not dropped', async () => {
    const { join, grow } = virtualFeed({ ...LIMITS, lag: 4 })
    const busy = await join(1)
    for (let round = 0; round < 10; round++) {
      await grow(8)
      busy.reader.drain()
    }
    expect(busy.end()).toBeUndefined()
  })

  test('who does not take even little for long is dropped, also where nothing new comes', async () => {
    const { time, feed, join, grow } = virtualFeed()
    const stuck = await join(1)
    await grow(1)
    await time.advance(LIMITS.stall)
    feed.tick()
    await time.settle()
    expect(stuck.end()).toMatchObject({ code: 'SUBSCRIPTION_DROPPED', data: { nextHeight: 2 } })
  })

  test('who hears nothing hears a heartbeat with the height that comes', async () => {
    const { time, feed, join, grow } = virtualFeed()
    const quiet = await join(Infinity)
    await grow(2)
    feed.tick()
    expect(quiet.reader.beats).toEqual([])
    await time.advance(LIMITS.heartbeat)
    feed.tick()
    feed.tick()
    expect(quiet.reader.beats).toEqual([3])
  })

  test('all end with the reason, those too that were opened and not told yet', async () => {
    const { time, feed, join } = virtualFeed()
    const member = await join(Infinity)
    const early = await feed.open(undefined, () => {})
    const reason = new EvolveError('NODE_STOPPING', 'over')
    feed.end(reason)
    await time.settle()
    expect(member.end()).toBe(reason)
    expect(await early.tell(createTestOutlet(() => 1).outlet)).toBe(reason)
  })

  test('a height that cannot be read ends those who want it', async () => {
    const time = createVirtualEnv()
    const feed = createFeed<number>(
      { env: time.env, logger: noopLogger, metrics: noopMetrics },
      {
        kind: 'test',
        batch: 4,
        head: async () => 9,
        async read() {
          throw new EvolveError('BLOCK_PRUNED', 'gone', { data: { nextHeight: 7 } })
        },
        size: () => 1,
      },
      LIMITS,
    )
    let released = 0
    const subscription = await feed.open(5, () => released++)
    const end = await subscription.tell(createTestOutlet(() => 1).outlet)
    expect(end).toMatchObject({ code: 'BLOCK_PRUNED', data: { nextHeight: 7 } })
    subscription.close()
    expect(released).toBe(1)
  })
})
