import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createMemoryHub, type MemoryHub, type MemoryNode } from '../../../test/support/memory-network.ts'
import { createMemoryStore, type MemoryStore } from '../../../test/support/memory-store.ts'
import { rawAsk, type RawAnswer } from '../../../test/support/raw-exchange.ts'
import { createVirtualEnv, type VirtualEnv } from '../../../test/support/virtual-env.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import type { Service } from '../../core/lifecycle.ts'
import { fromHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { ResponseStatus } from './codec.ts'
import { createExchangeServer, type ExchangeServerOptions } from './server.ts'

const PROTOCOL = '/dummy/header-ex/v0.0.3'
const chain = makeDummies(200)
const MAX64 = 2n ** 64n - 1n

interface Setup {
  readonly hub: MemoryHub
  readonly store: MemoryStore<DummyItem>
  readonly server: Service
  readonly serving: MemoryNode
  readonly asking: MemoryNode
  readonly time: VirtualEnv
  readonly ask: (request: Parameters<typeof rawAsk>[3], from?: MemoryNode) => Promise<RawAnswer>
}

async function setUp(
  items: readonly DummyItem[] = chain,
  options: Partial<ExchangeServerOptions> & { readonly configured?: readonly string[] } = {},
): Promise<Setup> {
  const { configured = [], ...limits } = options
  const time = createVirtualEnv()
  const hub = createMemoryHub()
  const serving = hub.node('server', { configured })
  const asking = hub.node('client')
  hub.connect('server', 'client')
  const store = createMemoryStore(dummyKind, items)
  const server = createExchangeServer(
    { network: serving, store, kind: dummyKind, env: time.env, logger: noopLogger, metrics: noopMetrics },
    { protocol: PROTOCOL, ...limits },
  )
  await server.start()
  return {
    hub,
    store,
    server,
    serving,
    asking,
    time,
    ask: async (request, from = asking) => await rawAsk(from, 'server', PROTOCOL, request),
  }
}

/** Heights of an answer whose frames are all OK. */
function heights(answer: RawAnswer): number[] {
  expect(answer.complete).toBe(true)
  for (const { status } of answer.responses) expect(status).toBe(ResponseStatus.Ok)
  return answer.responses.map(({ body }) => dummyKind.decode(body).height)
}

/** Heights of an answer, or what it says instead. */
function gist(answer: RawAnswer): readonly number[] | string {
  return answer.responses[0]?.status === ResponseStatus.NotFound ? 'not found' : heights(answer)
}

function upTo(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i)
}

const notFound = { responses: [{ body: new Uint8Array(), status: ResponseStatus.NotFound }] }
const reset = { code: 'STREAM_RESET' }

