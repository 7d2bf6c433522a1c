import { afterEach, describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { honestPeer } from '../../../test/support/scripted-exchange.ts'
import {
  BENCH_START,
  createSyncerBench,
  type SyncerBench,
  type SyncerBenchOptions,
} from '../../../test/support/syncer-bench.ts'
import type { SyncState } from '../../core/header.ts'
import { deferred } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'

const SECOND = 1_000_000_000n
/** 600 items, the last of them a minute old. */
const chain = makeDummies(600, { startTime: BENCH_START - 660n * SECOND })
const fork = makeDummies(600, { startTime: BENCH_START - 660n * SECOND, payload: 'fork' })
const never = new AbortController().signal
const benches: SyncerBench[] = []

async function bench(options: SyncerBenchOptions = {}): Promise<SyncerBench> {
  const made = await createSyncerBench(options)
  benches.push(made)
  return made
}

function item(height: number, from: readonly DummyItem[] = chain): DummyItem {
  const found = from[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return found
}

const upTo = (height: number): DummyItem[] => chain.slice(0, height)

afterEach(async () => {
  for (const made of benches.splice(0)) await made.stop()
})

describe('a new item', () => {
  test('right above an idle store is stored at once, without asking anybody', async () => {
    const { gossip, store, exchange, syncer } = await bench({ stored: upTo(10) })
    expect(await gossip(item(11))).toBe('taken')
    expect(await gossip(item(12))).toBe('taken')
    expect(store.height).toBe(12)
    expect(exchange.asked).toEqual([])
    expect(syncer.state()).toMatchObject({ id: 0, height: 12, toHeight: 12 })
  })

  test('begins an empty store at the initial height', async () => {
    const { gossip, stored } = await bench({ initialHeight: 5 })
    expect(await gossip(item(4))).toEqual(['KNOWN_HEADER', 'ignore'])
    expect(await gossip(item(5))).toBe('taken')
    expect(await stored()).toEqual([item(5)])
  })

  test('that is known changes nothing', async () => {
    const { gossip, store, conflicts } = await bench({ stored: upTo(10) })
    for (const height of [1, 9, 10]) expect(await gossip(item(height))).toEqual(['KNOWN_HEADER', 'ignore'])
    expect([store.height, conflicts]).toEqual([10, []])
  })

  test('below the tail is known', async () => {
    const { gossip } = await bench({ stored: chain.slice(5, 10), initialHeight: 1 })
    expect(await gossip(item(3))).toEqual(['KNOWN_HEADER', 'ignore'])
  })

  test('with a broken link, of another chain, or from the past is wrong', async () => {
    const { gossip, store } = await bench({ stored: upTo(10) })
    expect(await gossip(item(11, fork))).toEqual(['VERIFY_FAILED', 'reject'])
    expect(await gossip({ ...item(11), chainId: 'other' })).toEqual(['WRONG_CHAIN_ID', 'reject'])
    expect(await gossip({ ...item(5), chainId: 'other' })).toEqual(['WRONG_CHAIN_ID', 'reject'])
    expect(await gossip({ ...item(11), time: item(9).time })).toEqual(['UNORDERED_TIME', 'reject'])
    expect(await gossip({ ...item(20), time: item(9).time })).toEqual(['UNORDERED_TIME', 'reject'])
    expect(store.height).toBe(10)
  })

  test('is refused as the admission says, and is no target', async () => {
    let verdict: 'ignore' | 'reject' = 'ignore'
    const { gossip, store, syncer, exchange } = await bench({
      stored: upTo(10),
      admit: async () => {
        throw new EvolveError('PROPOSER', 'not yours', { verdict })
      },
    })
    expect(await gossip(item(11))).toEqual(['PROPOSER', 'ignore'])
    expect(await gossip(item(300))).toEqual(['PROPOSER', 'ignore'])
    verdict = 'reject'
    expect(await gossip(item(2 ** 9))).toEqual(['PROPOSER', 'reject'])
    expect([store.height, syncer.state().toHeight, exchange.asked]).toEqual([10, 0, []])
  })

  test('is refused without verdict when the store fails: it is our own fault', async () => {
    const { gossip } = await bench({
      stored: upTo(10),
      wrapStore: (store) => ({
        ...store,
        get height() {
          return store.height
        },
        append: async () => await Promise.reject(new EvolveError('STORE_IO', 'no space')),
      }),
    })
    expect(await gossip(item(11))).toEqual(['STORE_IO', undefined])
  })

  test('is taken only while the syncer runs', async () => {
    const { gossip, syncer } = await bench({ stored: upTo(10), stopped: true })
    expect(await gossip(item(11))).toEqual(['SYNCER_STOPPED', 'ignore'])
    await syncer.start()
    expect(await gossip(item(11))).toBe('taken')
    await syncer.stop()
    expect(await gossip(item(12))).toEqual(['SYNCER_STOPPED', 'ignore'])
    await syncer.start()
    expect(await gossip(item(12))).toBe('taken')
  })

  test('items are judged one at a time, in the order they came', async () => {
    let inside = 0
    let most = 0
    const gates = [deferred<void>(), deferred<void>()]
    const { syncer, store, virtual } = await bench({
      stored: upTo(10),
      admit: async (items) => {
        most = Math.max(most, ++inside)
        await gates[(items[0]?.height ?? 0) - 11]?.promise
        inside--
      },
    })
    const both = Promise.all(
      [11, 12].map(async (height) => await syncer.incoming(item(height), { from: 'p', signal: never })),
    )
    gates[1]?.resolve()
    await virtual.settle()
    expect(store.height).toBe(10)
    gates[0]?.resolve()
    await both
    expect([store.height, most]).toEqual([12, 1])
  })

  test('whoever gives up waiting leaves the others alone', async () => {
    const gate = deferred<void>()
    const { syncer, store, gossip } = await bench({ stored: upTo(10), admit: async () => await gate.promise })
    const controller = new AbortController()
    const first = syncer.incoming(item(11), { from: 'p', signal: controller.signal })
    const second = gossip(item(11))
    controller.abort(new Error('enough'))
    await expect(first).rejects.toThrow('enough')
    gate.resolve()
    expect(await second).toBe('taken')
    expect(store.height).toBe(11)
  })
})

describe('two items of one height', () => {
  test('both admitted: told, ignored, the stored one stays', async () => {
    const { gossip, conflicts, stored } = await bench({ stored: upTo(10) })
    expect(await gossip(item(7, fork))).toEqual(['CONFLICTING_ITEM', 'ignore'])
    expect(conflicts).toEqual([[item(7), item(7, fork)]])
    expect(await stored()).toEqual(upTo(10))
  })

  test('one that is not admitted is no evidence', async () => {
    const { gossip, conflicts } = await bench({
      stored: upTo(10),
      admit: async (items) => {
        if (items.some(({ payload }) => payload === 'fork')) {
          throw new EvolveError('UNEXPECTED_PROPOSER', 'a stranger', { verdict: 'reject' })
        }
      },
    })
    expect(await gossip(item(7, fork))).toEqual(['UNEXPECTED_PROPOSER', 'reject'])
    expect(conflicts).toEqual([])
  })

  test('while they wait for those below them too', async () => {
    const { gossip, conflicts } = await bench({ stored: upTo(10) })
    expect(await gossip(item(20))).toBe('taken')
    expect(await gossip(item(20))).toEqual(['KNOWN_HEADER', 'ignore'])
    expect(await gossip(item(20, fork))).toEqual(['CONFLICTING_ITEM', 'ignore'])
    expect(conflicts).toEqual([[item(20), item(20, fork)]])
  })

  test('one that contradicts another that only waits: nobody knows which is wrong', async () => {
    const { gossip, exchange, syncer, stored } = await bench({ stored: upTo(10) })
    expect(await gossip(item(20, fork))).toBe('taken')
    expect(await gossip(item(21))).toEqual(['UNCERTAIN', 'ignore'])
    expect(await gossip({ ...item(21), chainId: 'other' })).toEqual(['WRONG_CHAIN_ID', 'reject'])
    expect(await gossip(item(22))).toBe('taken')
    exchange.peers = [honestPeer('honest', chain)]
    syncer.poke()
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(22))
  })

  test('one that waited is compared with the one that came to be stored', async () => {
    const { gossip, conflicts, exchange, syncer, stored } = await bench({ stored: upTo(10) })
    exchange.peers = [honestPeer('honest', chain)]
    expect(await gossip(item(20, fork))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(20))
    expect(conflicts).toEqual([[item(20), item(20, fork)]])
    expect(exchange.blamed).toEqual([])
  })
})

describe('a gap', () => {
  test('is fetched, and what waited above it is used and not fetched', async () => {
    const { gossip, exchange, syncer, stored } = await bench({ stored: upTo(10) })
    exchange.peers = [honestPeer('honest', upTo(199))]
    for (const height of [200, 201, 202]) expect(await gossip(item(height))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(202))
    expect(exchange.asked).toEqual([{ from: 11, to: 200 }])
    expect(syncer.state()).toMatchObject({
      id: 1,
      fromHeight: 11,
      toHeight: 202,
      height: 202,
      error: undefined,
    })
  })

  test('items that come out of order close it where nobody can be asked', async () => {
    const { gossip, syncer, stored, virtual } = await bench({ stored: upTo(10) })
    for (const height of [14, 12, 15, 13]) expect(await gossip(item(height))).toBe('taken')
    await virtual.settle()
    expect(await gossip(item(11))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(15))
  })

  test('several gaps are closed in order', async () => {
    const { gossip, exchange, syncer, stored, virtual } = await bench({ stored: upTo(10) })
    for (const height of [20, 21, 30]) expect(await gossip(item(height))).toBe('taken')
    await virtual.settle()
    exchange.asked.length = 0
    exchange.peers = [honestPeer('honest', chain)]
    syncer.poke()
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(30))
    expect(exchange.asked).toEqual([
      { from: 11, to: 20 },
      { from: 22, to: 30 },
    ])
  })

  test('at the beginning: an empty store is filled from the initial height', async () => {
    const { gossip, exchange, syncer, stored } = await bench()
    exchange.peers = [honestPeer('honest', chain)]
    expect(await gossip(item(500))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(500))
    expect(exchange.asked).toEqual([{ from: 1, to: 500 }])
  })

  test('a fetch that gossip overtakes is given up', async () => {
    const { gossip, exchange, syncer, store, virtual } = await bench({ stored: upTo(10) })
    exchange.peers = [honestPeer('slow', chain)]
    exchange.gate = async () => await deferred<void>().promise
    syncer.setTarget(12)
    await virtual.settle()
    expect(exchange.asked).toEqual([{ from: 11, to: 13 }])
    expect(await gossip(item(12))).toBe('taken')
    expect(await gossip(item(11))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(store.height).toBe(12)
  })

  test('the next piece is checked while the last is written', async () => {
    const writing = deferred<void>()
    const batches: number[] = []
    const { exchange, syncer, virtual, store } = await bench({
      stored: upTo(1),
      wrapStore: (inner) => ({
        ...inner,
        get height() {
          return inner.height
        },
        async append(items) {
          batches.push(items.length)
          if (batches.length === 1) await writing.promise
          await inner.append(items)
        },
      }),
    })
    exchange.peers = [honestPeer('honest', chain)]
    const given: number[] = []
    exchange.gate = async (from) => {
      given.push(from)
    }
    syncer.setTarget(321)
    await virtual.settle()
    expect(batches).toEqual([64])
    expect(given).toEqual([2, 66, 130, 194, 258])
    writing.resolve()
    await syncer.wait({ signal: never })
    expect(batches).toEqual([64, 256])
    expect(store.height).toBe(321)
  })
})

describe('a wrong answer', () => {
  /** Wrong from `at` on: the good items before it are honest. */
  const liar = (at: number, lie: (one: DummyItem) => DummyItem, id = 'liar') => ({
    id,
    answer: (from: number, to: number): DummyItem[] =>
      chain.slice(from - 1, to - 1).map((one) => (one.height < at ? one : lie(one))),
  })

  test.each<[string, (one: DummyItem) => DummyItem, string]>([
    ['a broken link', (one) => ({ ...one, previous: item(1).previous }), 'VERIFY_FAILED'],
    ['no signature', (one) => ({ ...one, signed: false }), 'INVALID_SIGNATURE'],
    ['another chain', (one) => ({ ...one, chainId: 'Dummy' }), 'WRONG_CHAIN_ID'],
    ['a time before its predecessor', (one) => ({ ...one, time: item(1).time }), 'UNORDERED_TIME'],
    ['a time far ahead', (one) => ({ ...one, time: BENCH_START + 61n * SECOND }), 'FROM_FUTURE'],
    ['another height', (one) => item(one.height + 1), 'NON_ADJACENT_RANGE'],
  ])('%s: what came before it is kept, the peer is blamed, another is asked', async (_name, lie, code) => {
    const { exchange, syncer, stored } = await bench({ stored: upTo(10) })
    exchange.peers = [liar(74, lie), honestPeer('honest', chain)]
    syncer.setTarget(200)
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(200))
    expect(exchange.blamed).toMatchObject([{ peer: 'liar', reason: { code } }])
    expect(exchange.asked).toEqual([
      { from: 11, to: 201 },
      { from: 74, to: 201 },
    ])
  })

  test('an empty piece is one', async () => {
    const { exchange, syncer, store } = await bench({ stored: upTo(10) })
    const honest = honestPeer('honest', chain)
    exchange.peers = [honest]
    const honestly = exchange.range.bind(exchange)
    exchange.range = (from, to, options) => {
      if (exchange.asked.length > 0) return honestly(from, to, options)
      exchange.asked.push({ from, to })
      const blame = (reason: unknown): void => {
        exchange.blamed.push({ peer: 'empty', reason })
      }
      return (async function* () {
        yield { items: [], peer: 'empty', blame }
      })()
    }
    syncer.setTarget(20)
    await syncer.wait({ signal: never })
    expect(store.height).toBe(20)
    expect(exchange.blamed).toMatchObject([{ peer: 'empty', reason: { code: 'EMPTY_RANGE' } }])
  })

  test('of an item that may not enter', async () => {
    const { exchange, syncer, store } = await bench({
      stored: upTo(10),
      admit: async (items) => {
        const admitted = items.findIndex(({ payload }) => payload === 'fork')
        if (admitted === -1) return
        throw new EvolveError('UNEXPECTED_PROPOSER', 'a stranger', { verdict: 'reject', data: { admitted } })
      },
    })
    // Linked all right, by somebody who may not.
    const stranger: DummyItem[] = []
    for (const one of chain.slice(0, 100)) {
      const below = stranger.at(-1)
      const linked =
        below === undefined ? one : { ...one, previous: Buffer.from(dummyKind.hash(below)).toString('hex') }
      stranger.push(one.height > 30 ? { ...linked, payload: 'fork' } : one)
    }
    exchange.peers = [honestPeer('liar', stranger), honestPeer('honest', chain)]
    syncer.setTarget(100)
    await syncer.wait({ signal: never })
    expect(await store.at(31)).toEqual(item(31))
    expect(exchange.blamed).toMatchObject([{ peer: 'liar', reason: { code: 'UNEXPECTED_PROPOSER' } }])
    expect(exchange.asked[1]).toEqual({ from: 31, to: 101 })
  })

  test('from everybody: the run ends with an error and is tried again later, not at once', async () => {
    const { exchange, syncer, virtual, store } = await bench({ stored: upTo(10) })
    // Never gone: as peers that the operator named.
    const lie = liar(11, (one) => ({ ...one, signed: false }))
    exchange.peers = [lie]
    exchange.blamed.push = (...blamed) => {
      exchange.peers = []
      queueMicrotask(() => {
        exchange.peers = [lie]
      })
      return blamed.length
    }
    syncer.setTarget(20)
    await virtual.settle()
    const asked = exchange.asked.length
    expect(asked).toBe(16)
    expect(syncer.state().error).toMatchObject({ code: 'NO_HONEST_PEER' })
    await virtual.advance(999)
    expect(exchange.asked.length).toBe(asked)
    exchange.peers = [honestPeer('honest', chain)]
    lie.answer = (from, to) => chain.slice(from - 1, to - 1)
    await virtual.advance(2)
    expect(store.height).toBe(20)
    expect(syncer.state().error).toBeUndefined()
  })
})

