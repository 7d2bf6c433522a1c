/* Subscriptions over real sockets, in every protocol, by clients that are slow, dying or wrong. */
import { request } from 'node:http'
import { type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { afterEach, describe, expect, test } from 'vitest'
import { createServedChain, type ServedChain } from '../../../test/support/served-chain.ts'
import { systemEnv } from '../../core/env.ts'
import { type Logger, noopLogger } from '../../core/logger.ts'
import { ChainService } from '../gen/evolve/v1/chain_pb.ts'

const undo: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const one of undo.splice(0).toReversed()) await one()
})

async function served(
  options: Parameters<typeof createServedChain>[0],
  blocks = options.count,
): Promise<ServedChain> {
  const chain = await createServedChain(options)
  await chain.grow(blocks)
  await chain.start()
  undo.push(async () => await chain.stop())
  return chain
}

/** What a server-sent event stream brings, as text, until it has brought something. */
async function events(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; until(pattern: RegExp): Promise<string>; end(): Promise<string> }> {
  const controller = new AbortController()
  undo.push(() => controller.abort())
  const response = await fetch(url, { headers, signal: controller.signal })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const more = async (): Promise<boolean> => {
    const part = await reader?.read()
    text += part?.value ?? ''
    return part?.done === false
  }
  return {
    status: response.status,
    async until(pattern) {
      while (!pattern.test(text)) if (!(await more())) throw new Error(`it ended: ${text}`)
      return text
    },
    async end() {
      while (await more());
      return text
    },
  }
}

/** Ids of the events in a stream. */
function idsOf(text: string): number[] {
  return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))
}

describe('every protocol', () => {
  const transports: readonly [string, (baseUrl: string) => Transport][] = [
    ['Connect, binary, HTTP/1.1', (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1' })],
    [
      'Connect, JSON, HTTP/1.1',
      (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '1.1', useBinaryFormat: false }),
    ],
    [
      'Connect, JSON, HTTP/2',
      (baseUrl) => createConnectTransport({ baseUrl, httpVersion: '2', useBinaryFormat: false }),
    ],
    ['gRPC', (baseUrl) => createGrpcTransport({ baseUrl })],
    ['gRPC-Web, HTTP/1.1', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '1.1' })],
    ['gRPC-Web, HTTP/2', (baseUrl) => createGrpcWebTransport({ baseUrl, httpVersion: '2' })],
  ]

  test.each(transports)('%s: blocks, then the end with its reason', async (_, transport) => {
    const chain = await served({ count: 30 }, 10)
    const client = createClient(ChainService, transport(chain.url))
    const heights: number[] = []
    let code: string | undefined
    try {
      for await (const { summary, heartbeat, data } of client.subscribeBlocks({ from: 1n, full: true })) {
        if (summary === undefined) {
          expect(heartbeat?.nextHeight).toBe(1n)
          continue
        }
        expect(data?.txs).toHaveLength(summary.txCount)
        heights.push(Number(summary.height))
        if (heights.length === 5) await chain.grow(20)
        if (heights.length === 30) void chain.stop()
      }
    } catch (error) {
      code = String(error)
    }
    expect(heights).toEqual(Array.from({ length: 30 }, (__, index) => index + 1))
    expect(code).toMatch(/\[unavailable\] the node stops/)
  })
})

