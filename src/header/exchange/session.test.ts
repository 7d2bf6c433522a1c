import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import {
  createExchangeNet,
  type ExchangeNet,
  type ExchangeNetOptions,
} from '../../../test/support/exchange-net.ts'
import { NOT_FOUND_FRAME, okFrames, type Script, silence } from '../../../test/support/raw-exchange.ts'
import { sleep } from '../../core/env.ts'
import type { FetchedRange } from '../../core/header.ts'
import { EvolveError } from '../../util/errors.ts'
import { decodeRequest, encodeResponseFrames, type HeaderRequest } from './codec.ts'

const chain = makeDummies(2_000)
const bodies = chain.map((item) => dummyKind.encode(item))
const signal = new AbortController().signal

/** Bodies that honestly answer a request. */
function honestBodies(request: HeaderRequest): Uint8Array[] {
  const from = Number(request.origin ?? 0n)
  return bodies.slice(from - 1, from - 1 + Number(request.amount))
}

const silent: Script = async function* silent(_, context) {
  yield await silence(context)
}

/** Reads a range to its end while virtual time passes. */
async function fetch(net: ExchangeNet, from: number, to: number, ms = 60_000): Promise<DummyItem[]> {
  return (await fetchPieces(net, from, to, ms)).flatMap(({ items }) => items)
}

async function fetchPieces(
  net: ExchangeNet,
  from: number,
  to: number,
  ms = 60_000,
): Promise<FetchedRange<DummyItem>[]> {
  const read = async (): Promise<FetchedRange<DummyItem>[]> => {
    const pieces: FetchedRange<DummyItem>[] = []
    for await (const piece of net.exchange.range(from, to, { signal })) pieces.push(piece)
    return pieces
  }
  const pieces = await net.within(ms, read())
  await net.time.settle()
  expect(net.time.timers).toBe(0)
  return pieces
}

async function honestNet(peers: readonly string[], options: ExchangeNetOptions = {}): Promise<ExchangeNet> {
  const net = await createExchangeNet(options)
  for (const peer of peers) await net.honest(peer, chain)
  return net
}

describe('a range', () => {
  test('comes whole and in order from one peer', async () => {
    const net = await honestNet(['a'])
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.time.env.monotonic()).toBe(0)
  })

  test('comes from several peers, each of which has its part', async () => {
    const net = await honestNet(['a', 'b', 'c'])
    net.hub.faults.piece = async () => await new Promise<void>((resolve) => net.time.env.timer(20, resolve))
    const pieces = await fetchPieces(net, 1, 2_001)
    expect(pieces.flatMap(({ items }) => items)).toEqual(chain)
    for (const peer of ['a', 'b', 'c']) {
      expect(pieces.filter((piece) => piece.peer === peer).length).toBeGreaterThan(5)
    }
  })

  test('of any bounds is exactly that range, in requests of at most 64', async () => {
    const net = await honestNet(['a', 'b'])
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2_000 }),
        fc.integer({ min: -5, max: 300 }),
        async (from, length) => {
          const to = Math.min(from + length, 2_001)
          expect(await fetch(net, from, to)).toEqual(chain.slice(from - 1, Math.max(to - 1, from - 1)))
        },
      ),
      { numRuns: 40 },
    )
    expect(net.us.asked.every(({ bytes }) => bytes.length < 12)).toBe(true)
  })

  test('many requests are under way at once, but not more than the peer is given', async () => {
    const net = await createExchangeNet()
    let open = 0
    let most = 0
    await net.scripted('a', async function* answer(request) {
      most = Math.max(most, ++open)
      await new Promise<void>((resolve) => net.time.env.timer(30, resolve))
      open--
      yield okFrames(honestBodies(request))
    })
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(most).toBeGreaterThan(8)
    expect(most).toBeLessThanOrEqual(16)
  })

  test('several ranges at once share the places of one peer, and all come whole', async () => {
    const net = await honestNet(['a'], { firstInFlightPerPeer: 1, maxInFlightPerPeer: 1 })
    net.hub.faults.piece = async () => await new Promise<void>((resolve) => net.time.env.timer(10, resolve))
    const ranges = [1, 501, 1_001].map(async (from) => {
      const items: DummyItem[] = []
      for await (const piece of net.exchange.range(from, from + 500, { signal })) items.push(...piece.items)
      return items
    })
    expect((await net.within(10_000, Promise.all(ranges))).flat()).toEqual(chain.slice(0, 1_500))
  })

  test('bad bounds are refused', async () => {
    const net = await honestNet(['a'])
    await expect(fetch(net, 0, 5)).rejects.toMatchObject({ code: 'INVALID_HEIGHT' })
    await expect(fetch(net, 1, 2 ** 53)).rejects.toMatchObject({ code: 'INVALID_HEIGHT' })
    expect(net.us.asked).toEqual([])
  })

  test('leaving it early ends what is under way', async () => {
    const net = await honestNet(['a'])
    const node = await net.scripted('silent', silent)
    for await (const piece of net.exchange.range(1, 2_001, { signal })) {
      expect(piece.items[0]).toEqual(chain[0])
      break
    }
    await net.time.settle()
    expect([node.serving, net.time.timers]).toEqual([0, 0])
  })

  test('the caller aborts: it rejects with the reason, and nothing goes on', async () => {
    const net = await createExchangeNet()
    const node = await net.scripted('silent', silent)
    const gone = new AbortController()
    const reading = net.exchange.range(1, 500, { signal: gone.signal })[Symbol.asyncIterator]().next()
    await net.time.settle()
    expect(node.serving).toBeGreaterThan(1)
    gone.abort(new Error('gone'))
    await expect(reading).rejects.toThrow('gone')
    await net.time.settle()
    expect([node.serving, net.time.timers]).toEqual([0, 0])
  })
})

