import { afterEach, describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { honestPeer } from '../../../test/support/scripted-exchange.ts'
import {
  BENCH_START,
  createSyncerBench,
  type SyncerBench,
  type SyncerBenchOptions,
} from '../../../test/support/syncer-bench.ts'
import { deferred } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'

const SECOND = 1_000_000_000n
const never = new AbortController().signal
/** Item 100 is of the moment the clock begins. */
const chain = makeDummies(200, { startTime: BENCH_START - 99n * SECOND })
const benches: SyncerBench[] = []

async function bench(options: SyncerBenchOptions): Promise<SyncerBench> {
  const made = await createSyncerBench({ recency: 3_000, ...options })
  benches.push(made)
  return made
}

function item(height: number): DummyItem {
  const found = chain[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return found
}

const upTo = (height: number): DummyItem[] => chain.slice(0, height)

afterEach(async () => {
  for (const made of benches.splice(0)) await made.stop()
})

describe('the head', () => {
  test('that is recent is not asked for', async () => {
    const { syncer, exchange } = await bench({ stored: upTo(97) })
    expect(await syncer.head({ signal: never })).toEqual(item(97))
    expect(exchange.headQuestions).toBe(0)
  })

  test('that is not recent is asked for at start, and what is missing is fetched', async () => {
    const { syncer, exchange, store } = await bench({ stored: upTo(50), stopped: true })
    exchange.peers = [honestPeer('honest', chain)]
    exchange.onHead = async () => item(100)
    await syncer.start()
    expect(await syncer.head({ signal: never })).toEqual(item(100))
    await syncer.wait({ signal: never })
    expect(store.height).toBe(100)
    expect(exchange.headQuestions).toBe(1)
  })

  test('of the peers that is lower than ours, or not linked to it, changes nothing', async () => {
    const { syncer, exchange, virtual, store } = await bench({ stored: upTo(50) })
    exchange.onHead = async () => item(40)
    expect(await syncer.head({ signal: never })).toEqual(item(50))
    exchange.onHead = async () => ({ ...item(51), previous: item(3).previous })
    expect(await syncer.head({ signal: never })).toEqual(item(50))
    await virtual.settle()
    expect([store.height, syncer.state().toHeight]).toEqual([50, 0])
  })

  test('of the peers has to be admitted, whatever the majority', async () => {
    const { syncer, exchange, virtual } = await bench({
      stored: upTo(50),
      admit: async () =>
        await Promise.reject(new EvolveError('UNPROVEN_PROPOSER', 'who?', { verdict: 'ignore' })),
    })
    exchange.onHead = async () => item(100)
    expect(await syncer.head({ signal: never })).toEqual(item(50))
    await virtual.settle()
    expect([syncer.state().toHeight, exchange.asked]).toEqual([0, []])
  })

  test('is ours when nobody answers within 2 s, or asking fails', async () => {
    const { syncer, exchange, virtual } = await bench({ stored: upTo(50), stopped: true })
    exchange.onHead = async () => await deferred<undefined>().promise
    await syncer.start()
    let head: DummyItem | undefined
    const asking = (async () => {
      head = await syncer.head({ signal: never })
    })()
    await virtual.advance(1_999)
    expect(head).toBeUndefined()
    await virtual.advance(2)
    await asking
    expect(head).toEqual(item(50))
    exchange.onHead = async () => await Promise.reject(new EvolveError('NO_PEERS', 'nobody'))
    expect(await syncer.head({ signal: never })).toEqual(item(50))
  })

  test('is asked for once by all who want it at the same time', async () => {
    const { syncer, exchange, virtual } = await bench({ stored: upTo(50), stopped: true })
    exchange.peers = [honestPeer('honest', chain)]
    const answer = deferred<DummyItem | undefined>()
    exchange.onHead = async () => await answer.promise
    await syncer.start()
    await virtual.settle()
    const controller = new AbortController()
    const impatient = syncer.head({ signal: controller.signal })
    const patient = [syncer.head({ signal: never }), syncer.head({ signal: never })]
    controller.abort(new Error('enough'))
    await expect(impatient).rejects.toThrow('enough')
    answer.resolve(item(100))
    expect(await Promise.all(patient)).toEqual([item(100), item(100)])
    expect(exchange.headQuestions).toBe(1)
    await expect(syncer.head({ signal: AbortSignal.abort(new Error('no')) })).resolves.toEqual(item(100))
  })

  test('an empty store asks on demand, and is not filled by asking alone', async () => {
    const { syncer, exchange, store } = await bench({})
    expect(await syncer.head({ signal: never })).toBeUndefined()
    exchange.onHead = async () => item(100)
    expect(await syncer.head({ signal: never })).toEqual(item(100))
    exchange.peers = [honestPeer('honest', chain)]
    syncer.poke()
    await syncer.wait({ signal: never })
    expect(store.height).toBe(100)
  })

  test('before the start and after the stop is that of the store', async () => {
    const { syncer, exchange } = await bench({ stored: upTo(50), stopped: true })
    expect(await syncer.head({ signal: never })).toEqual(item(50))
    await syncer.start()
    await syncer.stop()
    exchange.headQuestions = 0
    expect(await syncer.head({ signal: never })).toEqual(item(50))
    expect(exchange.headQuestions).toBe(0)
  })
})

describe('a head beyond the trusting period', () => {
  test('is not believed; a younger one from the peers is', async () => {
    const { syncer, exchange } = await bench({ stored: upTo(50), trustingPeriod: 20_000, recency: 1e15 })
    await expect(syncer.head({ signal: never })).rejects.toMatchObject({ code: 'HEAD_EXPIRED' })
    exchange.onHead = async () => item(60)
    await expect(syncer.head({ signal: never })).rejects.toMatchObject({ code: 'HEAD_EXPIRED' })
    exchange.onHead = async () => item(90)
    expect(await syncer.head({ signal: never })).toEqual(item(90))
  })

  test('an empty store does not begin with one', async () => {
    const { syncer, exchange } = await bench({ trustingPeriod: 20_000 })
    exchange.onHead = async () => item(60)
    expect(await syncer.head({ signal: never })).toBeUndefined()
    expect(syncer.state().toHeight).toBe(0)
  })
})

describe('while it is not recent', () => {
  test('the peers are asked again, ever less often, until it is', async () => {
    const { exchange, virtual } = await bench({ stored: upTo(50) })
    exchange.peers = [honestPeer('honest', chain)]
    const times: number[] = []
    for (let ms = 0, before = exchange.headQuestions; ms < 120_000; ms += 250) {
      await virtual.advance(250)
      if (exchange.headQuestions > before) times.push(ms + 250)
      before = exchange.headQuestions
    }
    expect(times).toEqual([250, 750, 1_750, 3_750, 7_750, 15_750, 31_750, 61_750, 91_750])
  })

  test('a node that missed everything finds out without gossip', async () => {
    const { exchange, virtual, store } = await bench({ stored: upTo(50) })
    await virtual.advance(70_000)
    exchange.peers = [honestPeer('honest', chain)]
    exchange.onHead = async () => item(170)
    await virtual.advance(30_000)
    expect(store.height).toBe(170)
  })

  test('the first item, and a truncation, are reasons to ask at once', async () => {
    const { exchange, virtual, gossip, store } = await bench({})
    await virtual.advance(60_000)
    expect(exchange.headQuestions).toBe(0)
    expect(await gossip(item(1))).toBe('taken')
    await virtual.settle()
    expect(exchange.headQuestions).toBe(1)
    await store.append(upTo(150).slice(1))
    await virtual.advance(45_000)
    exchange.headQuestions = 0
    await store.truncate(20)
    await virtual.settle()
    expect(exchange.headQuestions).toBe(1)
  })

  test('growing stops the questions', async () => {
    const { exchange, virtual, gossip, store } = await bench({ stored: upTo(100) })
    for (let height = 101; height <= 150; height++) {
      await virtual.advance(1_000)
      expect(await gossip(item(height))).toBe('taken')
    }
    expect([store.height, exchange.headQuestions]).toEqual([150, 0])
  })
})

test('a distant head that cannot be judged directly is verified over those in between', async () => {
  const shortSighted = {
    ...dummyKind,
    verifyNonAdjacent(trusted: DummyItem, untrusted: DummyItem): void {
      if (untrusted.height - trusted.height > 20) throw new Error('too far')
    },
  }
  const { gossip, exchange, syncer, store } = await bench({
    stored: upTo(10),
    recency: 1e15,
    kind: shortSighted,
  })
  expect(await gossip(item(90))).toEqual(['NO_PEERS', 'retry'])
  exchange.peers = [honestPeer('honest', chain)]
  expect(await gossip(item(90))).toBe('taken')
  await syncer.wait({ signal: never })
  expect(store.height).toBe(90)
  // What was verified on the way is not asked for again.
  expect(exchange.asked.length).toBeGreaterThan(1)
})
