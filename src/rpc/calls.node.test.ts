import { connect as connectHttp2 } from 'node:http2'
import { gzipSync } from 'node:zlib'
import { createClient, createContextValues } from '@connectrpc/connect'
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from '@connectrpc/connect-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sleep, systemEnv } from '../core/env.ts'
import { createLogLevelControl } from '../core/log-level.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createCalls } from './calls.node.ts'
import { StoreService } from './gen/evnode/v1/state_rpc_pb.ts'
import { ChainService } from './gen/evolve/v1/chain_pb.ts'
import { createOrigins } from './origins.node.ts'
import { createHttpPort, type HttpPort } from './port.node.ts'
import { addAdminService, FROM_OPERATOR } from './services/admin-service.ts'

const PATH = '/evnode.v1.StoreService/'
const logLevel = createLogLevelControl('info')
const origins = createOrigins({ allowed: ['*'] })
let port: HttpPort
let aborted = 0

beforeAll(async () => {
  const calls = createCalls(
    { env: systemEnv, logger: noopLogger },
    {
      routes(router) {
        addAdminService(router, { logLevel, logger: noopLogger })
        router.service(ChainService, {
          // Lasts three times as long as a call may.
          async *subscribeStatus(_request, { signal }) {
            for (let count = 0; count < 3; count++) {
              await sleep(systemEnv, 100, signal)
              yield {}
            }
          },
        })
        router.service(StoreService, {
          // Never answers by itself.
          getState: async (_request, { signal }) =>
            await new Promise((_resolve, reject) => {
              signal.addEventListener('abort', () => {
                aborted++
                reject(signal.reason)
              })
            }),
          getBlock: ({ identifier }) => ({ headerDaHeight: BigInt(lengthOf(identifier.value)) }),
          getMetadata: ({ key }) => ({
            value: key === 'much' ? new Uint8Array(1 << 20) : Uint8Array.of(key.length),
          }),
        })
      },
      contextValues: (request) => createContextValues().set(FROM_OPERATOR, origins.fromOperator(request)),
      largePaths: [`${PATH}GetBlock`],
      callTimeout: 100,
    },
  )
  port = createHttpPort(
    {
      env: systemEnv,
      logger: noopLogger,
      metrics: noopMetrics,
      handle(request, response) {
        if (calls.handle(request, response)) return
        response.statusCode = 404
        response.end()
      },
    },
    { address: '127.0.0.1:0' },
  )
  await port.start()
})

afterAll(async () => await port.stop())

function lengthOf(value: bigint | Uint8Array | undefined): number {
  return value instanceof Uint8Array ? value.length : 0
}

const url = (): string => `http://127.0.0.1:${port.address?.port}`