describe('the end of the chain', () => {
  test('the range ends where nobody has more, at once', async () => {
    const net = await createExchangeNet()
    await net.honest('a', chain.slice(0, 500))
    await net.honest('b', chain.slice(0, 300))
    expect(await fetch(net, 1, 2_001)).toEqual(chain.slice(0, 500))
    expect(net.us.bans).toEqual([])
  })

  test('nothing at all is an empty range, not an error', async () => {
    const net = await createExchangeNet()
    await net.honest('a', chain.slice(0, 50))
    await net.honest('empty', [])
    expect(await fetch(net, 51, 2_001)).toEqual([])
    // Parts further up are asked for at the same time; the one that is needed of each just once.
    const needed = net.us.asked.filter(({ bytes }) => decodeRequest(bytes).origin === 51n)
    expect(needed.map(({ peer }) => peer).toSorted()).toEqual(['a', 'empty'])
  })

  test('short answers are gone on with from where they ended', async () => {
    const net = await createExchangeNet()
    await net.scripted('a', (request) => [okFrames(honestBodies(request).slice(0, 10))])
    expect(await fetch(net, 1, 301)).toEqual(chain.slice(0, 300))
  })

  test('one peer has the beginning, another the rest', async () => {
    const net = await createExchangeNet()
    await net.honest('old', chain.slice(0, 700))
    await net.honest('pruned', chain.slice(600))
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
  })

  test('endless NOT_FOUND is asked for more and more rarely, range after range', async () => {
    const net = await createExchangeNet()
    await net.scripted('a', () => [NOT_FOUND_FRAME])
    for (let i = 0; i < 10; i++) expect(await fetch(net, 1, 2_001)).toEqual([])
    // The first range asks for several parts at once; then one question each.
    expect(net.askedOf('a')).toBeLessThanOrEqual(4 + 9)
    expect(net.time.env.monotonic()).toBeGreaterThan(20_000)
  })

  test('a peer that has nothing does not keep another from giving all', async () => {
    const net = await honestNet(['a'])
    await net.scripted('b', () => [NOT_FOUND_FRAME])
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.askedOf('b')).toBeLessThan(10)
  })
})

