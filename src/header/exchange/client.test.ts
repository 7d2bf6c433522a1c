import { describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createExchangeNet } from '../../../test/support/exchange-net.ts'
import { NOT_FOUND_FRAME, okFrames, type Script, silence } from '../../../test/support/raw-exchange.ts'
import { EvolveError } from '../../util/errors.ts'
import { headQuorum } from './head.ts'

const chain = makeDummies(100)
const signal = new AbortController().signal

const silent: Script = async function* silent(_, context) {
  yield await silence(context)
}

/** Answers every request with these items. */
function says(...items: readonly (DummyItem | undefined)[]): Script {
  return () => [okFrames(items.map((item) => dummyKind.encode(item ?? raise())))]
}

function forged(height: number): DummyItem {
  return { ...(chain[9] ?? raise()), height, payload: 'forged' }
}

describe('one item', () => {
  test('comes by height and by hash', async () => {
    const { exchange, honest } = await createExchangeNet()
    await honest('a', chain)
    expect(await exchange.at(42, { signal })).toEqual(chain[41])
    expect(await exchange.get(dummyKind.hash(chain[6] ?? raise()), { signal })).toEqual(chain[6])
  })

  test.each([[0], [-1], [1.5], [2 ** 53]])('height %s is refused without asking', async (height) => {
    const { exchange, honest, us } = await createExchangeNet()
    await honest('a', chain)
    await expect(exchange.at(height, { signal })).rejects.toMatchObject({ code: 'INVALID_HEIGHT' })
    expect(us.asked).toEqual([])
  })

  test('without peers there is nobody to ask', async () => {
    const { exchange } = await createExchangeNet()
    await expect(exchange.at(1, { signal })).rejects.toMatchObject({ code: 'NO_PEERS', verdict: 'retry' })
  })

  test('nobody has it: NOT_FOUND, also when others fail', async () => {
    const { exchange, honest, scripted, within } = await createExchangeNet()
    await honest('a', chain)
    await scripted('b', silent)
    await expect(within(9_000, exchange.at(500, { signal }))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('the first good answer counts: silent peers and liars hold up nothing', async () => {
    const { exchange, honest, scripted, us } = await createExchangeNet()
    await scripted('liar', says(chain[42]))
    await scripted('silent', silent)
    await scripted('empty', () => [])
    await honest('a', chain)
    expect(await exchange.at(42, { signal })).toEqual(chain[41])
    expect(us.bans.map(({ peer }) => peer)).toEqual(['liar'])
  })

  test.each<[string, DummyItem | undefined]>([
    ['another height', chain[42]],
    ['a far height', forged(2 ** 52)],
    ['another chain', { ...(chain[41] ?? raise()), chainId: 'other' }],
    ['another letter case', { ...(chain[41] ?? raise()), chainId: 'DUMMY' }],
    ['a bad signature', { ...(chain[41] ?? raise()), signed: false }],
  ])('%s is refused, and its sender banned', async (_, item) => {
    const { exchange, scripted, us } = await createExchangeNet()
    await scripted('liar', says(item))
    await expect(exchange.at(42, { signal })).rejects.toMatchObject({ code: 'BAD_ANSWER' })
    expect(us.bans).toHaveLength(1)
  })

  test('another hash is refused', async () => {
    const { exchange, scripted, us } = await createExchangeNet()
    await scripted('liar', says(chain[41]))
    const hash = dummyKind.hash(chain[40] ?? raise())
    await expect(exchange.get(hash, { signal })).rejects.toMatchObject({ code: 'BAD_ANSWER' })
    expect(us.bans).toHaveLength(1)
  })

  test('trusted peers are asked alone; others only when none of them has it', async () => {
    const { exchange, honest, askedOf } = await createExchangeNet({ trusted: ['t1', 't2', 'away'] })
    await honest('t1', chain)
    await honest('t2', chain.slice(0, 50))
    await honest('other', makeDummies(200))
    await exchange.at(80, { signal })
    expect([askedOf('t1'), askedOf('t2'), askedOf('other')]).toEqual([1, 1, 0])
    expect((await exchange.at(150, { signal })).height).toBe(150)
    expect(askedOf('other')).toBe(1)
  })

  test('of others, at most four are asked', async () => {
    const { exchange, honest, us } = await createExchangeNet()
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await honest(id, chain)
    await exchange.at(5, { signal })
    expect(us.asked).toHaveLength(4)
  })
})

describe('head', () => {
  test.each([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 4],
    [6, 4],
    [9, 6],
    [10, 7],
  ])('of %s peers %s must agree', (asked, quorum) => {
    expect(headQuorum(asked)).toBe(quorum)
  })

  test('there is none without peers, and none where peers have none', async () => {
    const { exchange, honest } = await createExchangeNet()
    expect(await exchange.head({ signal })).toBeUndefined()
    await honest('a', [])
    await honest('b', [])
    expect(await exchange.head({ signal })).toBeUndefined()
  })

  test('a quorum is enough: a silent peer does not delay it, a higher one does not change it', async () => {
    const { exchange, honest, scripted, time } = await createExchangeNet()
    await scripted('silent', silent)
    for (const id of ['a', 'b', 'c']) await honest(id, chain)
    expect(await exchange.head({ signal })).toEqual(chain[99])
    expect(time.env.monotonic()).toBe(0)
    await time.settle()
    expect(time.timers).toBe(0)
  })

  test('without agreement it is the highest', async () => {
    const { exchange, honest } = await createExchangeNet()
    await honest('a', chain.slice(0, 98))
    await honest('b', chain.slice(0, 99))
    await honest('c', chain.slice(0, 97))
    expect((await exchange.head({ signal }))?.height).toBe(99)
  })

  test('without agreement those that are silent have a second, or thrice the time of the slowest', async () => {
    const { exchange, honest, scripted, time, within, hub } = await createExchangeNet()
    await honest('a', chain.slice(0, 98))
    await honest('b', chain.slice(0, 99))
    await scripted('silent', silent)
    expect((await within(2_000, exchange.head({ signal })))?.height).toBe(99)
    expect(time.env.monotonic()).toBe(1_000)
    hub.faults.piece = async () => await new Promise<void>((resolve) => time.env.timer(600, resolve))
    const start = time.env.monotonic()
    await within(9_000, exchange.head({ signal }))
    expect(time.env.monotonic() - start).toBe(2_400)
  })

  test('all silent: none after eight seconds', async () => {
    const { exchange, scripted, time, within } = await createExchangeNet()
    for (const id of ['a', 'b']) await scripted(id, silent)
    expect(await within(9_000, exchange.head({ signal }))).toBeUndefined()
    expect(time.env.monotonic()).toBe(8_000)
  })

  test('several heads from one peer: the first counts', async () => {
    const { exchange, scripted } = await createExchangeNet()
    await scripted('a', says(chain[5], chain[9]))
    expect((await exchange.head({ signal }))?.height).toBe(6)
  })

  test('what is not valid is no head, and its sender is banned', async () => {
    const { exchange, honest, scripted, us } = await createExchangeNet()
    await scripted('liar', says({ ...forged(2 ** 50), signed: false }))
    await honest('a', chain)
    expect(await exchange.head({ signal })).toEqual(chain[99])
    expect(us.bans.map(({ peer }) => peer)).toEqual(['liar'])
  })

  test('four liars that agree do not outweigh one honest peer, when heads are proven', async () => {
    const { exchange, honest, scripted, us } = await createExchangeNet({
      singlePeers: 5,
      check: async (item) => {
        if (item.payload === 'forged')
          throw new EvolveError('UNEXPECTED_PROPOSER', 'no', { verdict: 'reject' })
      },
    })
    for (const id of ['l1', 'l2', 'l3', 'l4']) await scripted(id, says(forged(2 ** 50)))
    await honest('a', chain)
    expect(await exchange.head({ signal })).toEqual(chain[99])
    expect(us.bans).toHaveLength(4)
  })

  test('a head that cannot be judged yet does not count, and nobody is punished', async () => {
    const { exchange, honest, us } = await createExchangeNet({
      check: async (item) => {
        if (item.height > 90) throw new EvolveError('UNPROVEN_PROPOSER', 'later', { verdict: 'ignore' })
      },
    })
    await honest('a', chain)
    expect(await exchange.head({ signal })).toBeUndefined()
    await honest('b', chain.slice(0, 80))
    expect((await exchange.head({ signal }))?.height).toBe(80)
    expect(us.bans).toEqual([])
  })

  test('trusted peers alone are asked where heads are not proven, others too where they are', async () => {
    const plain = await createExchangeNet({ trusted: ['t'] })
    await plain.honest('t', chain.slice(0, 50))
    await plain.honest('other', chain)
    expect((await plain.exchange.head({ signal }))?.height).toBe(50)
    const proven = await createExchangeNet({ trusted: ['t'], check: async () => {} })
    await proven.honest('t', chain.slice(0, 50))
    await proven.honest('other', chain)
    expect((await proven.exchange.head({ signal }))?.height).toBe(100)
  })

  test('the caller can leave', async () => {
    const { exchange, scripted, time } = await createExchangeNet()
    const node = await scripted('silent', silent)
    const gone = new AbortController()
    const head = exchange.head({ signal: gone.signal })
    await time.settle()
    gone.abort(new Error('gone'))
    await expect(head).rejects.toThrow('gone')
    await time.settle()
    expect([node.serving, time.timers]).toEqual([0, 0])
    await expect(exchange.head({ signal: gone.signal })).rejects.toThrow('gone')
  })
})

describe('life', () => {
  test('before start and after stop every call says that it is closed', async () => {
    const { exchange, honest } = await createExchangeNet()
    await honest('a', chain)
    await exchange.stop()
    await exchange.stop()
    const code = { code: 'EXCHANGE_CLOSED' }
    await expect(exchange.head({ signal })).rejects.toMatchObject(code)
    await expect(exchange.at(1, { signal })).rejects.toMatchObject(code)
    await expect(exchange.get(new Uint8Array(32), { signal })).rejects.toMatchObject(code)
    await expect(all(exchange.range(1, 5, { signal }))).rejects.toMatchObject(code)
    await exchange.start()
    await exchange.start()
    expect(await exchange.at(1, { signal })).toEqual(chain[0])
  })

  test('stop ends what is under way with the same word', async () => {
    const { exchange, scripted, time } = await createExchangeNet()
    const node = await scripted('silent', silent)
    const calls = [
      exchange.head({ signal }),
      exchange.at(1, { signal }),
      exchange.get(new Uint8Array(32), { signal }),
      all(exchange.range(1, 500, { signal })),
    ]
    const outcomes = Promise.allSettled(calls)
    await time.settle()
    expect(node.serving).toBeGreaterThan(3)
    await exchange.stop()
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'EXCHANGE_CLOSED' } })
    }
    await time.settle()
    expect([node.serving, time.timers]).toEqual([0, 0])
  })

  test('stop ends a range whose reader is busy', async () => {
    const { exchange, honest, scripted, time } = await createExchangeNet()
    await honest('a', chain)
    const node = await scripted('silent', silent)
    const reader = exchange.range(1, 101, { signal })[Symbol.asyncIterator]()
    await reader.next()
    await exchange.stop()
    await time.settle()
    expect([node.serving, time.timers]).toEqual([0, 0])
    await expect(reader.next()).rejects.toMatchObject({ code: 'EXCHANGE_CLOSED' })
  })

  test('peers that say nothing of the protocol are left alone for a while', async () => {
    const { exchange, hub, honest, askedOf, time } = await createExchangeNet()
    hub.node('deaf')
    hub.connect('us', 'deaf')
    await honest('a', chain)
    await exchange.at(1, { signal })
    await exchange.at(2, { signal })
    await time.settle()
    expect(askedOf('deaf')).toBe(1)
    await time.advance(2_000)
    await exchange.at(3, { signal })
    expect(askedOf('deaf')).toBe(2)
  })

  test('when nobody else is there they are asked all the same', async () => {
    const { exchange, hub, askedOf } = await createExchangeNet()
    hub.node('deaf')
    hub.connect('us', 'deaf')
    await expect(exchange.at(1, { signal })).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
    await expect(exchange.at(1, { signal })).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
    expect(askedOf('deaf')).toBe(2)
  })

  test('NOT_FOUND for one height does not hold back a range', async () => {
    const { exchange, scripted, time } = await createExchangeNet()
    await scripted('a', (request) =>
      request.amount === 1n
        ? [NOT_FOUND_FRAME]
        : [okFrames(chain.slice(4, 14).map((item) => dummyKind.encode(item)))],
    )
    await expect(exchange.at(3, { signal })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(await all(exchange.range(5, 15, { signal }))).toHaveLength(10)
    expect(time.env.monotonic()).toBe(0)
  })
})

async function all(range: AsyncIterable<{ readonly items: readonly DummyItem[] }>): Promise<DummyItem[]> {
  const items: DummyItem[] = []
  for await (const piece of range) items.push(...piece.items)
  return items
}

function raise(): never {
  throw new Error('no such item')
}
