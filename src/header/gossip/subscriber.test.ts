import { afterEach, describe, expect, test } from 'vitest'
import { type DummyItem, dummyKind, makeDummies } from '../../../test/support/dummy-item.ts'
import { createMemoryHub, type MemoryNode } from '../../../test/support/memory-network.ts'
import { createVirtualEnv, type VirtualEnv } from '../../../test/support/virtual-env.ts'
import type { GossipVerifier, ItemKind, Subscriber } from '../../core/header.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import type { GossipVerdict } from '../../core/network.ts'
import { utf8 } from '../../util/bytes.ts'
import { EvolveError, type Verdict } from '../../util/errors.ts'
import { createSubscriber, type SubscriberOptions } from './subscriber.ts'

const START = 1_700_000_000_000_000_000n
const chain = makeDummies(200, { startTime: START - 3600n * 1_000_000_000n })

interface Setup {
  readonly virtual: VirtualEnv
  readonly node: MemoryNode
  readonly subscriber: Subscriber<DummyItem>
  /** Publishes bytes as another peer and says what our node made of them. */
  readonly send: (data: Uint8Array, peer?: string) => Promise<GossipVerdict | 'waiting'>
  /** What our node said of message number `index`. */
  readonly verdicts: () => GossipVerdict[]
}

const running: Subscriber<DummyItem>[] = []

async function setup(
  verifier?: GossipVerifier<DummyItem>,
  options: Partial<SubscriberOptions> & { kind?: ItemKind<DummyItem> } = {},
): Promise<Setup> {
  const virtual = createVirtualEnv(START)
  const hub = createMemoryHub()
  const node = hub.node('us')
  const { kind = dummyKind, ...limits } = options
  const subscriber = createSubscriber(
    { network: node, kind, env: virtual.env, logger: noopLogger, metrics: noopMetrics },
    { topic: 't', ...limits },
  )
  running.push(subscriber)
  if (verifier !== undefined) subscriber.setVerifier(verifier)
  await subscriber.start()
  const others = new Map<string, (data: Uint8Array) => Promise<number>>()
  for (const id of ['peer', 'other']) {
    const topic = await hub.node(id).join('t', async () => 'ignore')
    hub.connect('us', id)
    others.set(id, async (data) => await topic.publish(data))
  }
  return {
    virtual,
    node,
    subscriber,
    verdicts: () => node.judged.map(({ verdict }) => verdict),
    async send(data, peer = 'peer') {
      const before = node.judged.length
      await others.get(peer)?.(data)
      await virtual.settle()
      return node.judged[before]?.verdict ?? 'waiting'
    },
  }
}

function item(height: number, changes: Partial<DummyItem> = {}): DummyItem {
  const found = chain[height - 1]
  if (found === undefined) throw new Error(`no dummy ${height}`)
  return { ...found, ...changes }
}

const bytes = (height: number, changes: Partial<DummyItem> = {}): Uint8Array =>
  dummyKind.encode(item(height, changes))

afterEach(async () => {
  for (const subscriber of running.splice(0)) await subscriber.stop()
})