describe('liars', () => {
  const first = bodies[0] ?? raise()
  const lies: [string, (honest: Uint8Array[]) => Uint8Array[]][] = [
    ['shifted by one', (honest) => [...honest.slice(1), first]],
    ['with a gap', (honest) => [...honest.slice(0, 5), ...honest.slice(6)]],
    ['with one twice', (honest) => [...honest.slice(0, 5), ...honest.slice(4)]],
    ['reversed', (honest) => honest.toReversed()],
    [
      'with junk inside',
      (honest) => [...honest.slice(0, 9), new Uint8Array(9).fill(255), ...honest.slice(10)],
    ],
    [
      'of another chain',
      (honest) => honest.map((body) => dummyKind.encode({ ...dummyKind.decode(body), chainId: 'Dummy' })),
    ],
  ]

  test.each(lies)('answers %s: banned once, the range is whole', async (_, lie) => {
    const net = await honestNet(['a'])
    await net.scripted('liar', (request) => [okFrames(lie(honestBodies(request)))])
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.us.bans.map(({ peer }) => peer)).toEqual(['liar'])
    expect(net.us.peers()).toEqual(['a'])
  })

  test.each(lies)('the only peer answers %s: nothing wrong comes out', async (_, lie) => {
    const net = await createExchangeNet()
    await net.scripted('liar', (request) => [okFrames(lie(honestBodies(request)))])
    const reader = net.exchange.range(1, 2_001, { signal })
    const got: DummyItem[] = []
    const read = async (): Promise<void> => {
      for await (const { items } of reader) got.push(...items)
    }
    await expect(net.within(20_000, read())).rejects.toMatchObject({ code: 'NO_PEERS' })
    expect(got).toEqual(chain.slice(0, got.length))
  })

  test.each<[string, Script]>([
    ['longer', (request) => [okFrames([...honestBodies(request), first])]],
    ['ended by NOT_FOUND', (request) => [okFrames(honestBodies(request).slice(0, 30)), NOT_FOUND_FRAME]],
  ])('answers %s cost score, what is good of them is kept', async (_, script) => {
    const net = await createExchangeNet()
    await net.scripted('a', script)
    expect(await fetch(net, 1, 501)).toEqual(chain.slice(0, 500))
    expect(net.us.bans).toEqual([])
  })

  test('unknown status: banned', async () => {
    const net = await honestNet(['a'])
    await net.scripted('liar', (request) => [encodeResponseFrames(honestBodies(request), 9)])
    expect(await fetch(net, 1, 501)).toEqual(chain.slice(0, 500))
    expect(net.us.bans).toHaveLength(1)
  })

  test('honest for most of it, then a liar: the range is whole, and little time is lost', async () => {
    const net = await honestNet(['a'])
    await net.scripted('turncoat', (request) => {
      const good = honestBodies(request)
      return [okFrames((request.origin ?? 0n) > 1_800n ? good.toReversed() : good)]
    })
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.us.bans.map(({ peer }) => peer)).toEqual(['turncoat'])
    expect(net.time.env.monotonic()).toBe(0)
  })

  test('blamed for what it delivered, a peer is banned and the rest comes from others', async () => {
    const net = await honestNet(['a', 'b'])
    const pieces: FetchedRange<DummyItem>[] = []
    let blamed: string | undefined
    for await (const piece of net.exchange.range(1, 2_001, { signal })) {
      pieces.push(piece)
      if (blamed !== undefined) continue
      blamed = piece.peer
      piece.blame(new EvolveError('INVALID_SIGNATURE', 'bad signature', { verdict: 'reject' }))
      piece.blame(new Error('again'))
    }
    expect(pieces.flatMap(({ items }) => items)).toEqual(chain)
    expect(pieces.slice(1).every((piece) => piece.peer !== blamed)).toBe(true)
    expect(net.us.bans[0]).toEqual({ peer: blamed, ms: 30 * 60_000, reason: 'bad signature' })
    expect(net.us.peers()).toHaveLength(1)
  })

  test('a configured peer that lies is slowed down, not banned, and asked again when it is the only one', async () => {
    const net = await createExchangeNet({ configured: ['friend'] })
    let toTell = 2
    await net.scripted('friend', (request) => [
      okFrames(toTell-- > 0 ? honestBodies(request).toReversed() : honestBodies(request)),
    ])
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.us.bans).toEqual([])
    expect(net.us.peers()).toEqual(['friend'])
    expect(net.time.env.monotonic()).toBeGreaterThanOrEqual(1_000)
  })
})