describe('nobody to ask', () => {
  test('the error shows, the target stays, and it is tried again after 1, 2, 4 … 30 s', async () => {
    const { exchange, syncer, virtual, store } = await bench({ stored: upTo(10) })
    syncer.setTarget(20)
    await virtual.settle()
    expect(syncer.state()).toMatchObject({ toHeight: 20, height: 10, error: { code: 'NO_PEERS' } })
    const times: number[] = []
    let before = exchange.asked.length
    for (let second = 1; second <= 100; second++) {
      await virtual.advance(1000)
      if (exchange.asked.length > before) times.push(second)
      before = exchange.asked.length
    }
    expect(times).toEqual([1, 3, 7, 15, 31, 61, 91])
    exchange.peers = [honestPeer('honest', chain)]
    await virtual.advance(30_000)
    expect(store.height).toBe(20)
    expect(syncer.state()).toMatchObject({ height: 20, toHeight: 20, error: undefined })
  })

  test('a new item wakes it', async () => {
    const { exchange, syncer, virtual, store, gossip } = await bench({ stored: upTo(10) })
    syncer.setTarget(20)
    await virtual.settle()
    exchange.peers = [honestPeer('honest', chain)]
    expect(await gossip(item(21))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(store.height).toBe(21)
  })

  test('waiting times begin anew after progress', async () => {
    const { exchange, syncer, virtual, store } = await bench({ stored: upTo(10) })
    syncer.setTarget(20)
    // After 1, 3, 7 and 15 s; the next would be after 31.
    await virtual.advance(16_000)
    exchange.peers = [honestPeer('honest', upTo(15))]
    await virtual.advance(15_000)
    expect(store.height).toBe(15)
    exchange.peers = [honestPeer('honest', chain)]
    await virtual.advance(1_000)
    expect(store.height).toBe(20)
  })

  test('peers that have less than was heard of are no error that stays', async () => {
    const { exchange, syncer, virtual, gossip, store } = await bench({ stored: upTo(10), maxAhead: 50 })
    exchange.peers = [honestPeer('honest', upTo(40))]
    expect(await gossip(item(600))).toBe('taken')
    await virtual.settle()
    expect(syncer.state()).toMatchObject({ height: 40, toHeight: 40, error: undefined })
    exchange.peers = [honestPeer('honest', chain)]
    expect(await gossip(item(599))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(store.height).toBe(599)
  })

  test('but of what lies here already they are', async () => {
    const { exchange, syncer, virtual, gossip } = await bench({ stored: upTo(10) })
    exchange.peers = [honestPeer('honest', upTo(40))]
    expect(await gossip(item(60))).toBe('taken')
    await virtual.settle()
    expect(syncer.state()).toMatchObject({ height: 40, toHeight: 60, error: { code: 'RANGE_ENDED_EARLY' } })
    exchange.peers = [honestPeer('honest', chain)]
    await virtual.advance(1000)
    expect(syncer.state()).toMatchObject({ height: 60, error: undefined })
  })
})

describe('peers that have removed what comes next', () => {
  const prunedPeer = (upToHeight: number) => ({
    id: 'pruned',
    answer: (from: number, to: number) => (from <= upToHeight ? [] : chain.slice(from - 1, to - 1)),
  })
  const message = 'warn: no peer has the next item; DA, a snapshot, or a peer that keeps all may bring it'

  test('are told of once while it lasts, and again when it comes back', async () => {
    const recorder = createRecorder()
    const { exchange, virtual, gossip, store } = await bench({ stored: upTo(10), logger: recorder.logger })
    exchange.peers = [prunedPeer(100)]
    expect(await gossip(item(200))).toBe('taken')
    await virtual.advance(20_000)
    expect(recorder.times(message)).toBe(0)
    await virtual.advance(120_000)
    expect(recorder.times(message)).toBe(1)
    exchange.peers = [honestPeer('archive', upTo(150)), prunedPeer(160)]
    await virtual.advance(35_000)
    expect([store.height, recorder.times(message)]).toEqual([150, 1])
    await virtual.advance(120_000)
    expect(recorder.times(message)).toBe(2)
  })
})

describe('what cannot be judged yet', () => {
  test('ends the run quietly; a poke resumes it', async () => {
    let proven = 50
    const { exchange, syncer, virtual, store } = await bench({
      stored: upTo(10),
      admit: async (items) => {
        const admitted = items.findIndex(({ height }) => height > proven)
        if (admitted === -1) return
        throw new EvolveError('UNPROVEN_PROPOSER', 'later', { verdict: 'ignore', data: { admitted } })
      },
    })
    exchange.peers = [honestPeer('honest', chain)]
    syncer.setTarget(100)
    await virtual.settle()
    expect([store.height, syncer.state().error, exchange.blamed, exchange.doubted]).toEqual([
      50,
      undefined,
      [],
      ['honest'],
    ])
    proven = 80
    syncer.poke()
    await virtual.settle()
    expect(store.height).toBe(80)
    proven = 200
    await virtual.advance(2000)
    expect(store.height).toBe(100)
  })

  test('an item of the near future in a range is waited for, and nobody is doubted', async () => {
    const late = makeDummies(20, { startTime: BENCH_START })
    const { exchange, syncer, virtual, store } = await bench({ stored: late.slice(0, 2) })
    exchange.peers = [honestPeer('honest', late)]
    syncer.setTarget(20)
    await virtual.settle()
    // Item h has the time BENCH_START + (h - 1) s.
    expect(store.height).toBe(11)
    expect([exchange.blamed, exchange.doubted, syncer.state().error]).toEqual([[], [], undefined])
    await virtual.advance(40_000)
    expect(store.height).toBe(20)
  })
})

describe('an item of the near future', () => {
  const ahead = (ms: bigint): DummyItem => ({ ...item(11), time: BENCH_START + ms * 1_000_000n })

  test.each([
    [9_000n, 'taken'],
    [11_000n, ['FROM_FUTURE', 'ignore']],
    [61_000n, ['FROM_FUTURE', 'reject']],
  ])('%i ms ahead', async (ms, expected) => {
    const { gossip } = await bench({ stored: upTo(10) })
    expect(await gossip(ahead(ms))).toEqual(expected)
  })

  test('is let in when its time has come', async () => {
    const { gossip, store, virtual } = await bench({ stored: upTo(10) })
    expect(await gossip(ahead(15_000n))).toEqual(['FROM_FUTURE', 'ignore'])
    await virtual.advance(4_999)
    expect(store.height).toBe(10)
    await virtual.advance(2)
    expect(store.height).toBe(11)
  })

  test('is not kept if it may not enter, and not after a stop', async () => {
    const stranger = await bench({
      stored: upTo(10),
      admit: async () => await Promise.reject(new EvolveError('PROPOSER', 'no', { verdict: 'reject' })),
    })
    expect(await stranger.gossip(ahead(15_000n))).toEqual(['PROPOSER', 'reject'])
    const { gossip, store, virtual, syncer } = await bench({ stored: upTo(10) })
    await gossip(ahead(15_000n))
    await syncer.stop()
    expect(virtual.timers).toBe(0)
    expect(store.height).toBe(10)
  })
})

describe('bounds', () => {
  test('no more items wait than may; the target is known all the same', async () => {
    const { gossip, exchange, syncer, virtual, stored } = await bench({ stored: upTo(10), maxPending: 5 })
    for (let height = 100; height < 120; height++) expect(await gossip(item(height))).toBe('taken')
    await virtual.settle()
    exchange.asked.length = 0
    expect(syncer.state().toHeight).toBe(119)
    exchange.peers = [honestPeer('honest', chain)]
    syncer.poke()
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(119))
    expect(exchange.asked).toEqual([
      { from: 11, to: 100 },
      { from: 105, to: 120 },
    ])
  })

  test('an item too far ahead says how far the chain goes and is not kept', async () => {
    const { gossip, exchange, syncer, stored } = await bench({ stored: upTo(10), maxAhead: 100 })
    exchange.peers = [honestPeer('honest', chain)]
    expect(await gossip(item(400, fork))).toBe('taken')
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(400))
    expect(exchange.asked).toEqual([{ from: 11, to: 401 }])
  })
})