describe('server-sent events', () => {
  test('blocks as JSON with their heights as ids', async () => {
    const chain = await served({ count: 6 }, 3)
    const stream = await events(`${chain.url}/events/blocks?from=2`)
    expect(stream.status).toBe(200)
    await stream.until(/^id: 3\n/m)
    await chain.grow(2)
    const text = await stream.until(/^id: 5\n.*\n\n/m)
    expect(text).toMatch(/^retry: \d+\n: next 2\n\nid: 2\ndata: \{"summary":\{"height":"2",/)
    expect(idsOf(text)).toEqual([2, 3, 4, 5])
    expect(text).not.toContain('"data":{')
    const whole = await events(`${chain.url}/events/blocks?from=2&full=true`)
    expect(await whole.until(/^id: 2\n.*\n\n/m)).toContain('"data":{')
  })

  test('a reader that comes back goes on behind the last event it has', async () => {
    const chain = await served({ count: 6 })
    const stream = await events(`${chain.url}/events/blocks?from=1`, { 'Last-Event-ID': '4' })
    expect(idsOf(await stream.until(/^id: 6\n.*\n\n/m))).toEqual([5, 6])
  })

  test('finality and status', async () => {
    const chain = await served({ count: 6 })
    await chain.finalize(2)
    const finality = await events(`${chain.url}/events/finality?from=1`)
    await finality.until(/^id: 2\n/m)
    await chain.finalize(5)
    expect(idsOf(await finality.until(/^id: 5\n.*\n\n/m))).toEqual([1, 2, 3, 4, 5])
    const status = await events(`${chain.url}/events/status?interval=100`)
    expect(await status.until(/\n\n.*\n\n/)).toContain('data: {"status":{"role":"ROLE_FOLLOWER"')
  })

  test('the end says why', async () => {
    const chain = await served({ count: 2 })
    const stream = await events(`${chain.url}/events/blocks?from=1`)
    await stream.until(/^id: 2\n/m)
    const [text] = await Promise.all([stream.end(), chain.stop()])
    expect(text).toMatch(/event: end\ndata: \{"code":"NODE_STOPPING","message":"[^"]+"\}\n\n$/)
  })

  test.each([
    ['/events/blocks?from=abc', {}, 400],
    ['/events/blocks?from=-1', {}, 400],
    ['/events/blocks?from=99999999999999999999', {}, 400],
    ['/events/blocks?full=maybe', {}, 400],
    ['/events/blocks', { 'last-event-id': 'abc' }, 400],
    ['/events/blocks', { 'last-event-id': '1e3' }, 400],
    ['/events/blocks', { 'last-event-id': '9007199254740992' }, 400],
    ['/events/finality', { 'last-event-id': '{}' }, 400],
    ['/events/status?interval=1', {}, 400],
    ['/events/blocks?from=1', {}, 404],
    ['/events/other', {}, 404],
  ] as const)('%s with %o is refused', async (path, headers, status) => {
    const chain = await served({ count: 2, initialHeight: 5 })
    const response = await fetch(`${chain.url}${path}`, { headers })
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ code: expect.any(String), message: expect.any(String) })
  })

  test('one too many is told to come back', async () => {
    const chain = await served({ count: 2, rpc: { maxSubscribers: 1 } })
    await events(`${chain.url}/events/status`)
    const response = await fetch(`${chain.url}/events/blocks`)
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('10')
    expect(await response.json()).toMatchObject({ code: 'TOO_MANY_SUBSCRIBERS' })
  })

  test('only GET', async () => {
    const response = await fetch(`${(await served({ count: 1 })).url}/events/blocks`, { method: 'POST' })
    expect(response.status).toBe(405)
  })
})

describe('those who die', () => {
  test('a connection that is cut in the middle leaves its place to others', async () => {
    const chain = await served({ count: 40, rpc: { maxSubscribers: 2 } }, 2)
    const dying: Socket[] = []
    for (const path of ['/events/blocks?from=1', '/events/status']) {
      const socket = connect(Number(new URL(chain.url).port), '127.0.0.1')
      dying.push(socket)
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
      await new Promise((resolve) => socket.once('data', resolve))
    }
    expect((await fetch(`${chain.url}/events/blocks`)).status).toBe(503)
    for (const socket of dying) socket.resetAndDestroy()
    await chain.grow(10)
    // Its place is free as soon as the server has heard of it.
    for (;;) {
      const response = await fetch(`${chain.url}/events/blocks?from=12`)
      await response.body?.cancel()
      if (response.status === 200) break
    }
  })

  test('who leaves right after asking leaves nothing behind', async () => {
    const chain = await served({ count: 4, rpc: { maxSubscribers: 3 } })
    for (let round = 0; round < 20; round++) {
      const call = request(`${chain.url}/events/blocks?from=1`)
      call.on('error', () => {})
      call.end()
      await new Promise((resolve) => call.once('socket', resolve))
      call.destroy()
    }
    for (;;) {
      const response = await fetch(`${chain.url}/events/blocks?from=1`)
      if (response.status === 200) {
        await response.body?.cancel()
        break
      }
      await response.text()
    }
  })
})

/** Resolves with the code that a stream ended with. */
async function endOf(stream: ClientHttp2Stream): Promise<number | undefined> {
  stream.on('error', () => {})
  return await new Promise((resolve) => stream.once('close', () => resolve(stream.rstCode)))
}

describe('over HTTP/2', () => {
  test('who takes nothing at all, not even why it was dropped, is cut off', async () => {
    const chain = await served(
      {
        count: 40,
        txsAt: () => [new Uint8Array(100_000)],
        rpc: { subscriberLimits: { lag: 20, patience: 0, grace: 50 } },
      },
      1,
    )
    const session = connectHttp2(chain.url, { settings: { initialWindowSize: 0 } })
    undo.push(() => session.destroy())
    const sse = session.request({ ':path': '/events/blocks?from=1&full=1' })
    const grpc = session.request({
      ':method': 'POST',
      ':path': '/evolve.v1.ChainService/SubscribeBlocks',
      'content-type': 'application/grpc+proto',
    })
    // Whole blocks from the first.
    grpc.end(Buffer.of(0, 0, 0, 0, 4, 8, 1, 16, 1))
    const ends = [sse, grpc].map(endOf)
    await Promise.all(
      [sse, grpc].map(async (one) => await new Promise((resolve) => one.once('response', resolve))),
    )
    while (chain.height < 40) {
      await chain.grow(1)
      await new Promise<void>((resolve) => systemEnv.soon(resolve))
    }
    const CANCEL = 8
    expect(await Promise.all(ends)).toEqual([CANCEL, CANCEL])
  })

  test('who takes its request back right away leaves nothing behind', async () => {
    const chain = await served({ count: 4, rpc: { maxSubscribers: 3 } })
    const session = connectHttp2(chain.url)
    undo.push(() => session.destroy())
    const ends: Promise<unknown>[] = []
    for (let round = 0; round < 20; round++) {
      const stream = session.request({ ':path': '/events/blocks?from=1' })
      ends.push(endOf(stream))
      stream.close(8)
    }
    await Promise.all(ends)
    for (;;) {
      const response = await fetch(`${chain.url}/events/blocks?from=1`)
      await response.body?.cancel()
      if (response.status === 200) break
    }
  })
})

test('who reads nothing is dropped, hears why once it reads, and all that was sent before', async () => {
  const dropped = Promise.withResolvers<void>()
  const fate = { dropped: false }
  const logger: Logger = {
    ...noopLogger,
    info(message) {
      if (!message.startsWith('a subscriber does not take')) return
      fate.dropped = true
      dropped.resolve()
    },
    child: () => logger,
  }
  const chain = await served(
    {
      count: 600,
      txsAt: () => [new Uint8Array(100_000)],
      logger,
      rpc: { subscriberLimits: { lag: 20, patience: 0 } },
    },
    1,
  )
  const socket = connect(Number(new URL(chain.url).port), '127.0.0.1')
  undo.push(() => void socket.destroy())
  socket.write('GET /events/blocks?from=1&full=1 HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  // Nothing is read from here on: what is sent fills the buffers of both ends.
  while (!fate.dropped && chain.height < 600) {
    await chain.grow(1)
    await new Promise<void>((resolve) => systemEnv.soon(resolve))
  }
  await dropped.promise
  let text = ''
  socket.setEncoding('utf8')
  for await (const part of socket) {
    text += part
    if (text.includes('event: end')) break
  }
  const ids = idsOf(text.replaceAll('\r', ''))
  expect(ids).toEqual(ids.map((_, index) => index + 1))
  expect(ids.length).toBeLessThan(chain.height - 19)
  expect(text).toContain(`"code":"SUBSCRIPTION_DROPPED"`)
  expect(text).toContain(`"nextHeight":${ids.length + 1}`)
})
