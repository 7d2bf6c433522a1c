import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  addressOf,
  connect,
  dialFrom,
  sendAtOnce,
  startRawPeer,
  testHosts,
  until,
} from '../../test/support/hosts.ts'
import { giveWay, systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import type { RequestHandler } from '../core/network.ts'
import type { Host, HostOptions } from '../p2p/host.node.ts'
import { framed } from '../p2p/streams.ts'
import { deferred } from '../util/async.ts'
import { EMPTY_BYTES, fromUtf8, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { decodeSubmitRequest, encodeSubmitAnswer, encodeSubmitRequest, SubmitCode } from './codec.ts'
import { createSubmission, type Submission, type SubmissionOptions } from './submission.ts'

const PROTOCOL = '/submission-test/evolve-tx/v0.0.1'
const signal = new AbortController().signal
const hosts = testHosts('submission-test')
afterEach(async () => await hosts.stop())

interface Member {
  readonly host: Host
  readonly submission: Submission
  /** What was taken here. */
  readonly taken: string[]
}

type Local = (tx: string, signal: AbortSignal) => Promise<void> | void

async function member(
  options: Partial<SubmissionOptions> & { local?: Local | undefined } = {},
  hostOptions: Partial<HostOptions> = {},
): Promise<Member> {
  const host = await hosts.start(hostOptions)
  const taken: string[] = []
  const { local, ...rest } = options
  const submission = createSubmission(
    {
      network: host,
      connections: () => host.connections(),
      env: systemEnv,
      logger: noopLogger,
      metrics: noopMetrics,
      ...(local === undefined
        ? {}
        : {
            async local(tx, how) {
              const text = fromUtf8(tx) ?? ''
              await local(text, how.signal)
              taken.push(text)
            },
          }),
    },
    { protocol: PROTOCOL, take: true, ...rest },
  )
  await submission.start()
  onTestFinished(async () => await submission.stop())
  return { host, submission, taken }
}

const aggregator = async (
  local: Local = () => {},
  options: Partial<SubmissionOptions> = {},
): Promise<Member> => await member({ local, ...options })

/** A host that answers as `handler` does, whatever sense that makes. */
async function impostor(handler: RequestHandler): Promise<Host> {
  const host = await hosts.start()
  await host.serve(
    PROTOCOL,
    { maxRequestBytes: 2 ** 21, readTimeout: 5_000, writeTimeout: 5_000, maxStreamsPerPeer: 64 },
    handler,
  )
  return host
}

function says(code: SubmitCode, message = ''): RequestHandler {
  return async function* answer() {
    yield encodeSubmitAnswer({ code, message, distance: 0 })
  }
}

/** Connects, and waits until the first knows what the second speaks. */
async function join(
  { host }: { readonly host: Host },
  ...others: readonly { readonly host: Host }[]
): Promise<void> {
  for (const other of others) {
    await connect(host, other.host)
    await until(() => speaks(host, other.host) && speaks(other.host, host))
  }
}

function speaks(host: Host, other: Host): boolean {
  const connection = host.connections().find(({ peer }) => peer === other.id)
  return connection !== undefined && connection.protocols.length > 0
}

async function submit({ submission }: Member, text: string): Promise<void> {
  await submission.submit(utf8(text), { signal })
}

describe('bringing a transaction to the aggregator', () => {
  test('the aggregator takes it itself', async () => {
    const only = await aggregator()
    await submit(only, 'a')
    expect(only.taken).toEqual(['a'])
  })

  test('a follower passes it on, and so does a follower of it', async () => {
    const [top, middle, low] = [await aggregator(), await member(), await member()]
    await join(middle, top)
    await join(low, middle)
    await submit(middle, 'a')
    await submit(low, 'b')
    expect(top.taken).toEqual(['a', 'b'])
  })

  test('over more connections than allowed it does not travel, and that is said', async () => {
    const chain = [await aggregator(), await member(), await member(), await member()]
    for (const [index, lower] of chain.slice(1).entries()) {
      const upper = chain[index]
      if (upper !== undefined) await join(lower, upper)
    }
    const [top, , , lowest] = chain
    if (lowest === undefined) throw new Error('no lowest')
    await expect(submit(lowest, 'a')).rejects.toMatchObject({
      code: 'NO_AGGREGATOR',
      verdict: 'retry',
      message: expect.stringContaining('2 connections already'),
    })
    expect(top?.taken).toEqual([])
  })

  test.each([
    ['TX_REFUSED', 'reject'],
    ['TX_NO_ROOM', 'retry'],
    ['NO_AGGREGATOR', 'retry'],
  ] as const)('%s comes back to whoever handed it over, with the reason', async (code, verdict) => {
    const top = await aggregator(() => {
      throw new EvolveError(code, 'for this reason', { verdict })
    })
    const [middle, low] = [await member(), await member()]
    await join(middle, top)
    await join(low, middle)
    for (const one of [top, middle, low]) {
      const failure = { code, verdict, message: expect.stringContaining('for this reason') }
      await expect(submit(one, 'a')).rejects.toMatchObject(failure)
    }
  })

  test('whatever an executor throws is one of the errors that are known', async () => {
    const errors = [
      new EvolveError('SOMETHING', 'never', { verdict: 'reject' }),
      new EvolveError('QUEUE_FULL', 'full', { verdict: 'retry' }),
      new TypeError('oops'),
    ]
    const top = await aggregator(() => {
      throw errors.shift() ?? new Error('no more')
    })
    await expect(submit(top, 'a')).rejects.toMatchObject({ code: 'TX_REFUSED', message: 'never' })
    await expect(submit(top, 'a')).rejects.toMatchObject({ code: 'TX_NO_ROOM', message: 'full' })
    await expect(submit(top, 'a')).rejects.toMatchObject({
      code: 'NO_AGGREGATOR',
      message: expect.stringContaining('oops'),
    })
  })

  test('empty and too big transactions are refused where they are handed over', async () => {
    const top = await aggregator()
    const low = await member()
    await join(low, top)
    for (const one of [top, low]) {
      await expect(one.submission.submit(EMPTY_BYTES, { signal })).rejects.toMatchObject({
        code: 'TX_REFUSED',
      })
      const big = new Uint8Array(1_048_577)
      await expect(one.submission.submit(big, { signal })).rejects.toMatchObject({ code: 'TX_REFUSED' })
    }
    await low.submission.submit(new Uint8Array(1_048_576).fill(97), { signal })
    expect(top.taken.map((text) => text.length)).toEqual([1_048_576])
  })

  test('a node that takes none says so, and peers are not offered it', async () => {
    const top = await aggregator(() => {}, { take: false })
    const low = await member()
    await join(low, top)
    await expect(submit(top, 'a')).rejects.toMatchObject({ code: 'TX_NOT_ACCEPTED' })
    await expect(submit(low, 'a')).rejects.toMatchObject({
      code: 'NO_AGGREGATOR',
      message: expect.stringContaining('none of the 1 connected peers passes transactions on'),
    })
  })

  test('without any peer, before the start and after the stop there is no aggregator', async () => {
    const low = await member()
    await expect(submit(low, 'a')).rejects.toMatchObject({
      code: 'NO_AGGREGATOR',
      message: expect.stringContaining('no peer'),
    })
    await low.submission.stop()
    await low.submission.stop()
    await expect(submit(low, 'a')).rejects.toMatchObject({ code: 'NO_AGGREGATOR', verdict: 'retry' })
    await low.submission.start()
    await low.submission.start()
    const top = await aggregator()
    await join(low, top)
    await submit(low, 'b')
    expect(top.taken).toEqual(['b'])
  })

  test('whoever gives up waiting hears his own reason, and a stop ends what is under way', async () => {
    const silent = deferred<void>()
    onTestFinished(() => silent.resolve())
    const top = await aggregator(async () => await silent.promise)
    const low = await member()
    await join(low, top)
    const gone = new AbortController()
    const waiting = low.submission.submit(utf8('a'), { signal: gone.signal })
    gone.abort(new Error('no longer'))
    await expect(waiting).rejects.toThrow('no longer')
    const stopped = submit(low, 'b')
    await low.submission.stop()
    await expect(stopped).rejects.toMatchObject({ code: 'NO_AGGREGATOR', message: 'this node stops' })
  })
})

describe('peers that do not as they should', () => {
  test.each<[string, RequestHandler, object]>([
    [
      'garbage',
      async function* answer() {
        yield utf8('what?')
      },
      {},
    ],
    ['nothing', async function* answer() {}, {}],
    [
      'a reset',
      async function* answer() {
        yield EMPTY_BYTES
        throw new Error('no')
      },
      {},
    ],
    [
      'far too much',
      async function* answer() {
        for (;;) yield new Uint8Array(65_536)
      },
      {},
    ],
    [
      'silence',
      async function* answer(_, context) {
        await new Promise((resolve) => context.signal.addEventListener('abort', resolve))
        yield EMPTY_BYTES
      },
      { ownAttempt: 50 },
    ],
    ['that it does not take any', says(SubmitCode.notAccepted), {}],
    ['that it has no room', says(SubmitCode.noRoom), {}],
  ])('after %s the next is asked', async (_, handler, limits) => {
    const bad = await impostor(handler)
    const top = await aggregator()
    // The operator named the bad one, so it is asked first.
    const low = await member(limits, { peers: [addressOf(bad)] })
    await until(() => speaks(low.host, bad))
    await join(low, top)
    await submit(low, 'a')
    expect(top.taken).toEqual(['a'])
  })

  test('when all fail, the error says who did how', async () => {
    const bad = await impostor(async function* answer() {
      yield utf8('what?')
    })
    const low = await member()
    await join(low, { host: bad })
    await expect(submit(low, 'a')).rejects.toMatchObject({
      code: 'NO_AGGREGATOR',
      message: expect.stringContaining(bad.id),
    })
  })

  test('who failed is asked last, who is near the aggregator first', async () => {
    const asked: string[] = []
    const [top, middle, low] = [
      await aggregator((text) => void asked.push(text)),
      await member(),
      await member(),
    ]
    let failures = 0
    const bad = await impostor(async function* answer() {
      failures++
      yield utf8('what?')
    })
    await join(middle, top)
    await join(low, { host: bad }, middle, top)
    for (let i = 0; i < 5; i++) await submit(low, `a${i}`)
    expect(asked).toEqual(['a0', 'a1', 'a2', 'a3', 'a4'])
    expect(failures).toBeLessThanOrEqual(1)
  })

  test('what a peer refuses that the operator named is offered to nobody else', async () => {
    const bad = await impostor(says(SubmitCode.refused, 'I do not like it'))
    const low = await member({}, { peers: [addressOf(bad)] })
    const top = await aggregator()
    await until(() => speaks(low.host, bad))
    await join(low, top)
    await expect(submit(low, 'a')).rejects.toMatchObject({
      code: 'TX_REFUSED',
      message: `${bad.id} says: I do not like it`,
    })
    expect(top.taken).toEqual([])
  })

  test('a stranger that refuses keeps nothing from the aggregator; when nobody else takes it, it is refused', async () => {
    const bad = await impostor(says(SubmitCode.refused, 'I do not like it'))
    const low = await member()
    await join(low, { host: bad })
    await expect(submit(low, 'a')).rejects.toMatchObject({
      code: 'TX_REFUSED',
      message: `${bad.id} says: I do not like it`,
    })
    const top = await aggregator()
    await join(low, top)
    for (let i = 0; i < 5; i++) await submit(low, `b${i}`)
    expect(top.taken).toEqual(['b0', 'b1', 'b2', 'b3', 'b4'])
  })

  test('two that know no aggregator do not hand it back and forth', async () => {
    const members = [await member(), await member(), await member()]
    const [a, b, c] = members
    if (a === undefined || b === undefined || c === undefined) throw new Error('no members')
    await join(a, b, c)
    await join(b, c)
    const outcomes = await Promise.allSettled(members.map(async (one) => await submit(one, 'the same')))
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'NO_AGGREGATOR' } })
    }
  })

  test('a transaction that claims to have come from nowhere, or far, goes no further', async () => {
    const [top, low] = [await aggregator(), await member()]
    await join(low, top)
    const stranger = await hosts.start()
    await connect(stranger, low.host)
    const ask = async (bytes: Uint8Array): Promise<void> =>
      await stranger.request(low.host.id, PROTOCOL, bytes, { signal, onData() {} })
    await ask(encodeSubmitRequest({ tx: utf8('far'), hops: 2 ** 40 }))
    await expect(ask(encodeSubmitRequest({ tx: utf8('zero'), hops: 0 }))).rejects.toMatchObject({
      code: 'STREAM_RESET',
    })
    await expect(ask(utf8('what?'))).rejects.toMatchObject({ code: 'STREAM_RESET' })
    await expect(ask(new Uint8Array(1_048_576 + 40))).rejects.toMatchObject({ code: 'STREAM_RESET' })
    await ask(encodeSubmitRequest({ tx: utf8('good'), hops: 1 }))
    expect(top.taken).toEqual(['good'])
  })

  test('a peer that floods is told to wait, and others are served', async () => {
    const top = await aggregator(() => {}, { peerTxs: 5, peerTxsPerSecond: 0.001 })
    const [flood, other] = [await hosts.start(), await member()]
    await connect(flood, top.host)
    await join(other, top)
    const codes: number[] = []
    for (let i = 0; i < 20; i++) {
      await flood.request(top.host.id, PROTOCOL, encodeSubmitRequest({ tx: utf8(`f${i}`), hops: 1 }), {
        signal,
        onData: (bytes) => void codes.push(bytes[1] ?? 0),
      })
    }
    expect(codes.filter((code) => code === SubmitCode.taken)).toHaveLength(5)
    expect(codes.filter((code) => code === SubmitCode.noRoom)).toHaveLength(15)
    await submit(other, 'mine')
    expect(top.taken).toContain('mine')
  })

  test('a peer that opens streams and says nothing takes nobody else their place', async () => {
    const top = await aggregator()
    const low = await member()
    await join(low, top)
    const raw = await startRawPeer()
    onTestFinished(async () => await raw.stop())
    const connection = await dialFrom(raw, top.host)
    for (let i = 0; i < 40; i++) await connection.newStream(PROTOCOL).catch(() => undefined)
    await submit(low, 'a')
    expect(top.taken).toEqual(['a'])
  })

  test('a request in single bytes, and one sent with the negotiation, are read', async () => {
    const top = await aggregator()
    const raw = await startRawPeer()
    onTestFinished(async () => await raw.stop())
    const connection = await dialFrom(raw, top.host)
    const request = framed(encodeSubmitRequest({ tx: utf8('at once'), hops: 1 }))
    await sendAtOnce(connection, PROTOCOL, request)
    const stream = await connection.newStream(PROTOCOL)
    for (const byte of framed(encodeSubmitRequest({ tx: utf8('slowly'), hops: 1 })))
      stream.send(Uint8Array.of(byte))
    await stream.close()
    await until(() => top.taken.length === 2)
    expect(top.taken.toSorted()).toEqual(['at once', 'slowly'])
  })
})