describe('targets from elsewhere', () => {
  test('are worked towards, replaced, and may go down', async () => {
    const { exchange, syncer, virtual, store } = await bench({ stored: upTo(10) })
    syncer.setTarget(300)
    await virtual.settle()
    syncer.setTarget(50)
    exchange.peers = [honestPeer('honest', chain)]
    await virtual.advance(1000)
    expect([store.height, syncer.state().toHeight]).toEqual([50, 50])
    expect(() => syncer.setTarget(1.5)).toThrow(expect.objectContaining({ code: 'INVALID_HEIGHT' }))
  })

  test('set before the start are found after it', async () => {
    const { exchange, syncer, store } = await bench({ stored: upTo(10), stopped: true })
    exchange.peers = [honestPeer('honest', chain)]
    syncer.setTarget(50)
    await syncer.start()
    await syncer.wait({ signal: never })
    expect(store.height).toBe(50)
  })
})

describe('a store that is truncated', () => {
  test('is filled again after a poke', async () => {
    const { exchange, syncer, virtual, store, gossip, stored } = await bench({ stored: upTo(100) })
    exchange.peers = [honestPeer('honest', chain)]
    expect(await gossip(item(101))).toBe('taken')
    await store.truncate(60)
    await virtual.settle()
    syncer.poke()
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(101))
  })

  test('while it is being filled: the run stops and goes on from the new head', async () => {
    const { exchange, syncer, virtual, store, stored } = await bench({ stored: upTo(10) })
    const held = deferred<void>()
    exchange.peers = [honestPeer('honest', chain)]
    exchange.gate = async (from) => {
      if (from > 200) await held.promise
    }
    syncer.setTarget(400)
    await virtual.settle()
    expect(store.height).toBe(202)
    await store.truncate(5)
    await virtual.settle()
    expect([store.height, syncer.state().error]).toEqual([5, undefined])
    // The fetch that is still held up is not waited for.
    syncer.poke()
    await virtual.settle()
    expect(store.height).toBe(261)
    held.resolve()
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(400))
  })
})