describe('what is served', () => {
  test.each([[1n], [7n], [64n], [65n], [MAX64]])(
    'origin 0 with amount %s is the head, once',
    async (amount) => {
      const { ask } = await setUp()
      expect(heights(await ask({ origin: 0n, amount }))).toEqual([200])
    },
  )

  test('a range is served in full, ascending, in one piece', async () => {
    const { ask } = await setUp()
    const answer = await ask({ origin: 100n, amount: 64n })
    expect(heights(answer)).toEqual(upTo(100, 164))
    expect(answer.pieces).toHaveLength(1)
  })

  test('a range past the head comes back short', async () => {
    const { ask } = await setUp()
    expect(heights(await ask({ origin: 190n, amount: 64n }))).toEqual(upTo(190, 201))
  })

  test('any range is the part of it that is there, or NOT_FOUND', async () => {
    const { ask, time } = await setUp(makeDummies(100, { from: 50 }))
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 64 }),
        async (from, amount) => {
          await time.advance(60_000)
          const answer = await ask({ origin: BigInt(from), amount: BigInt(amount) })
          const there = from >= 50 && from < 150
          expect(gist(answer)).toEqual(there ? upTo(from, Math.min(from + amount, 150)) : 'not found')
        },
      ),
      { numRuns: 60 },
    )
  })

  test.each([
    ['above the head', 201n],
    ['far above the head', 1n << 62n],
    ['below the tail', 5n],
    ['from below the tail into the store', 40n],
  ])('a range %s is NOT_FOUND, without reading', async (_, origin) => {
    const { ask, store } = await setUp(makeDummies(151, { from: 50 }))
    expect(await ask({ origin, amount: 30n })).toMatchObject(notFound)
    expect(store.reads).toEqual([])
  })

  test('an item is found by its hash, whatever the amount', async () => {
    const { ask } = await setUp()
    const hash = dummyKind.hash(makeDummies(77)[76] ?? raise('no item'))
    expect(heights(await ask({ hash, amount: 0n }))).toEqual([77])
    expect(heights(await ask({ hash, amount: 500n }))).toEqual([77])
  })

  test.each([[0], [31], [32], [33], [900]])(
    'a hash of %s bytes that nothing has is NOT_FOUND',
    async (length) => {
      const { ask } = await setUp()
      expect(await ask({ hash: new Uint8Array(length), amount: 1n })).toMatchObject(notFound)
    },
  )

  test.each([
    ['the head', { origin: 0n, amount: 1n }],
    ['a range', { origin: 1n, amount: 64n }],
    ['a hash', { hash: new Uint8Array(32), amount: 1n }],
  ] as const)('an empty store has not found %s', async (_, request) => {
    const { ask } = await setUp([])
    expect(await ask(request)).toMatchObject(notFound)
  })

  test('what is appended later is served later', async () => {
    const { ask, store } = await setUp(chain.slice(0, 10))
    expect(await ask({ origin: 11n, amount: 1n })).toMatchObject(notFound)
    await store.append(chain.slice(10, 12))
    expect(heights(await ask({ origin: 11n, amount: 5n }))).toEqual([11, 12])
  })
})

describe('what is reset', () => {
  test.each([
    ['no items', { origin: 5n, amount: 0n }],
    ['no items from the head', { origin: 0n, amount: 0n }],
    ['65 items', { origin: 5n, amount: 65n }],
    ['512 items', { origin: 5n, amount: 512n }],
    ['more items than 64 bits count', { origin: 5n, amount: MAX64 }],
    ['items around the end of 64 bits', { origin: MAX64 - 3n, amount: 4n }],
  ])('a request for %s', async (_, request) => {
    const { ask, store } = await setUp()
    await expect(ask(request)).rejects.toMatchObject(reset)
    expect(store.reads).toEqual([])
  })

  test.each([
    ['nothing', ''],
    ['an amount alone', '1801'],
    ['half a varint', '0880'],
    ['text', '68656c6c6f'],
  ])('a request of %s', async (_, hex) => {
    const { ask } = await setUp()
    await expect(ask(fromHex(hex) ?? raise('no hex'))).rejects.toMatchObject(reset)
  })

  test('a request of more than a kibibyte', async () => {
    const { ask } = await setUp()
    await expect(ask({ hash: new Uint8Array(1 << 20), amount: 1n })).rejects.toMatchObject(reset)
  })

  test('a request while the store fails', async () => {
    const { ask, store } = await setUp()
    store.beforeRead = async () => await Promise.reject(new Error('disk'))
    await expect(ask({ origin: 1n, amount: 1n })).rejects.toMatchObject(reset)
    store.beforeRead = undefined
    expect(heights(await ask({ origin: 1n, amount: 1n }))).toEqual([1])
  })

  test('any bytes give an answer or a reset, and leave nothing behind', async () => {
    const { ask, serving, time } = await setUp()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        await time.advance(60_000)
        const outcome = await ask(bytes).then(gist, (error: unknown) =>
          error instanceof EvolveError ? error.code : error,
        )
        expect([[200], 'not found', 'STREAM_RESET']).toContainEqual(outcome)
        expect(serving.serving).toBe(0)
        expect(time.timers).toBe(0)
      }),
      { numRuns: 100 },
    )
  })
})