describe('much at once', () => {
  test('hundreds of transactions at once all arrive, no more at a time than the peer answers', async () => {
    let [active, most] = [0, 0]
    const top = await aggregator(async () => {
      active++
      most = Math.max(most, active)
      await giveWay(systemEnv, signal)
      active--
    })
    const low = await member()
    await join(low, top)
    await Promise.all(Array.from({ length: 300 }, async (_, index) => await submit(low, `tx ${index}`)))
    expect(new Set(top.taken).size).toBe(300)
    expect(most).toBeLessThanOrEqual(16)
  })

  test('more than there is room for are told so', async () => {
    const open = deferred<void>()
    const top = await aggregator(async () => await open.promise, { ownUnderWay: 3, peersUnderWay: 1 })
    const low = await member()
    await join(low, top)
    const waiting = Array.from({ length: 3 }, async (_, index) => await submit(top, `a${index}`))
    await expect(submit(top, 'b')).rejects.toMatchObject({ code: 'TX_NO_ROOM' })
    const two = [submit(low, 'c'), submit(low, 'd')]
    // The other waits for an answer as long as the aggregator does not give one.
    await expect(Promise.race(two)).rejects.toMatchObject({ code: 'TX_NO_ROOM' })
    open.resolve()
    await Promise.all(waiting)
    const outcomes = await Promise.allSettled(two)
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  })
})

test('a distance that cannot be is not passed down', async () => {
  const top = await impostor(async function* answer() {
    yield encodeSubmitAnswer({ code: SubmitCode.taken, message: '', distance: Number.MAX_SAFE_INTEGER })
  })
  const [middle, low] = [await member(), await member()]
  await join(middle, { host: top })
  await join(low, middle)
  await submit(low, 'a')
})

test('the request that a peer gets says how far it came', async () => {
  const hops: number[] = []
  const top = await impostor(async function* answer(bytes) {
    hops.push(decodeSubmitRequest(bytes).hops)
    yield encodeSubmitAnswer({ code: SubmitCode.taken, message: '', distance: 0 })
  })
  const [middle, low] = [await member(), await member()]
  await join(middle, { host: top })
  await join(low, middle)
  await submit(middle, 'a')
  await submit(low, 'b')
  expect(hops).toEqual([1, 2])
})
