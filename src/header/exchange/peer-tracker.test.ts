import { describe, expect, test } from 'vitest'
import { createMemoryHub, type MemoryHub, type MemoryNode } from '../../../test/support/memory-network.ts'
import { createVirtualEnv, type VirtualEnv } from '../../../test/support/virtual-env.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import type { PeerId } from '../../core/network.ts'
import { EvolveError } from '../../util/errors.ts'
import type { Answer, AnswerEnd, Question } from './ask.ts'
import { CLIENT_LIMITS, type ClientLimits } from './limits.ts'
import { mayBeAsked, PeerTracker } from './peer-tracker.ts'

interface Setup {
  readonly hub: MemoryHub
  readonly us: MemoryNode
  readonly tracker: PeerTracker
  readonly time: VirtualEnv
  readonly now: () => number
  /** Judges an answer of a peer to a range from height 100. */
  readonly judge: (peer: PeerId, end: AnswerEnd, more?: Partial<Answer<number>> & { from?: number }) => void
}

function setUp(
  peers: readonly PeerId[] = ['a'],
  options: { readonly configured?: readonly PeerId[]; readonly limits?: Partial<ClientLimits> } = {},
): Setup {
  const time = createVirtualEnv()
  const hub = createMemoryHub({ env: time.env })
  const us = hub.node('us', { configured: options.configured ?? [] })
  for (const peer of peers) {
    hub.node(peer)
    hub.connect('us', peer)
  }
  const tracker = new PeerTracker(
    { network: us, env: time.env, logger: noopLogger, metrics: noopMetrics },
    { protocol: '/p', limits: { ...CLIENT_LIMITS, ...options.limits } },
  )
  tracker.start()
  return {
    hub,
    us,
    tracker,
    time,
    now: () => time.env.monotonic(),
    judge(peer, end, { from = 100, ...more } = {}) {
      const items = end === 'complete' ? [1, 2] : []
      const question: Question = { type: 'range', from, amount: 2 }
      tracker.judge(peer, question, {
        end,
        items,
        bytes: items.length * 500,
        ms: 10,
        surplus: false,
        error: undefined,
        ...more,
      })
    },
  }
}

function ids(tracker: PeerTracker): PeerId[] {
  return tracker.peers().map((peer) => peer.id)
}

describe('who is tracked', () => {
  test('those that are connected, come and go', () => {
    const { hub, tracker } = setUp(['a', 'b'])
    const seen: string[] = []
    const unwatch = tracker.watch({
      joined: (peer) => seen.push(`+${peer.id}`),
      left: (peer) => seen.push(`-${peer}`),
    })
    expect(ids(tracker)).toEqual(['a', 'b'])
    hub.disconnect('us', 'a')
    hub.node('c')
    hub.connect('c', 'us')
    expect(ids(tracker)).toEqual(['b', 'c'])
    unwatch()
    hub.connect('us', 'a')
    expect(seen).toEqual(['-a', '+c'])
    expect(ids(tracker).toSorted()).toEqual(['a', 'b', 'c'])
  })

  test('after stop nobody, and nothing is watched', () => {
    const { hub, tracker } = setUp(['a'])
    tracker.stop()
    tracker.stop()
    hub.disconnect('us', 'a')
    hub.connect('us', 'a')
    expect(ids(tracker)).toEqual([])
    tracker.start()
    tracker.start()
    expect(ids(tracker)).toEqual(['a'])
  })

  test('no more than the most; a configured peer takes the place of the worst', () => {
    const { hub, tracker, judge } = setUp(['a', 'b'], { configured: ['friend'], limits: { maxPeers: 2 } })
    judge('a', 'complete')
    hub.node('c')
    hub.connect('us', 'c')
    expect(ids(tracker)).toEqual(['a', 'b'])
    hub.node('friend')
    hub.connect('us', 'friend')
    expect(ids(tracker)).toEqual(['a', 'friend'])
    hub.disconnect('us', 'a')
    expect(ids(tracker)).toHaveLength(2)
  })
})

describe('score', () => {
  test('is a running mean of bytes per millisecond that begins at 1', () => {
    const { tracker, judge } = setUp(['a', 'b'])
    judge('b', 'complete', { bytes: 1_000, ms: 10 })
    expect(tracker.get('b')).toMatchObject({ score: 50.5, proven: true })
    judge('b', 'complete', { bytes: 1_000, ms: 0.1 })
    expect(tracker.get('b')?.score).toBe(525.25)
    expect(tracker.get('a')).toMatchObject({ score: 1, proven: false })
    expect(ids(tracker)).toEqual(['b', 'a'])
  })

  test.each<[AnswerEnd, number]>([
    ['missing', 0.8],
    ['empty', 0.8],
    ['failed', 0.8],
    ['unreachable', 1],
    ['aborted', 1],
  ])('after an answer that is %s it is %s', (end, score) => {
    const { tracker, judge } = setUp()
    judge('a', end)
    expect(tracker.get('a')?.score).toBeCloseTo(score)
  })

  test('a surplus costs a fifth', () => {
    const { tracker, judge } = setUp()
    judge('a', 'complete', { bytes: 10, ms: 10, surplus: true })
    expect(tracker.get('a')?.score).toBeCloseTo(0.8)
  })

  test('is remembered for an hour after the peer left', async () => {
    const { hub, tracker, judge, time } = setUp()
    judge('a', 'complete')
    hub.disconnect('us', 'a')
    await time.advance(59 * 60_000)
    hub.connect('us', 'a')
    expect(tracker.get('a')).toMatchObject({ score: 50.5, proven: false })
    hub.disconnect('us', 'a')
    await time.advance(61 * 60_000)
    hub.connect('us', 'a')
    expect(tracker.get('a')?.score).toBe(1)
  })
})