describe('time', () => {
  test('a store that hangs is NOT_FOUND while the asking peer still listens', async () => {
    const { ask, store, time } = await setUp()
    store.beforeRead = async () => await new Promise<never>(() => undefined)
    const answer = ask({ origin: 1n, amount: 4n })
    await time.advance(5_000)
    expect(await answer).toMatchObject(notFound)
    expect(time.timers).toBe(0)
  })

  test('an answer that is not taken is given up, and its place is free again', async () => {
    const { ask, hub, serving, time } = await setUp(makeDummies(3, { payload: 'x'.repeat(4_000) }), {
      pieceBytes: 1_000,
      activePerPeer: 1,
    })
    const stuck = Promise.withResolvers<void>()
    hub.faults.piece = async () => await stuck.promise
    const slow = ask({ origin: 1n, amount: 3n })
    await time.advance(10_000)
    stuck.resolve()
    await expect(slow).rejects.toMatchObject(reset)
    hub.faults = {}
    expect(heights(await ask({ origin: 1n, amount: 3n }))).toEqual([1, 2, 3])
    expect(serving.serving).toBe(0)
    expect(time.timers).toBe(0)
  })

  test('a peer that leaves at any moment leaves nothing behind', async () => {
    const { asking, serving, store, hub, time } = await setUp(makeDummies(64, { payload: 'x'.repeat(500) }), {
      pieceBytes: 5_000,
      readBytes: 10_000,
    })
    store.beforeRead = async () => await Promise.resolve()
    for (let moment = 0; moment < 40; moment++) {
      const gone = new AbortController()
      let pieces = 0
      hub.faults.piece = async () => {
        if (++pieces === moment) gone.abort(new Error('gone'))
      }
      const asked = rawAsk(asking, 'server', PROTOCOL, { origin: 1n, amount: 64n }, gone.signal)
      if (moment === 0) gone.abort(new Error('gone'))
      await asked.catch(() => undefined)
      await time.settle()
      expect([serving.serving, time.timers]).toEqual([0, 0])
    }
  })

  test('stop ends what is under way and removes the handler; start serves again', async () => {
    const { ask, store, server, time } = await setUp()
    store.beforeRead = async () => await new Promise<never>(() => undefined)
    const hanging = ask({ origin: 1n, amount: 4n })
    await time.settle()
    await server.stop()
    await server.stop()
    await expect(hanging).rejects.toMatchObject(reset)
    await time.settle()
    expect(time.timers).toBe(0)
    await expect(ask({ origin: 1n, amount: 1n })).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
    store.beforeRead = undefined
    await server.start()
    await server.start()
    expect(heights(await ask({ origin: 1n, amount: 1n }))).toEqual([1])
  })
})

describe('memory', () => {
  const large = makeDummies(64, { payload: 'x'.repeat(50_000) })

  test('large items are read step by step and sent in pieces', async () => {
    const { ask, store } = await setUp(large, { readBytes: 100_000, pieceBytes: 30_000 })
    const answer = await ask({ origin: 1n, amount: 64n })
    expect(heights(answer)).toEqual(upTo(1, 65))
    expect(Math.max(...answer.pieces)).toBeLessThanOrEqual(30_000)
    expect(Math.max(...store.reads.map((read) => read.given))).toBe(2)
  })

  test('the next step is read only when the last one was taken', async () => {
    const { ask, hub, store, time } = await setUp(large, { readBytes: 100_000, pieceBytes: 30_000 })
    const taken = Promise.withResolvers<void>()
    hub.faults.piece = async () => await taken.promise
    const answer = ask({ origin: 1n, amount: 64n })
    await time.settle()
    expect(store.reads).toHaveLength(1)
    taken.resolve()
    expect(heights(await answer)).toHaveLength(64)
  })

  test('an answer ends short at its most bytes, and has one item at least', async () => {
    const { ask } = await setUp(large, { readBytes: 100_000, maxAnswerBytes: 250_000 })
    expect(heights(await ask({ origin: 1n, amount: 64n }))).toEqual(upTo(1, 7))
    const tiny = await setUp(large, { readBytes: 1, maxAnswerBytes: 1 })
    expect(heights(await tiny.ask({ origin: 9n, amount: 64n }))).toEqual([9])
  })
})