describe('failures', () => {
  test.each<[string, Script]>([
    ['closes without a word', () => []],
    [
      'resets',
      () => {
        throw new Error('reset')
      },
    ],
    ['closes inside a frame', (request) => [okFrames(honestBodies(request)).subarray(0, -5)]],
    ['is silent', silent],
  ])('a peer that %s: the range is whole from another', async (_, script) => {
    const net = await honestNet(['a'])
    await net.scripted('bad', script)
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.us.bans).toEqual([])
    expect(net.time.env.monotonic()).toBeLessThan(2_000)
  })

  test('what came before the end of a broken answer is not asked for again', async () => {
    const net = await createExchangeNet()
    const asked: bigint[] = []
    await net.scripted('a', (request) => {
      asked.push(request.origin ?? 0n)
      const frames = okFrames(honestBodies(request))
      return [asked.length === 1 ? frames.subarray(0, -5) : frames]
    })
    expect(await fetch(net, 1, 65)).toEqual(chain.slice(0, 64))
    expect(asked).toEqual([1n, 64n])
  })

  test('one peer that fails once is tried again when it is the only one', async () => {
    const net = await createExchangeNet()
    let failures = 1
    await net.scripted('a', (request) => (failures-- > 0 ? [] : [okFrames(honestBodies(request))]))
    expect(await fetch(net, 1, 301)).toEqual(chain.slice(0, 300))
  })

  test('being alone once does not end a range that goes on later', async () => {
    const net = await createExchangeNet()
    let turn = 0
    await net.scripted('a', async function* answer(request, context) {
      if (++turn <= 4) return
      await sleep(net.time.env, 3_000, context.signal)
      yield okFrames(honestBodies(request))
    })
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.time.env.monotonic()).toBeGreaterThan(12_000)
  })

  test('a peer that never answers well is asked a few times, then there is nobody', async () => {
    const net = await createExchangeNet()
    await net.scripted('a', () => [])
    await expect(fetch(net, 1, 2_001)).rejects.toMatchObject({ code: 'NO_PEERS', verdict: 'retry' })
    expect(net.time.env.monotonic()).toBe(10_000)
    expect(net.askedOf('a')).toBeLessThan(15)
  })

  test('without peers it fails after ten seconds', async () => {
    const net = await createExchangeNet()
    await expect(fetch(net, 1, 2_001)).rejects.toMatchObject({ code: 'NO_PEERS', data: { height: 1 } })
    expect(net.time.env.monotonic()).toBe(10_000)
  })

  test('what was fetched before everybody left is given out', async () => {
    const net = await honestNet(['a'])
    const got: DummyItem[] = []
    const read = async (): Promise<void> => {
      for await (const { items } of net.exchange.range(1, 2_001, { signal })) {
        got.push(...items)
        if (got.length === 64) net.hub.disconnect('us', 'a')
      }
    }
    await expect(net.within(20_000, read())).rejects.toMatchObject({ code: 'NO_PEERS' })
    expect(got.length).toBeGreaterThanOrEqual(64)
    expect(got).toEqual(chain.slice(0, got.length))
  })

  test('a peer that connects later joins', async () => {
    const net = await createExchangeNet()
    const range = fetch(net, 1, 2_001)
    await net.time.advance(9_000)
    await net.honest('late', chain)
    expect(await range).toEqual(chain)
  })

  test('peers leave and come back in the middle, and the range is whole', async () => {
    const net = await honestNet(['a', 'b', 'c'])
    let requests = 0
    net.hub.faults.request = (_, to) => {
      if (++requests % 9 === 0) {
        net.hub.disconnect('us', to)
        net.time.env.timer(150, () => net.hub.connect('us', to))
        return 'unreachable'
      }
      return requests % 7 === 0 ? 'reset' : 'deliver'
    }
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
  })

  test('whatever honest peers suffer, the range is whole or ends with a reason, and nothing is left', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 5, maxLength: 30 }),
        async (peers, fates) => {
          const net = await honestNet(['a', 'b', 'c'].slice(0, peers), { configured: ['a'] })
          let turn = 0
          net.hub.faults.request = async () => {
            const fate = fates[turn++ % fates.length] ?? 0
            if (fate > 6) await new Promise<void>((resolve) => net.time.env.timer(fate * 100, resolve))
            return fate === 0 ? 'reset' : fate === 1 ? 'unreachable' : 'deliver'
          }
          const outcome = await fetch(net, 1, 601, 120_000).then(
            (items) => items.length,
            (error: unknown) => (error instanceof EvolveError ? error.code : error),
          )
          expect([600, 'NO_PEERS']).toContain(outcome)
          await net.exchange.stop()
          expect(net.time.timers).toBe(0)
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe('stalls', () => {
  test('a silent peer holds up the range for half a second, not eight', async () => {
    const net = await createExchangeNet()
    await net.scripted('silent', silent)
    await net.honest('a', chain)
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.time.env.monotonic()).toBeLessThanOrEqual(600)
  })

  test('a peer that is silent now and then costs a small part of the time', async () => {
    const net = await honestNet(['a'])
    net.hub.faults.piece = async () => await new Promise<void>((resolve) => net.time.env.timer(20, resolve))
    let turn = 0
    await net.scripted('moody', async function* answer(request, context) {
      if (++turn % 3 === 0) yield await silence(context)
      yield okFrames(honestBodies(request))
    })
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.time.env.monotonic()).toBeLessThan(3_000)
  })

  test('a peer that falls silent in the middle, with all its places taken, costs one wait', async () => {
    const net = await honestNet(['a'])
    net.hub.faults.piece = async () => await new Promise<void>((resolve) => net.time.env.timer(50, resolve))
    let turn = 0
    await net.scripted('sleepy', async function* answer(request, context) {
      if (++turn > 8) yield await silence(context)
      yield okFrames(honestBodies(request))
    })
    const start = net.time.env.monotonic()
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.time.env.monotonic() - start).toBeLessThan(2_000)
    expect(turn).toBeGreaterThan(8)
  })

  test('one that drips is overtaken', async () => {
    const net = await createExchangeNet()
    await net.scripted('drip', async function* answer(request, context) {
      for (const body of honestBodies(request)) {
        yield okFrames([body])
        await sleep(net.time.env, 7_900, context.signal)
      }
    })
    await net.honest('a', chain)
    expect(await fetch(net, 1, 501)).toEqual(chain.slice(0, 500))
    expect(net.time.env.monotonic()).toBeLessThan(2_000)
  })

  test('on a slow way nothing is asked twice: late is measured by what is usual', async () => {
    const net = await honestNet(['a', 'b'])
    net.hub.faults.piece = async () => await new Promise<void>((resolve) => net.time.env.timer(400, resolve))
    expect(await fetch(net, 1, 2_001)).toEqual(chain)
    expect(net.us.asked).toHaveLength(Math.ceil(2_000 / 64))
  })
})