describe('the verdict', () => {
  test('what the verifier lets in is accepted, with who handed it over', async () => {
    const seen: [number, string][] = []
    const { send } = await setup(async ({ height }, { from }) => {
      seen.push([height, from])
    })
    expect(await send(bytes(1))).toBe('accept')
    expect(await send(bytes(2), 'other')).toBe('accept')
    expect(seen).toEqual([
      [1, 'peer'],
      [2, 'other'],
    ])
  })

  test.each<[Verdict | undefined, GossipVerdict]>([
    ['ignore', 'ignore'],
    ['retry', 'ignore'],
    ['reject', 'reject'],
    ['halt', 'ignore'],
    [undefined, 'ignore'],
  ])('a verifier that says %s: %s', async (verdict, expected) => {
    const { send } = await setup(async () => {
      throw new EvolveError('TEST', 'no', verdict === undefined ? {} : { verdict })
    })
    expect(await send(bytes(1))).toBe(expected)
  })

  test('a fault of our own punishes nobody', async () => {
    const { send } = await setup(async () => {
      throw new TypeError('a bug')
    })
    expect(await send(bytes(1))).toBe('ignore')
    const validating = await setup(async () => {}, {
      kind: {
        ...dummyKind,
        validate() {
          throw new RangeError('a bug')
        },
      },
    })
    expect(await validating.send(bytes(1))).toBe('ignore')
  })

  test('what is no item, not signed, or too large is rejected before the verifier sees it', async () => {
    let asked = 0
    const { send } = await setup(
      async () => {
        asked++
      },
      { maxMessageBytes: 1000 },
    )
    expect(await send(utf8('junk'))).toBe('reject')
    expect(await send(new Uint8Array(0))).toBe('reject')
    expect(await send(bytes(1, { signed: false }))).toBe('reject')
    expect(await send(bytes(1, { height: 2 ** 62, signed: false }))).toBe('reject')
    expect(await send(bytes(1, { payload: 'x'.repeat(1000) }))).toBe('reject')
    expect(asked).toBe(0)
  })

  test('a decoder that breaks is answered with reject, and the next message is judged', async () => {
    const { send } = await setup(async () => {}, {
      kind: {
        ...dummyKind,
        decode(data) {
          if (data.length < 10) throw new TypeError('cannot read properties of undefined')
          return dummyKind.decode(data)
        },
      },
    })
    expect(await send(utf8('short'))).toBe('reject')
    expect(await send(bytes(1))).toBe('accept')
  })

  test.each([
    [9n, 'accept'],
    [11n, 'ignore'],
    [60n, 'ignore'],
    [61n, 'reject'],
  ] as const)('an item %i s ahead of our clock: %s', async (ahead, expected) => {
    const { send } = await setup(async (incoming) => {
      // What the syncer says of 10 to 60 s.
      if (incoming.time > START + 10_000_000_000n)
        throw new EvolveError('FROM_FUTURE', 'early', { verdict: 'ignore' })
    })
    expect(await send(bytes(1, { time: START + ahead * 1_000_000_000n }))).toBe(expected)
  })
})

describe('repetition', () => {
  test('the same message again is ignored without being judged again', async () => {
    let asked = 0
    const { send } = await setup(async () => {
      asked++
    })
    expect([await send(bytes(1)), await send(bytes(1)), await send(bytes(1), 'other')]).toEqual([
      'accept',
      'ignore',
      'ignore',
    ])
    expect(asked).toBe(1)
  })

  test('what the verifier knew already is not asked about again', async () => {
    let asked = 0
    const { send } = await setup(async () => {
      asked++
      throw new EvolveError('KNOWN_HEADER', 'known', { verdict: 'ignore' })
    })
    expect([await send(bytes(1)), await send(bytes(1))]).toEqual(['ignore', 'ignore'])
    expect(asked).toBe(1)
  })

  test('a copy with a bad signature and the same hash does not stand for the good one, nor the reverse', async () => {
    const sameHash: ItemKind<DummyItem> = {
      ...dummyKind,
      hash: (one) => dummyKind.hash({ ...one, signed: true }),
    }
    const { send } = await setup(async () => {}, { kind: sameHash })
    expect(await send(bytes(1, { signed: false }))).toBe('reject')
    expect(await send(bytes(1))).toBe('accept')
    expect(await send(bytes(2))).toBe('accept')
    expect(await send(bytes(2, { signed: false }))).toBe('reject')
  })

  test('what could not be judged is judged again', async () => {
    let known = false
    const { send } = await setup(async () => {
      if (!known) throw new EvolveError('UNPROVEN_PROPOSER', 'not yet', { verdict: 'ignore' })
    })
    expect(await send(bytes(1))).toBe('ignore')
    known = true
    expect(await send(bytes(1))).toBe('accept')
  })
})

