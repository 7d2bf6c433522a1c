import { randomBytes } from 'node:crypto'
import type { Connection, Stream } from '@libp2p/interface'
import * as fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import {
  connect,
  dialFrom,
  type RawPeer,
  sendAtOnce,
  startRawPeer,
  testHosts,
  until,
} from '../../test/support/hosts.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import type { RequestContext, ServeOptions } from '../core/network.ts'
import { deferred } from '../util/async.ts'
import { concatBytes, utf8 } from '../util/bytes.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import type { Host } from './host.node.ts'
import { createFrameCollector } from './serving.ts'
import { framed } from './streams.ts'

const PROTOCOL = '/p2p-test/answers/1'
const limits: ServeOptions = {
  maxRequestBytes: 1024,
  readTimeout: 5_000,
  writeTimeout: 8_000,
  maxStreamsPerPeer: 64,
}
const { signal } = new AbortController()
const hosts = testHosts()
const rawPeers: RawPeer[] = []
afterEach(async () => {
  await Promise.all(rawPeers.splice(0).map(async (raw) => await raw.stop()))
  await hosts.stop()
})

async function pair(): Promise<[client: Host, server: Host]> {
  const [client, server] = [await hosts.start(), await hosts.start()]
  await connect(client, server)
  return [client, server]
}

async function ask(client: Host, server: Host, request: Uint8Array, within = signal): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  await client.request(server.id, PROTOCOL, request, {
    signal: within,
    onData: (part) => void parts.push(part),
  })
  return concatBytes(...parts)
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (isEvolveError(error)) return error.code
    throw error
  }
  return 'none'
}