describe('state', () => {
  test('tells of each run, and waiting ends when the target is reached', async () => {
    const { exchange, syncer, virtual } = await bench({ stored: upTo(10) })
    const states: SyncState[] = []
    const leave = syncer.onState((state) => states.push(state))
    await syncer.wait({ signal: never })
    exchange.peers = [honestPeer('honest', chain)]
    syncer.setTarget(150)
    await syncer.wait({ signal: never })
    await virtual.settle()
    leave()
    const count = states.length
    syncer.setTarget(151)
    await syncer.wait({ signal: never })
    expect(states.length).toBe(count)
    expect(states[0]).toMatchObject({ id: 0, toHeight: 150, height: 10 })
    expect(states[1]).toMatchObject({ id: 1, fromHeight: 11, start: BENCH_START, end: 0n })
    expect(states.map(({ height }) => height)).toContain(74)
    expect(states.at(-1)).toMatchObject({ id: 1, height: 150, end: BENCH_START, error: undefined })
    expect(syncer.state()).toMatchObject({ id: 2, fromHeight: 151, height: 151 })
  })

  test('waiting ends with the signal', async () => {
    const { syncer } = await bench({ stored: upTo(10) })
    syncer.setTarget(20)
    const controller = new AbortController()
    const waiting = syncer.wait({ signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
  })
})

describe('stopping', () => {
  test('ends a fetch under way, keeps what was good, and leaves no timer', async () => {
    const { exchange, syncer, virtual, store } = await bench({ stored: upTo(10) })
    exchange.peers = [honestPeer('slow', chain)]
    exchange.gate = async (from) => {
      if (from > 100) await deferred<void>().promise
    }
    syncer.setTarget(300)
    await virtual.settle()
    await syncer.stop()
    expect(store.height).toBe(138)
    expect(virtual.timers).toBe(0)
    await syncer.stop()
  })

  test('and starting again goes on where it was', async () => {
    const { exchange, syncer, stored } = await bench({ stored: upTo(10) })
    exchange.peers = [honestPeer('honest', chain)]
    syncer.setTarget(100)
    await syncer.wait({ signal: never })
    await syncer.stop()
    syncer.setTarget(200)
    await syncer.start()
    await syncer.start()
    await syncer.wait({ signal: never })
    expect(await stored()).toEqual(upTo(200))
  })

  test('a store that fails stops the run and is tried again', async () => {
    let full = true
    const { exchange, syncer, virtual, store } = await bench({
      stored: upTo(10),
      wrapStore: (inner) => ({
        ...inner,
        get height() {
          return inner.height
        },
        async append(items) {
          if (full) throw new EvolveError('STORE_IO', 'no space', { verdict: 'retry' })
          await inner.append(items)
        },
      }),
    })
    exchange.peers = [honestPeer('honest', chain)]
    syncer.setTarget(100)
    await virtual.settle()
    expect(syncer.state().error).toMatchObject({ code: 'STORE_IO' })
    expect(exchange.blamed).toEqual([])
    full = false
    await virtual.advance(1000)
    expect(store.height).toBe(100)
  })
})
