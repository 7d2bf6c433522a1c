import * as fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { createRecorder, type Recorder } from '../../../test/support/recorder.ts'
import { createVirtualEnv, type VirtualEnv } from '../../../test/support/virtual-env.ts'
import { deferred } from '../../util/async.ts'
import { fromUtf8, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { createReaper, type Reaper, type ReaperOptions } from './reaper.ts'

const INTERVAL = 1_000

/** An executor's list and a sequencer's queue, as a test sets them. */
interface Bench extends Recorder {
  readonly clock: VirtualEnv
  readonly reaper: Reaper
  /** What the executor lists. */
  listed: Uint8Array[]
  /** Asked before the list is given; what it throws or waits for, the reaper sees. */
  before: (() => Promise<void>) | undefined
  /** What the sequencer was given, submission by submission. */
  readonly taken: string[][]
  /** Asked before a submission is taken. */
  judge: ((txs: readonly string[]) => void) | undefined
  looks: number
  /** Called when somebody wants to be told of transactions. */
  onListen: (() => void) | undefined
  /** The executor says that transactions came. */
  hint(): void
  readonly listeners: number
}

async function bench(options: Partial<ReaperOptions> = {}): Promise<Bench> {
  const clock = createVirtualEnv()
  const recorder = createRecorder()
  const listeners = new Set<() => void>()
  const reaper = createReaper(
    {
      ...recorder,
      env: clock.env,
      executor: {
        async getTxs() {
          made.looks++
          const list = [...made.listed]
          await made.before?.()
          return list
        },
        onTxs(listener) {
          made.onListen?.()
          listeners.add(listener)
          return () => listeners.delete(listener)
        },
      },
      sequencer: {
        async submit(txs) {
          const texts = txs.map((tx) => fromUtf8(tx) ?? '')
          made.judge?.(texts)
          made.taken.push(texts)
        },
      },
    },
    { interval: INTERVAL, ...options },
  )
  const made: Bench = {
    ...recorder,
    clock,
    reaper,
    listed: [],
    before: undefined,
    taken: [],
    judge: undefined,
    looks: 0,
    onListen: undefined,
    hint() {
      for (const listener of listeners) listener()
    },
    get listeners() {
      return listeners.size
    },
  }
  onTestFinished(async () => await reaper.stop())
  return made
}

/** Starts with a list and lets the first look happen. */
async function started(own: Bench, ...listed: readonly string[]): Promise<Bench> {
  own.listed = listed.map(utf8)
  await own.reaper.start()
  await own.clock.settle()
  return own
}

const full = (): EvolveError => new EvolveError('QUEUE_FULL', 'full', { verdict: 'retry' })

test('what is listed is handed over once, in order, and what comes later when it comes', async () => {
  const own = await started(await bench(), 'b', 'a', 'b')
  expect(own.taken).toEqual([['b', 'a']])
  own.listed.push(utf8('c'))
  own.hint()
  await own.clock.advance(5)
  expect(own.taken).toEqual([['b', 'a'], ['c']])
  own.listed.push(utf8('d'))
  await own.clock.advance(INTERVAL)
  expect(own.taken.slice(2)).toEqual([['d']])
  await own.clock.advance(10 * INTERVAL)
  expect(own.taken).toHaveLength(3)
})

test('an executor that is silent is asked every interval, one that hints is not asked more often than it rests', async () => {
  const own = await started(await bench())
  await own.clock.advance(10 * INTERVAL)
  expect(own.looks).toBeGreaterThanOrEqual(10)
  expect(own.looks).toBeLessThanOrEqual(11)
  const before = own.looks
  for (let i = 0; i < 1_000; i++) {
    own.hint()
    await own.clock.advance(0.1)
  }
  expect(own.looks - before).toBeLessThanOrEqual(21)
})

test('the same bytes count again after a commit, and after they were gone from the list', async () => {
  const own = await started(await bench(), 'a', 'b')
  own.reaper.committed([utf8('a')])
  await own.clock.advance(INTERVAL)
  expect(own.taken).toEqual([['a', 'b'], ['a']])
  own.listed = [utf8('a')]
  await own.clock.advance(INTERVAL)
  own.listed = [utf8('b'), utf8('a')]
  await own.clock.advance(INTERVAL)
  expect(own.taken).toEqual([['a', 'b'], ['a'], ['b']])
})

test('what is committed while the list is on its way is left out of that list alone', async () => {
  const own = await started(await bench(), 'a')
  const gate = deferred<void>()
  own.before = async () => await gate.promise
  own.listed = [utf8('a'), utf8('b')]
  await own.clock.advance(INTERVAL + 10)
  expect(own.looks).toBe(2)
  own.reaper.committed([utf8('a')])
  gate.resolve()
  await own.clock.settle()
  expect(own.taken).toEqual([['a'], ['b']])
  // Still there in the next list: somebody submitted it again.
  await own.clock.advance(INTERVAL + 10)
  expect(own.taken).toEqual([['a'], ['b'], ['a']])
})

test('a commit that comes before the answer of the sequencer counts', async () => {
  const own = await bench()
  own.judge = ([tx]) => {
    if (own.taken.length === 0) own.reaper.committed([utf8(tx ?? '')])
  }
  await started(own, 'a')
  await own.clock.advance(INTERVAL + 10)
  expect(own.taken).toEqual([['a'], ['a']])
})

test('what was committed before its chunk had its turn is not handed over', async () => {
  const own = await bench()
  own.judge = () => own.reaper.committed([utf8('t5500')])
  await started(own, ...Array.from({ length: 6_000 }, (_, i) => `t${i}`))
  expect(own.taken.map(({ length }) => length)).toEqual([5_000, 999])
})

test('chunks hold at most 5,000 transactions and 1 MiB', async () => {
  const own = await bench()
  const big = Array.from({ length: 5 }, (_, i) => `${i}`.padEnd(400_000, 'x'))
  const huge = 'y'.repeat(2_000_000)
  const small = Array.from({ length: 5_001 }, (_, i) => `t${i}`)
  await started(own, ...big, huge, ...small)
  expect(own.taken.map(({ length }) => length)).toEqual([2, 2, 1, 1, 5_000, 1])
  expect(own.taken.flat()).toEqual([...big, huge, ...small])
})

test('a full sequencer is filled to the brim, and goes on being filled when blocks make room', async () => {
  const own = await bench()
  let room = 3
  own.judge = (txs) => {
    if (txs.length > room) throw full()
    room -= txs.length
  }
  await started(own, ...Array.from({ length: 10 }, (_, i) => `t${i}`))
  expect(own.taken.flat()).toEqual(['t0', 't1', 't2'])
  expect(own.times('warn: transactions wait at the executor')).toBe(1)
  // Hints do not matter now.
  const { looks } = own
  for (let i = 0; i < 100; i++) own.hint()
  await own.clock.advance(INTERVAL / 2)
  expect(own.looks).toBe(looks)
  room = 4
  own.listed.splice(0, 2)
  own.reaper.committed(['t0', 't1'].map(utf8))
  await own.clock.advance(10)
  expect(own.taken.flat()).toEqual(Array.from({ length: 7 }, (_, i) => `t${i}`))
  room = 100
  await own.clock.advance(2 * INTERVAL + 20)
  expect(own.taken.flat()).toEqual(Array.from({ length: 10 }, (_, i) => `t${i}`))
  expect(own.times('warn: transactions wait at the executor')).toBe(1)
  expect(own.times('info: transactions are handed over again')).toBe(1)
})

test('pauses double up to 30 s', async () => {
  const own = await bench()
  own.judge = () => {
    throw full()
  }
  await started(own, 'a')
  const at: number[] = []
  for (let second = 1; second <= 200; second++) {
    const { looks } = own
    await own.clock.advance(1_000)
    if (own.looks > looks) at.push(second)
  }
  const gaps = at.map((second, index) => second - (at[index - 1] ?? 0))
  expect(gaps).toEqual([1, 2, 4, 8, 16, 30, 30, 30, 30, 30])
  expect(own.taken).toEqual([])
})

test('an executor that cannot be reached is waited for, and that is said once', async () => {
  const own = await bench()
  own.before = async () => {
    throw new EvolveError('EXECUTOR_UNREACHABLE', 'gone', { verdict: 'retry' })
  }
  await started(own, 'a')
  await own.clock.advance(120_000)
  expect(own.looks).toBeGreaterThan(5)
  expect(own.lines).toEqual(['warn: transactions wait at the executor'])
  own.before = undefined
  await own.clock.advance(31_000)
  expect(own.taken).toEqual([['a']])
  expect(own.times('info: transactions are handed over again')).toBe(1)
})

test('an executor that never answers is asked again', async () => {
  const own = await bench()
  own.before = async () => await new Promise(() => undefined)
  await started(own, 'a')
  own.before = undefined
  await own.clock.advance(29_000)
  expect(own.looks).toBe(1)
  await own.clock.advance(3_000)
  expect(own.taken).toEqual([['a']])
})

test('what the sequencer refuses keeps nothing else back, and is not offered again', async () => {
  const own = await bench()
  own.judge = (txs) => {
    if (txs.includes('bad')) throw new EvolveError('TX_TOO_BIG', 'too big', { verdict: 'reject' })
  }
  await started(own, 'a', 'b', 'bad', 'c', 'd')
  await own.clock.advance(3 * INTERVAL)
  expect(own.taken.flat()).toEqual(['a', 'b', 'c', 'd'])
  expect(own.times('warn: the sequencer refuses a transaction')).toBe(1)
  expect(own.value('sequencer_reaper_refused_total')).toBe(1)
})

test('a submission that fails is made again', async () => {
  const own = await bench()
  own.judge = () => {
    own.judge = undefined
    throw new EvolveError('STORE_IO', 'the disk does not write', { verdict: 'retry' })
  }
  await started(own, 'a', 'b')
  expect(own.taken).toEqual([])
  await own.clock.advance(INTERVAL + 10)
  expect(own.taken).toEqual([['a', 'b']])
})

test('no more are remembered than allowed; those behind have their turn when others leave', async () => {
  const own = await started(await bench({ maxListed: 3 }), 'a', 'b', 'c', 'd', 'e')
  expect(own.taken).toEqual([['a', 'b', 'c']])
  own.listed.splice(0, 2)
  await own.clock.advance(3 * INTERVAL)
  expect(own.taken.flat()).toEqual(['a', 'b', 'c', 'd', 'e'])
})

test('a list is thrown away when more was committed meanwhile than is remembered', async () => {
  const own = await bench({ maxListed: 2 })
  own.before = async () => {
    own.before = undefined
    own.reaper.committed(['x', 'y', 'a'].map(utf8))
    own.listed = [utf8('b')]
  }
  await started(own, 'a', 'b')
  expect(own.taken).toEqual([])
  await own.clock.advance(INTERVAL + 10)
  expect(own.taken).toEqual([['b']])
})

test('start and stop may come twice and in any order; a stopped reaper does nothing', async () => {
  const own = await bench()
  await own.reaper.stop()
  await started(own, 'a')
  await own.reaper.start()
  expect(own.listeners).toBe(1)
  await own.reaper.stop()
  await own.reaper.stop()
  expect([own.listeners, own.clock.timers]).toEqual([0, 0])
  own.listed.push(utf8('b'))
  own.hint()
  await own.clock.advance(5 * INTERVAL)
  expect(own.taken).toEqual([['a']])
  await own.reaper.start()
  await own.clock.settle()
  expect(own.taken).toEqual([['a'], ['b']])
  own.before = async () => await new Promise(() => undefined)
  await own.clock.advance(INTERVAL + 10)
  await own.reaper.stop()
  expect([own.listeners, own.clock.timers]).toEqual([0, 0])
})

test('each stay in the list is handed over once, whether the arrays are the same or new', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e')
  const step = fc.oneof(
    fc.record({ add: name }),
    fc.record({ commit: fc.uniqueArray(name, { maxLength: 3 }) }),
    fc.constant({ look: true }),
    fc.constant({ copy: true }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const own = await started(await bench())
      const expected: string[] = []
      const handed = new Set<string>()
      const look = async (): Promise<void> => {
        await own.clock.advance(INTERVAL + 10)
        const texts = own.listed.map((tx) => fromUtf8(tx) ?? '')
        for (const text of texts) {
          if (!handed.has(text)) expected.push(text)
          handed.add(text)
        }
        for (const text of handed) if (!texts.includes(text)) handed.delete(text)
        expect(own.taken.flat()).toEqual(expected)
      }
      for (const one of steps) {
        if ('add' in one) {
          if (!own.listed.some((tx) => fromUtf8(tx) === one.add)) own.listed.push(utf8(one.add))
        } else if ('commit' in one) {
          own.listed = own.listed.filter((tx) => !one.commit.some((text) => text === fromUtf8(tx)))
          own.reaper.committed(one.commit.map(utf8))
          for (const text of one.commit) handed.delete(text)
        } else if ('copy' in one) {
          own.listed = own.listed.map((tx) => tx.slice())
        } else {
          await look()
        }
      }
      await look()
      await own.reaper.stop()
    }),
    { numRuns: 60 },
  )
})

test('what nobody foresaw is said, and it goes on after a pause', async () => {
  const own = await bench()
  own.onListen = () => {
    throw new Error('not now')
  }
  await started(own, 'a')
  await own.clock.advance(30_000)
  expect(own.times('error: bringing transactions to the sequencer failed')).toBe(2)
  expect(own.taken).toEqual([])
  own.onListen = undefined
  await own.clock.advance(30_000)
  expect(own.taken).toEqual([['a']])
  await own.reaper.stop()
  own.onListen = () => {
    throw new Error('not now')
  }
  await own.reaper.start()
  await own.clock.settle()
  await own.reaper.stop()
  expect(own.times('error: bringing transactions to the sequencer failed')).toBe(3)
  expect(own.listeners).toBe(0)
})