describe('a request', () => {
  test('reaches the handler with its sender and is answered', async () => {
    const [client, server] = await pair()
    const peers: string[] = []
    await server.serve(PROTOCOL, limits, async function* (request, { peer }) {
      peers.push(peer)
      yield utf8('got ')
      yield request
    })
    expect(Buffer.from(await ask(client, server, utf8('one'))).toString()).toBe('got one')
    expect(Buffer.from(await ask(client, server, new Uint8Array(0))).toString()).toBe('got ')
    expect(peers).toEqual([client.id, client.id])
  })

  test('is answered with ten megabytes, in one piece and in many', async () => {
    const [client, server] = await pair()
    const body = new Uint8Array(randomBytes(10 * 1024 * 1024))
    await server.serve(PROTOCOL, limits, async function* (request) {
      const size = request[0] === 0 ? body.length : 100_001
      for (let offset = 0; offset < body.length; offset += size) yield body.subarray(offset, offset + size)
    })
    expect(Buffer.compare(await ask(client, server, Uint8Array.of(0)), body)).toBe(0)
    expect(Buffer.compare(await ask(client, server, Uint8Array.of(1)), body)).toBe(0)
  })

  test('of 64 at once over one connection are all answered', async () => {
    const [client, server] = await pair()
    const all = deferred<void>()
    let open = 0
    await server.serve(PROTOCOL, limits, async function* (request) {
      if (++open === 64) all.resolve()
      await all.promise
      yield request
    })
    const requests = Array.from({ length: 64 }, (_, index) => Uint8Array.of(index))
    const answers = await Promise.all(requests.map(async (request) => await ask(client, server, request)))
    expect(answers).toEqual(requests)
    expect(client.connections()).toHaveLength(1)
  })

  test('beyond the streams a peer may have is refused, and taken again when one is free', async () => {
    const [client, server] = await pair()
    const go = deferred<void>()
    const entered = deferred<void>()
    await server.serve(PROTOCOL, { ...limits, maxStreamsPerPeer: 1 }, async function* (request) {
      entered.resolve()
      await go.promise
      yield request
    })
    const first = ask(client, server, Uint8Array.of(1))
    await entered.promise
    expect(await codeOf(ask(client, server, Uint8Array.of(2)))).toBe('STREAM_RESET')
    go.resolve()
    expect(await first).toEqual(Uint8Array.of(1))
    expect(await ask(client, server, Uint8Array.of(3))).toEqual(Uint8Array.of(3))
  })

  test('whose handler throws is reset, before and after a first piece', async () => {
    const [client, server] = await pair()
    await server.serve(PROTOCOL, limits, async function* (request) {
      if (request[0] === 1) yield new Uint8Array(1000)
      throw new Error('no')
    })
    expect(await codeOf(ask(client, server, Uint8Array.of(0)))).toBe('STREAM_RESET')
    expect(await codeOf(ask(client, server, Uint8Array.of(1)))).toBe('STREAM_RESET')
  })

  test('larger than allowed is reset before the handler sees it', async () => {
    const [client, server] = await pair()
    let seen = 0
    await server.serve(PROTOCOL, limits, async function* (request) {
      seen++
      yield request
    })
    expect(await codeOf(ask(client, server, new Uint8Array(1025)))).toBe('STREAM_RESET')
    expect(await ask(client, server, new Uint8Array(1024))).toHaveLength(1024)
    expect(seen).toBe(1)
  })

  test('to a peer that is not connected, or does not know the protocol, cannot be sent', async () => {
    const [client, server] = await pair()
    const stranger = hosts.make()
    expect(await codeOf(ask(client, stranger, utf8('x')))).toBe('PEER_UNREACHABLE')
    expect(await codeOf(ask(client, server, utf8('x')))).toBe('PEER_UNREACHABLE')
  })

  test('ends with the reason of its signal, and the handler learns that the peer went away', async () => {
    const [client, server] = await pair()
    const contexts = deferred<RequestContext>()
    const aborted = deferred<void>()
    await server.serve(PROTOCOL, limits, async function* (_request, context) {
      contexts.resolve(context)
      context.signal.addEventListener('abort', () => aborted.resolve(), { once: true })
      yield new Uint8Array(10)
      await new Promise<never>(() => {})
    })
    const controller = new AbortController()
    const reason = new EvolveError('ENOUGH', 'enough')
    const asked = ask(client, server, utf8('x'), controller.signal)
    expect((await contexts.promise).signal.aborted).toBe(false)
    controller.abort(reason)
    await expect(asked).rejects.toBe(reason)
    await aborted.promise
    await expect(ask(client, server, utf8('x'), controller.signal)).rejects.toBe(reason)
  })

  test('stops when the reader has enough', async () => {
    const [client, server] = await pair()
    const ended = deferred<void>()
    await server.serve(PROTOCOL, limits, async function* (_request, context) {
      context.signal.addEventListener('abort', () => ended.resolve(), { once: true })
      for (;;) yield new Uint8Array(64 * 1024)
    })
    let bytes = 0
    await client.request(server.id, PROTOCOL, utf8('x'), {
      signal,
      onData: (part) => (bytes += part.length) < 1_000_000,
    })
    expect(bytes).toBeGreaterThanOrEqual(1_000_000)
    await ended.promise
  })

  test('fails with what its reader throws', async () => {
    const [client, server] = await pair()
    await server.serve(PROTOCOL, limits, async function* (request) {
      yield request
    })
    const broken = client.request(server.id, PROTOCOL, utf8('x'), {
      signal,
      onData() {
        throw new EvolveError('BAD_BYTES', 'no')
      },
    })
    expect(await codeOf(broken)).toBe('BAD_BYTES')
  })

  test('is cut off, not ended, when the server goes away in the middle of an answer', async () => {
    const [client, server] = await pair()
    const first = deferred<void>()
    await server.serve(PROTOCOL, limits, async function* () {
      yield new Uint8Array(10)
      await new Promise<never>(() => {})
    })
    const asked = codeOf(
      client.request(server.id, PROTOCOL, utf8('x'), { signal, onData: () => first.resolve() }),
    )
    await first.promise
    await server.stop()
    expect(await asked).toBe('STREAM_RESET')
  })

  test('is ended when its protocol is no longer served, and others are refused', async () => {
    const [client, server] = await pair()
    const entered = deferred<void>()
    const unserve = await server.serve(PROTOCOL, limits, async function* (request, context) {
      entered.resolve()
      await new Promise<void>((resolve) => context.signal.addEventListener('abort', () => resolve()))
      yield request
    })
    const asked = codeOf(ask(client, server, utf8('x')))
    await entered.promise
    await unserve()
    await unserve()
    expect(await asked).toBe('STREAM_RESET')
    expect(await codeOf(ask(client, server, utf8('x')))).toBe('PEER_UNREACHABLE')
    await server.serve(PROTOCOL, limits, async function* (request) {
      yield request
    })
    expect(await ask(client, server, utf8('x'))).toEqual(utf8('x'))
    expect(await codeOf(server.serve(PROTOCOL, limits, async function* () {}))).toBe('ALREADY_SERVED')
  })
})

/** How a stream ended: the name of its error, or `closed`. */
async function endOf(stream: Stream): Promise<string> {
  return await new Promise((resolve) =>
    stream.addEventListener('close', ({ error }) => resolve(error?.name ?? 'closed'), { once: true }),
  )
}