describe('memory', () => {
  const large = makeDummies(400, { payload: 'x'.repeat(20_000) })

  test('a slow reader holds back the requests: what is held stays within its bound', async () => {
    let decoded = 0
    const kind = {
      ...dummyKind,
      decode(bytes: Uint8Array): DummyItem {
        decoded++
        return dummyKind.decode(bytes)
      },
    }
    const net = await createExchangeNet({ bufferBytes: 1_000_000, aimBytes: 200_000, kind })
    await net.honest('a', large, { pieceBytes: 16_384 })
    let most = 0
    let read = 0
    for await (const { items } of net.exchange.range(1, 401, { signal })) {
      await net.time.settle()
      read += items.length
      most = Math.max(most, decoded - read)
    }
    expect(read).toBe(400)
    // What is needed next may come on top.
    expect(most).toBeLessThanOrEqual((1_000_000 + 200_000) / 20_000)
    expect(most).toBeGreaterThan(20)
  })

  test('where items are large, fewer are asked for at once', async () => {
    const net = await createExchangeNet({ aimBytes: 200_000 })
    await net.honest('a', large)
    expect(await fetch(net, 1, 401)).toEqual(large)
    const amounts = net.us.asked.map(({ bytes }) => bytes.at(-1) ?? 0)
    expect(amounts[0]).toBe(64)
    expect(amounts.at(-1)).toBeLessThanOrEqual(12)
  })

  test('answers that are larger than expected are cut, except what is needed next', async () => {
    const net = await createExchangeNet({ bufferBytes: 300_000, aimBytes: 10_000 })
    await net.honest('a', large)
    expect(await fetch(net, 1, 101)).toEqual(large.slice(0, 100))
    expect(net.us.bans).toEqual([])
  })
})

function raise(): never {
  throw new Error('no such item')
}