describe('before there is a verifier', () => {
  test('messages wait for it', async () => {
    const { send, subscriber, virtual, verdicts } = await setup()
    expect(await send(bytes(1))).toBe('waiting')
    expect(await send(bytes(2))).toBe('waiting')
    subscriber.setVerifier(async () => {})
    await virtual.settle()
    expect(verdicts()).toEqual(['accept', 'accept'])
    expect(() => subscriber.setVerifier(async () => {})).toThrow(
      expect.objectContaining({ code: 'VERIFIER_SET' }),
    )
  })

  test('only so many of one sender and of all', async () => {
    const { send, subscriber, virtual, verdicts } = await setup(undefined, { perSender: 2, maxMessages: 3 })
    expect([await send(bytes(1)), await send(bytes(2)), await send(bytes(3))]).toEqual([
      'waiting',
      'waiting',
      'ignore',
    ])
    expect([await send(bytes(4), 'other'), await send(bytes(5), 'other')]).toEqual(['waiting', 'ignore'])
    subscriber.setVerifier(async () => {})
    await virtual.settle()
    expect(verdicts()).toEqual(['ignore', 'ignore', 'accept', 'accept', 'accept'])
    expect(await send(bytes(6))).toBe('accept')
  })

  test('only so many bytes', async () => {
    const { send } = await setup(undefined, { maxBytes: bytes(1).length + 100 })
    expect([await send(bytes(1)), await send(bytes(2), 'other')]).toEqual(['waiting', 'ignore'])
  })

  test('stopping lets go of them', async () => {
    const { send, subscriber, virtual, verdicts } = await setup()
    expect(await send(bytes(1))).toBe('waiting')
    await subscriber.stop()
    await virtual.settle()
    expect(verdicts()).toEqual(['ignore'])
  })
})

test('stopping ends a judgement under way and waits for it', async () => {
  const finish = Promise.withResolvers<void>()
  const { send, subscriber, virtual } = await setup(async (_item, { signal }) => {
    const aborted = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => aborted.resolve(), { once: true })
    await aborted.promise
    await finish.promise
    signal.throwIfAborted()
  })
  expect(await send(bytes(1))).toBe('waiting')
  let stopped = false
  const stopping = (async () => {
    await subscriber.stop()
    stopped = true
  })()
  await virtual.settle()
  expect(stopped).toBe(false)
  finish.resolve()
  await stopping
  expect(stopped).toBe(true)
})

describe('broadcast', () => {
  test('hands the item to the peers of the topic', async () => {
    const hub = createMemoryHub()
    const { env } = createVirtualEnv(START)
    const make = (id: string): Subscriber<DummyItem> =>
      createSubscriber(
        { network: hub.node(id), kind: dummyKind, env, logger: noopLogger, metrics: noopMetrics },
        { topic: 't' },
      )
    const [a, b] = [make('a'), make('b')]
    running.push(a, b)
    const received: DummyItem[] = []
    a.setVerifier(async () => {})
    b.setVerifier(async (incoming) => {
      received.push(incoming)
    })
    await a.start()
    await b.start()
    await a.broadcast(item(1))
    hub.connect('a', 'b')
    await a.broadcast(item(2))
    await createVirtualEnv().settle()
    expect(received).toEqual([item(2)])
  })

  test('fails before start, after stop, and when publishing fails', async () => {
    const { subscriber } = await setup()
    await subscriber.stop()
    await expect(subscriber.broadcast(item(1))).rejects.toMatchObject({ code: 'BROADCAST_FAILED' })
    const { env } = createVirtualEnv(START)
    const network = createMemoryHub().node('us')
    const failing = createSubscriber(
      {
        network: {
          ...network,
          join: async () => ({
            publish: async () => await Promise.reject(new Error('no route')),
            leave: async () => {},
          }),
        },
        kind: dummyKind,
        env,
        logger: noopLogger,
        metrics: noopMetrics,
      },
      { topic: 't' },
    )
    await failing.start()
    await expect(failing.broadcast(item(1))).rejects.toMatchObject({
      code: 'BROADCAST_FAILED',
      cause: { message: 'no route' },
    })
    await failing.stop()
  })

  test('starting and stopping twice is harmless', async () => {
    const { subscriber, send } = await setup(async () => {})
    await subscriber.start()
    expect(await send(bytes(1))).toBe('accept')
    await subscriber.stop()
    await subscriber.stop()
    await subscriber.start()
    expect(await send(bytes(2))).toBe('accept')
  })
})