describe('a request by hand', () => {
  const virtual = createVirtualEnv()
  let answered = 0

  /** A stream to a server whose clock stands still, taken over by the server. */
  async function openStream(): Promise<{ stream: Stream; connection: Connection; ended: Promise<string> }> {
    const server = await hosts.start({}, { env: virtual.env })
    answered = 0
    await server.serve(PROTOCOL, limits, async function* (request) {
      answered++
      for (let sent = 0; sent < (request[0] ?? 0); sent++) yield new Uint8Array(1024 * 1024)
    })
    const raw = await startRawPeer()
    rawPeers.push(raw)
    const connection = await dialFrom(raw, server)
    const before = virtual.timers
    const stream = await connection.newStream(PROTOCOL)
    await until(() => virtual.timers > before)
    return { stream, connection, ended: endOf(stream) }
  }

  test('that never comes is given up at its deadline', async () => {
    const { stream, ended } = await openStream()
    await virtual.advance(4_999)
    expect(stream.status).toBe('open')
    await virtual.advance(1)
    expect(await ended).toBe('StreamResetError')
  })

  test('that drips byte by byte has the same deadline', async () => {
    const { stream, ended } = await openStream()
    for (const byte of [3, 1, 1]) {
      stream.send(Uint8Array.of(byte))
      await virtual.advance(1_600)
    }
    await virtual.advance(200)
    expect(await ended).toBe('StreamResetError')
    expect(answered).toBe(0)
  })

  test.each([
    ['a length of eleven bytes', new Uint8Array(11).fill(0xff)],
    ['a length beyond 2^63', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)],
    ['a length of ten megabytes', Uint8Array.of(0x80, 0x80, 0x80, 0x05)],
  ])('that announces %s is reset at once', async (_name, bytes) => {
    const { stream, ended } = await openStream()
    stream.send(bytes)
    expect(await ended).toBe('StreamResetError')
    expect(answered).toBe(0)
  })

  test('cut short by its sender is reset', async () => {
    const { stream, ended } = await openStream()
    stream.send(Uint8Array.of(5, 1, 2))
    await stream.close()
    expect(await ended).toBe('StreamResetError')
    expect(answered).toBe(0)
  })

  test('whose answer is never read is given up at the write deadline', async () => {
    const { stream, ended } = await openStream()
    const before = virtual.timers
    stream.pause()
    stream.send(framed(Uint8Array.of(16)))
    await until(() => answered === 1 && virtual.timers >= before)
    await virtual.settle()
    await virtual.advance(8_000)
    expect(await ended).toBe('StreamResetError')
  })

  test('whose sender never closes its side is let go after the answer', async () => {
    const { stream, ended } = await openStream()
    let bytes = 0
    stream.addEventListener('message', ({ data }) => {
      bytes += data.byteLength
    })
    const peerClosed = new Promise<void>((resolve) =>
      stream.addEventListener('remoteCloseWrite', () => resolve(), { once: true }),
    )
    stream.send(framed(Uint8Array.of(1)))
    await peerClosed
    expect(bytes).toBe(1024 * 1024)
    await virtual.advance(5_000)
    expect(await ended).toBe('StreamResetError')
  })

  test('sent together with its negotiation and the end of the stream is answered', async () => {
    const { connection } = await openStream()
    for (let round = 1; round <= 20; round++) {
      const stream = await sendAtOnce(connection, PROTOCOL, framed(Uint8Array.of(1)))
      let bytes = 0
      stream.addEventListener('message', ({ data }) => {
        bytes += data.byteLength
      })
      expect(await endOf(stream)).toBe('closed')
      expect(bytes).toBeGreaterThan(1024 * 1024)
      expect(answered).toBe(round)
    }
  })

  test('cut short, together with its negotiation and the end of the stream, is reset at once', async () => {
    const { connection } = await openStream()
    for (const bytes of [Uint8Array.of(5, 1, 2), new Uint8Array(0)]) {
      const stream = await sendAtOnce(connection, PROTOCOL, bytes)
      stream.addEventListener('message', () => {})
      expect(await endOf(stream)).toBe('StreamResetError')
    }
    expect(answered).toBe(0)
  })

  test('followed by more is answered, and the rest is dropped', async () => {
    const { stream, ended } = await openStream()
    stream.send(concatBytes(framed(Uint8Array.of(1)), new Uint8Array(100_000)))
    stream.addEventListener('message', () => {})
    await stream.close()
    expect(await ended).toBe('closed')
    expect(answered).toBe(1)
  })
})

describe('the first frame', () => {
  test('is what was framed, in parts of any size, however much comes after it', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ maxLength: 5 }),
        sizes,
        (message, more, steps) => {
          const bytes = concatBytes(framed(message), more)
          const whole = framed(message).length
          const frame = createFrameCollector(300)
          for (let at = 0, turn = 0; ; turn++) {
            const to = at + (steps[turn % steps.length] ?? 1)
            const found = frame.push(bytes.subarray(at, to))
            at = to
            if (at < whole) {
              expect(found).toBeUndefined()
              continue
            }
            expect(found).toEqual(message)
            break
          }
        },
      ),
      { numRuns: 100 },
    )
  })

  test('is not what the parts become later', () => {
    const frame = createFrameCollector(300)
    const part = Uint8Array.of(3, 1)
    expect(frame.push(part)).toBeUndefined()
    expect(frame.push(Uint8Array.of(2, 3))).toEqual(Uint8Array.of(1, 2, 3))
    expect(part).toEqual(Uint8Array.of(3, 1))
  })

  test('is a value, nothing yet, or one kind of error, for any bytes', () => {
    const judged = fc.check(
      fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
        try {
          const frame = createFrameCollector(1024).push(bytes)
          return frame === undefined || frame.length < bytes.length
        } catch (error) {
          return isEvolveError(error, 'MALFORMED_REQUEST')
        }
      }),
    )
    expect(judged.counterexample).toBeNull()
  })
})
