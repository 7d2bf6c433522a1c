import { connect as connectTcp } from 'node:net'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createClient, type Client, type Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { createLocalDa, type LocalDa } from '../da/local/local-da.node.ts'
import { StoreService } from '../rpc/gen/evnode/v1/state_rpc_pb.ts'
import { headerHash } from '../types/header.ts'
import { createNode } from './create-node.ts'

type Node = Awaited<ReturnType<typeof createNode>>

let node: Node
let da: LocalDa

beforeAll(async () => {
  da = createLocalDa({ env: systemEnv, logger: noopLogger }, { blockTime: 50 })
  await da.start()
  node = await createNode({
    aggregator: true,
    blockTime: 20,
    rpc: '127.0.0.1:0',
    da: { address: da.address, blockTime: 50 },
    config: { 'rpc.enable_da_visualization': true, 'rpc.cors_origins': ['https://app.example'] },
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  const leave = node.onFinal((height) => height >= 3 && resolve())
  await node.start()
  await promise
  leave()
})

afterAll(async () => {
  await node.stop()
  await da.stop()
})

const url = (): string => node.rpc ?? ''
const portOf = (): number => Number(new URL(url()).port)

/** Sends bytes as they are; resolves with all that comes back until the server closes, or with its first bytes. */
async function raw(text: string | Buffer): Promise<string> {
  const socket = connectTcp(portOf(), '127.0.0.1')
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  let got = ''
  socket.on('data', (bytes: Buffer) => {
    got += bytes.toString('latin1')
    if (got.includes('\r\n\r\n')) socket.destroy()
  })
  socket.on('error', reject)
  socket.on('close', () => resolve(got))
  socket.write(text)
  return await promise
}

const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0)

const transports: Readonly<Record<string, (binary: boolean) => Transport>> = {
  'Connect over HTTP/1.1': (useBinaryFormat) =>
    createConnectTransport({ baseUrl: url(), httpVersion: '1.1', useBinaryFormat }),
  'Connect over HTTP/2': (useBinaryFormat) =>
    createConnectTransport({ baseUrl: url(), httpVersion: '2', useBinaryFormat }),
  'gRPC over HTTP/2': (useBinaryFormat) => createGrpcTransport({ baseUrl: url(), useBinaryFormat }),
  'gRPC-Web over HTTP/1.1': (useBinaryFormat) =>
    createGrpcWebTransport({ baseUrl: url(), httpVersion: '1.1', useBinaryFormat }),
  'gRPC-Web over HTTP/2': (useBinaryFormat) =>
    createGrpcWebTransport({ baseUrl: url(), httpVersion: '2', useBinaryFormat }),
}

describe.each(Object.entries(transports))('%s', (_name, transport) => {
  test.each([true, false])('reads a block, binary: %s', async (binary) => {
    const client: Client<typeof StoreService> = createClient(StoreService, transport(binary))
    const { block } = await client.getBlock({ identifier: { case: 'height', value: 2n } })
    const stored = await node.blocks.header(2)
    if (stored === undefined || block?.header?.header === undefined) throw new Error('no block')
    expect(block.header.header).toMatchObject({ height: 2n, chainId: node.genesis.chainId })
    const hash = headerHash(stored.header)
    const byHash = await client.getBlock({ identifier: { case: 'hash', value: hash } })
    expect(byHash.block).toEqual(block)
  })

  test.each([true, false])('tells what is wrong, binary: %s', async (binary) => {
    const client = createClient(StoreService, transport(binary))
    const [missing, nothing] = await Promise.allSettled([
      client.getBlock({ identifier: { case: 'height', value: 1_000_000n } }),
      client.getBlock({}),
    ])
    expect(missing).toMatchObject({ status: 'rejected', reason: { code: 5 } })
    expect(nothing).toMatchObject({ status: 'rejected', reason: { code: 3 } })
  })
})

test('JSON has the names and forms of Go nodes', async () => {
  const response = await fetch(`${url()}/evnode.v1.StoreService/GetBlock`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"height":"2"}',
  })
  const body: unknown = await response.json()
  const stored = await node.blocks.header(2)
  if (stored === undefined) throw new Error('no block')
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
  expect(body).toMatchObject({
    block: {
      header: {
        header: {
          version: {},
          height: '2',
          time: String(stored.header.time),
          lastHeaderHash: base64(stored.header.lastHeaderHash),
          dataHash: base64(stored.header.dataHash),
          proposerAddress: base64(stored.header.proposerAddress),
          chainId: node.genesis.chainId,
        },
        signature: base64(stored.signature),
        signer: { address: base64(stored.signer.address), pubKey: base64(stored.signer.publicKey) },
      },
      data: { metadata: { chainId: node.genesis.chainId, height: '2' } },
    },
  })
})