async function post(
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return await fetch(url() + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

describe('a call that does not end', () => {
  test.each([undefined, 3_600_000])('is ended, whatever patience the client has: %s', async (timeoutMs) => {
    for (const make of [createConnectTransport, createGrpcTransport]) {
      const before = aborted
      const client = createClient(StoreService, make({ baseUrl: url(), httpVersion: '2' }))
      const call = client.getState({}, timeoutMs === undefined ? {} : { timeoutMs })
      await expect(call).rejects.toMatchObject({ code: 4 })
      expect(aborted).toBe(before + 1)
    }
  })

  test('is ended earlier where the client says so', async () => {
    expect(await (await post(`${PATH}GetState`, {}, { 'connect-timeout-ms': '1' })).json()).toMatchObject({
      code: 'deadline_exceeded',
    })
  })

  test('is ended when its request does not come to an end', async () => {
    const session = connectHttp2(url())
    const stream = session.request({
      ':method': 'POST',
      ':path': `${PATH}GetMetadata`,
      'content-type': 'application/proto',
    })
    stream.write(Buffer.of(0x0a))
    const { promise, resolve } = Promise.withResolvers<void>()
    stream.on('close', resolve)
    stream.on('error', () => {})
    stream.resume()
    await promise
    session.destroy()
  })
})

test('a client that does not take its answer is cut off', async () => {
  const session = connectHttp2(url(), { settings: { initialWindowSize: 0 } })
  const stream = session.request({
    ':method': 'POST',
    ':path': `${PATH}GetMetadata`,
    'content-type': 'application/json',
  })
  const { promise, resolve } = Promise.withResolvers<number | undefined>()
  stream.on('error', () => {})
  stream.on('close', () => resolve(stream.rstCode))
  stream.end('{"key":"much"}')
  expect(await promise).toBe(8)
  session.destroy()
})

test.each([
  ['Connect', '1.1', createConnectTransport],
  ['Connect', '2', createConnectTransport],
  ['gRPC', '2', createGrpcTransport],
  ['gRPC-Web', '1.1', createGrpcWebTransport],
  ['gRPC-Web', '2', createGrpcWebTransport],
] as const)('a stream may last: %s over HTTP/%s', async (_name, httpVersion, make) => {
  const client = createClient(ChainService, make({ baseUrl: url(), httpVersion }))
  let count = 0
  for await (const message of client.subscribeStatus({})) if (message.status === undefined) count++
  expect(count).toBe(3)
})

describe('the size of a request', () => {
  test('is small, unless the method carries something large', async () => {
    const text = 'x'.repeat(100_000)
    expect(await (await post(`${PATH}GetMetadata`, { key: text })).json()).toMatchObject({
      code: 'resource_exhausted',
    })
    const hash = Buffer.alloc(8 << 20).toString('base64')
    expect(await (await post(`${PATH}GetBlock`, { hash })).json()).toEqual({
      headerDaHeight: String(8 << 20),
    })
  })

  test('has an end for those too', async () => {
    const client = createClient(StoreService, createConnectTransport({ baseUrl: url(), httpVersion: '1.1' }))
    const value = new Uint8Array(17 << 20)
    await expect(client.getBlock({ identifier: { case: 'hash', value } })).rejects.toMatchObject({ code: 8 })
  })
})

test('requests that are packed count as large: they say nothing about what comes out of them', async () => {
  const calls = createCalls(
    { env: systemEnv, logger: noopLogger },
    {
      routes: (router) =>
        router.service(StoreService, {
          getBlock: ({ identifier }) => ({ headerDaHeight: BigInt(lengthOf(identifier.value)) }),
        }),
      contextValues: () => createContextValues(),
      acceptCompression: [compressionGzip],
      largePaths: [`${PATH}GetBlock`],
    },
  )
  const busy = createHttpPort(
    {
      env: systemEnv,
      logger: noopLogger,
      metrics: noopMetrics,
      handle: (request, response) => void calls.handle(request, response),
    },
    { address: '127.0.0.1:0', stopGrace: 0 },
  )
  await busy.start()
  const at = `http://127.0.0.1:${busy.address?.port}`
  const session = connectHttp2(at)
  const ask = (headers: Readonly<Record<string, string>>) =>
    session.request({
      ':method': 'POST',
      ':path': `${PATH}GetBlock`,
      'content-type': 'application/json',
      ...headers,
    })
  const statusOf = async (headers: Readonly<Record<string, string>>, body: Uint8Array): Promise<unknown> => {
    const stream = ask({ ...headers, 'content-length': String(body.length) })
    stream.end(body)
    stream.resume()
    return await new Promise((resolve) => stream.once('response', (head) => resolve(head[':status'])))
  }
  const plain = Buffer.from('{"hash":"AAAA"}')
  const packed = gzipSync(plain)
  expect(await statusOf({ 'content-encoding': 'gzip' }, packed)).toBe(200)
  // As many as there may be, none of which comes to an end.
  for (let count = 0; count < 64; count++) ask({}).write('{')
  expect(await statusOf({}, plain)).toBe(200)
  expect(await statusOf({ 'content-encoding': 'gzip' }, packed)).toBe(429)
  expect(await statusOf({ 'grpc-encoding': 'gzip' }, plain)).toBe(429)
  session.destroy()
  await busy.stop()
})

describe('the service for operators', () => {
  const SET = '/evolve.v1.AdminService/SetLogLevel'

  test('is answered to programs on this machine', async () => {
    expect(await (await post(SET, { level: 'debug' })).json()).toEqual({ previous: 'info' })
    expect(logLevel.level()).toBe('debug')
    expect(await (await post('/evolve.v1.AdminService/GetLogLevel', {})).json()).toEqual({ level: 'debug' })
    expect(await (await post(SET, { level: 'loud' })).json()).toMatchObject({ code: 'invalid_argument' })
  })

  test.each([
    ['pages in a browser', { origin: 'http://localhost:1' }],
    ['whoever comes through a proxy', { 'x-forwarded-for': '192.0.2.1' }],
  ])('is refused to %s', async (_name, headers) => {
    const before = logLevel.level()
    expect(await (await post(SET, { level: 'trace' }, headers)).json()).toMatchObject({
      code: 'permission_denied',
    })
    expect(logLevel.level()).toBe(before)
  })
})