describe('window', () => {
  test('grows with full answers up to the most, halves with others', () => {
    const { tracker, judge } = setUp()
    expect(tracker.get('a')?.window).toBe(4)
    for (let i = 0; i < 30; i++) judge('a', 'complete')
    expect(tracker.get('a')?.window).toBe(16)
    judge('a', 'missing')
    expect(tracker.get('a')?.window).toBe(8)
    for (let i = 0; i < 9; i++) judge('a', 'missing')
    expect(tracker.get('a')?.window).toBe(1)
  })

  test('requests under way are counted, also when the peer left meanwhile', () => {
    const { hub, tracker } = setUp()
    const one = tracker.occupy('a')
    const two = tracker.occupy('a')
    one()
    expect(tracker.get('a')?.inFlight).toBe(1)
    hub.disconnect('us', 'a')
    hub.connect('us', 'a')
    two()
    expect(tracker.get('a')?.inFlight).toBe(0)
    tracker.occupy('nobody')()
  })
})

describe('back-off', () => {
  test('for what a peer lacks: from that height on, 100 ms doubling to 5 s', async () => {
    const { tracker, judge, time, now } = setUp()
    const waits: number[] = []
    for (let i = 0; i < 8; i++) {
      judge('a', 'missing', { from: 100 })
      judge('a', 'missing', { from: 164 })
      const until = tracker.get('a')?.lacksUntil ?? 0
      waits.push(until - now())
      await time.advance(until - now())
    }
    expect(waits).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000])
  })

  test('below what it lacks it may be asked at once', () => {
    const { tracker, judge, now } = setUp()
    judge('a', 'missing', { from: 100 })
    const peer = tracker.get('a') ?? raise()
    expect([mayBeAsked(peer, 99, now()), mayBeAsked(peer, 100, now())]).toEqual([true, false])
    expect(mayBeAsked(peer, 100, now() + 100)).toBe(true)
  })

  test('ends when it shows that it has it', () => {
    const { tracker, judge } = setUp()
    judge('a', 'missing', { from: 100 })
    judge('a', 'complete', { from: 98 })
    expect(tracker.get('a')?.lacksFrom).toBe(100)
    judge('a', 'complete', { from: 99 })
    expect(tracker.get('a')?.lacksFrom).toBeUndefined()
    judge('a', 'missing', { from: 100 })
    expect(tracker.get('a')?.lacksUntil).toBe(100)
  })

  test('failures: 1 s doubling to 30 s, forgotten after 64 full answers', async () => {
    const { tracker, judge, time, now } = setUp()
    const rest = async (): Promise<number> => {
      judge('a', 'failed')
      const wait = (tracker.get('a')?.restUntil ?? 0) - now()
      await time.advance(wait)
      return wait
    }
    const waits: number[] = []
    for (let i = 0; i < 7; i++) waits.push(await rest())
    expect(waits).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
    for (let i = 0; i < 63; i++) judge('a', 'complete')
    expect(await rest()).toBe(30_000)
    for (let i = 0; i < 64; i++) judge('a', 'complete')
    expect(await rest()).toBe(1_000)
  })

  test('requests that fail together count once', () => {
    const { tracker, judge, now } = setUp()
    for (let i = 0; i < 16; i++) judge('a', 'failed')
    tracker.stalled('a')
    expect(tracker.get('a')).toMatchObject({ restUntil: now() + 1_000, score: 0.8 })
  })

  test('a peer that takes no stream: 2 s doubling to 5 min, a configured one 1 s to 30 s', async () => {
    const { tracker, judge, time, now } = setUp(['a', 'friend'], { configured: ['friend'] })
    const rests: [number, number][] = []
    for (let i = 0; i < 9; i++) {
      judge('a', 'unreachable')
      judge('friend', 'unreachable')
      const wait = (id: PeerId): number => (tracker.get(id)?.restUntil ?? 0) - now()
      rests.push([wait('a'), wait('friend')])
      await time.advance(wait('a'))
    }
    expect(rests[0]).toEqual([2_000, 1_000])
    expect(rests[1]).toEqual([4_000, 2_000])
    expect(rests[8]).toEqual([300_000, 30_000])
  })
})

describe('garbage', () => {
  const error = new EvolveError('BAD_ANSWER', 'height 5 expected, 6 came', { verdict: 'reject' })

  test('gets a peer banned for half an hour', async () => {
    const { hub, us, tracker, judge, time } = setUp(['a', 'b'])
    judge('a', 'garbage', { error })
    expect(us.bans).toEqual([{ peer: 'a', ms: 30 * 60_000, reason: 'height 5 expected, 6 came' }])
    expect(us.peers()).toEqual(['b'])
    expect(ids(tracker)).toEqual(['b'])
    expect(hub.connect('us', 'a')).toBe(false)
    await time.advance(30 * 60_000)
    expect(hub.connect('us', 'a')).toBe(true)
    expect(ids(tracker).toSorted()).toEqual(['a', 'b'])
  })

  test('gets a configured peer left alone for a while, not banned', async () => {
    const { us, tracker, judge, now, time } = setUp(['friend'], { configured: ['friend'] })
    judge('friend', 'garbage', { error })
    expect(us.bans).toEqual([])
    expect(tracker.get('friend')).toMatchObject({ score: 0.8, restUntil: now() + 1_000 })
    await time.advance(1_000)
    tracker.punish('friend', error)
    expect(tracker.get('friend')?.restUntil).toBe(now() + 2_000)
  })

  test('of a peer that is gone already is no error', () => {
    const { hub, us, tracker } = setUp()
    hub.disconnect('us', 'a')
    tracker.punish('a', error)
    tracker.stalled('a')
    expect(us.bans).toHaveLength(1)
  })
})

function raise(): never {
  throw new Error('no such peer')
}