describe('a hostile client does no harm', () => {
  const path = '/evnode.v1.StoreService/GetState'
  const call = (head: string, body = '{}'): string =>
    `${head}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

  test.each([
    ['HTTP/1.0 without a host', call(`POST ${path} HTTP/1.0`), [400, 403]],
    ['HTTP/1.0 with a host', call(`POST ${path} HTTP/1.0\r\nhost: localhost`), [200]],
    ['a host that is none', call(`POST ${path} HTTP/1.1\r\nhost: [`), [400, 403]],
    ['a host with spaces', call(`POST ${path} HTTP/1.1\r\nhost: a b`), [400, 403]],
    ['an empty host', call(`POST ${path} HTTP/1.1\r\nhost:`), [400, 403]],
    ['another name', call(`POST ${path} HTTP/1.1\r\nhost: evil.example`), [403]],
    ['localhost', call(`POST ${path} HTTP/1.1\r\nhost: localhost:1`), [200]],
    ['an address', call(`POST ${path} HTTP/1.1\r\nhost: [::1]:1`), [200]],
    [
      'an absolute address',
      call(`POST http://evil.example${path} HTTP/1.1\r\nhost: localhost`),
      [200, 400, 403, 404],
    ],
    [
      'two slashes',
      'GET //evil.example/x HTTP/1.1\r\nhost: localhost\r\naccept: text/html\r\n\r\n',
      [200, 400, 404],
    ],
    ['a path out of its folder', 'GET /../../package.json HTTP/1.1\r\nhost: localhost\r\n\r\n', [404]],
    [
      'a path out of its folder, encoded',
      'GET /%2e%2e/%2e%2e/package.json HTTP/1.1\r\nhost: localhost\r\n\r\n',
      [404],
    ],
    ['half an escape', 'GET /% HTTP/1.1\r\nhost: localhost\r\n\r\n', [404]],
    [
      'an unknown method of a service',
      call('POST /evnode.v1.StoreService/Nope HTTP/1.1\r\nhost: localhost'),
      [404],
    ],
    ['OPTIONS of everything', 'OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n', [400, 404, 405]],
    [
      'an upgrade',
      `GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n`,
      [200, 404],
    ],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nhost: localhost\r\n\r\n', [0]],
    [
      'a page of others',
      call(`POST ${path} HTTP/1.1\r\nhost: localhost\r\norigin: https://evil.example`),
      [403],
    ],
    ['JSON that is none', call(`POST ${path} HTTP/1.1\r\nhost: localhost`, '{'), [400]],
    ['no type', `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n`, [415]],
  ])('%s', async (_name, request, expected) => {
    expect(expected).toContain(statusOf(await raw(request)))
    expect((await fetch(`${url()}/health/live`)).status).toBe(200)
  })

  test('a request that is too large is refused', async () => {
    const response = await fetch(url() + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"x":"${'x'.repeat(2 << 20)}"}`,
    })
    expect(await response.json()).toMatchObject({ code: 'resource_exhausted' })
  })

  test('many streams that begin and never go on', async () => {
    const sessions: ClientHttp2Session[] = []
    for (let count = 0; count < 4; count++) {
      const session = connectHttp2(url())
      session.on('error', () => {})
      sessions.push(session)
      for (let each = 0; each < 300; each++) {
        const stream = session.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/proto',
        })
        stream.on('error', () => {})
        stream.write(Buffer.alloc(1))
      }
    }
    expect((await fetch(`${url()}/health/live`)).status).toBe(200)
    for (const session of sessions) session.destroy()
    expect((await fetch(`${url()}/health/live`)).status).toBe(200)
  })
})

describe('pages of other origins', () => {
  const path = '/evnode.v1.StoreService/GetState'
  const ask = async (origin: string, method = 'POST'): Promise<Response> =>
    await fetch(url() + path, {
      method,
      headers: {
        origin,
        'content-type': 'application/json',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,connect-protocol-version',
      },
      ...(method === 'POST' ? { body: '{}' } : {}),
    })

  test('may ask when they are named, also beforehand', async () => {
    const before = await ask('https://app.example', 'OPTIONS')
    expect(before.status).toBe(204)
    expect(before.headers.get('access-control-allow-headers')?.toLowerCase()).toContain(
      'connect-protocol-version',
    )
    for (const response of [before, await ask('https://app.example')]) {
      expect(response.headers.get('access-control-allow-origin')).toBe('https://app.example')
      expect(response.headers.get('vary')).toBe('Origin')
    }
  })

  test('may ask when they are the node itself', async () => {
    expect((await ask(url())).status).toBe(200)
  })

  test.each(['https://evil.example', 'null', 'http://127.0.0.1:1'])(
    'may not ask otherwise: %s',
    async (origin) => {
      for (const method of ['OPTIONS', 'POST']) {
        const response = await ask(origin, method)
        expect(response.status).toBe(403)
        expect(response.headers.get('access-control-allow-origin')).toBeNull()
      }
    },
  )
})

test('a page whose origin is unknown may not ask where no host is named either', async () => {
  expect(statusOf(await raw('GET /health/live HTTP/1.0\r\norigin: null\r\n\r\n'))).toBe(403)
})

describe('health', () => {
  test('is told in a word', async () => {
    const [live, ready] = await Promise.all(
      ['live', 'ready'].map(async (path) => await fetch(`${url()}/health/${path}`)),
    )
    expect([live?.status, await live?.text()]).toEqual([200, 'OK\n'])
    expect([ready?.status, await ready?.text()]).toEqual([200, 'READY\n'])
  })

  test('is told with every criterion to who wants JSON', async () => {
    const response = await fetch(`${url()}/health/ready`, { headers: { accept: 'application/json' } })
    expect(await response.json()).toMatchObject({
      ready: true,
      text: 'READY',
      criteria: expect.arrayContaining([{ name: 'production', fulfilled: true }]),
    })
  })
})

describe('what was posted to DA', () => {
  const submissionShape = z.object({
    is_aggregator: z.literal(true),
    total: z.number().min(1),
    submissions: z.array(
      z.object({ blob_ids: z.array(z.string()), height: z.number(), status_code: z.string() }),
    ),
  })
  const get = async (path: string): Promise<Response> => await fetch(`${url()}${path}`)

  test('is listed, and each blob can be read', async () => {
    const { submissions } = submissionShape.parse(await (await get('/da/submissions')).json())
    const good = submissions.find(({ status_code }) => status_code === 'Success')
    const id = good?.blob_ids[0] ?? ''
    const response = await get(`/da/blob?id=${id}`)
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ id, height: good?.height, commitment: id.slice(16) })
  })

  test('is counted', async () => {
    expect(await (await get('/da/stats')).json()).toMatchObject({ success_rate: '100.00%', error_count: 0 })
    expect(await (await get('/da/health')).json()).toMatchObject({ status: 'healthy', is_healthy: true })
    expect(await (await get('/da')).json()).toHaveProperty('paths')
  })

  test.each([
    ['/da/blob', 400],
    ['/da/blob?id=zz', 400],
    [`/da/blob?id=${'00'.repeat(40)}&namespace=abcd`, 400],
    [`/da/blob?id=01${'00'.repeat(39)}`, 404],
    ['/da/nothing', 404],
  ])('%s: %i', async (path, status) => {
    expect((await get(path)).status).toBe(status)
  })
})