describe('fairness', () => {
  test('one peer is answered a few requests at a time, and does not hold up another', async () => {
    const { ask, hub, store, time } = await setUp(chain, { activePerPeer: 2 })
    const other = hub.node('other')
    hub.connect('server', 'other')
    const held: (() => void)[] = []
    let hold = true
    store.beforeRead = async () => {
      if (hold) await new Promise<void>((resolve) => held.push(resolve))
    }
    const many = upTo(0, 64).map(async () => await ask({ origin: 1n, amount: 1n }))
    await time.settle()
    expect(held).toHaveLength(2)
    hold = false
    expect(heights(await ask({ origin: 5n, amount: 1n }, other))).toEqual([5])
    for (const go of held) go()
    expect((await Promise.all(many)).map(heights)).toEqual(many.map(() => [1]))
  })

  test('a 65th stream of one peer is reset', async () => {
    const { ask, store, time } = await setUp()
    store.beforeRead = async () => await new Promise<never>(() => undefined)
    const many = upTo(0, 64).map(async () => await ask({ origin: 1n, amount: 1n }).catch(() => 'ended'))
    await time.settle()
    await expect(ask({ origin: 1n, amount: 1n })).rejects.toMatchObject(reset)
    await time.advance(20_000)
    await Promise.all(many)
    expect(time.timers).toBe(0)
  })
})

describe('rates', () => {
  const rate = { items: 1_000, itemsPerSecond: 64, bytes: 1e9, bytesPerSecond: 1e6 }

  test('above its rate a peer waits; far above it is reset', async () => {
    const { ask, time } = await setUp(chain, { peerRate: rate, activePerPeer: 64 })
    for (let i = 0; i < 15; i++) expect(heights(await ask({ origin: 1n, amount: 64n }))).toHaveLength(64)
    const done: string[] = []
    const asks = [1, 2, 3, 4].map(async (n) => {
      const said = await ask({ origin: 1n, amount: 64n }).then(
        () => 'served',
        (error: unknown) => (error instanceof EvolveError ? error.code : 'unknown'),
      )
      done.push(`${n} ${said}`)
    })
    await time.settle()
    expect(done).toEqual(['3 STREAM_RESET', '4 STREAM_RESET'])
    await time.advance(2_000)
    await Promise.all(asks)
    expect(done.toSorted()).toEqual(['1 served', '2 served', '3 STREAM_RESET', '4 STREAM_RESET'])
  })

  test('bytes count too', async () => {
    const { ask } = await setUp(chain, {
      peerRate: { ...rate, items: 1e6, bytes: 20_000, bytesPerSecond: 1 },
    })
    expect(heights(await ask({ origin: 1n, amount: 64n }))).toHaveLength(64)
    await expect(ask({ origin: 1n, amount: 64n })).rejects.toMatchObject(reset)
  })

  test('strangers who use up the total do not touch configured peers', async () => {
    const { ask, hub } = await setUp(chain, {
      totalRate: { ...rate, itemsPerSecond: 1 },
      configured: ['friend'],
    })
    const friend = hub.node('friend')
    hub.connect('server', 'friend')
    for (let i = 0; i < 15; i++) await ask({ origin: 1n, amount: 64n })
    await expect(ask({ origin: 1n, amount: 64n })).rejects.toMatchObject(reset)
    expect(heights(await ask({ origin: 1n, amount: 64n }, friend))).toHaveLength(64)
  })

  test('who asks endlessly for what is not there hears so more and more slowly', async () => {
    const { ask, time } = await setUp()
    const answers: number[] = []
    const loop = (async (): Promise<void> => {
      while (answers.length < 200) {
        expect(await ask({ origin: 500n, amount: 64n })).toMatchObject(notFound)
        answers.push(time.env.monotonic())
      }
    })()
    await time.advance(4_000)
    expect(answers[99]).toBe(0)
    expect(answers.length).toBeLessThanOrEqual(100 + 4 * 20)
    await time.advance(2_000)
    await loop
    expect(time.timers).toBe(0)
  })
})

function raise(what: string): never {
  throw new Error(what)
}
