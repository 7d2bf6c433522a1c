import { Agent, type IncomingMessage, request as httpRequest, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { emptyKv } from '../../../test/suites/executor-suite.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { systemEnv } from '../../core/env.ts'
import { fromUtf8, utf8 } from '../../util/bytes.ts'
import type { EntryExecutor, EntryExecutorOptions } from '../entry-executor.ts'
import { createKvExecutor } from '../kv-executor.ts'
import { createKvEndpoint, type KvEndpoint } from './endpoint.node.ts'

const { signal } = new AbortController()
const GENESIS = { time: 1_700_000_000_000_000_000n, initialHeight: 1, chainId: 'chain' }

interface Bench {
  readonly endpoint: KvEndpoint
  readonly executor: EntryExecutor
  readonly lines: readonly string[]
  refusal: string | undefined
}

async function bench(options: EntryExecutorOptions = {}, change?: Partial<EntryExecutor>): Promise<Bench> {
  const own = createKvExecutor({ kv: await emptyKv() }, options)
  const executor = { ...own, ...change }
  await executor.initChain(GENESIS, { signal })
  const { logger, lines } = createRecorder()
  const endpoint = createKvEndpoint(
    { executor, env: systemEnv, logger, canSubmit: () => made.refusal },
    { address: '127.0.0.1:0' },
  )
  const made: Bench = { endpoint, executor, lines, refusal: undefined }
  await endpoint.start()
  onTestFinished(async () => await endpoint.stop())
  return made
}

async function execute(
  executor: EntryExecutor,
  height: number,
  ...txs: readonly (string | Uint8Array)[]
): Promise<void> {
  await executor.executeTxs(
    {
      txs: txs.map((tx) => (typeof tx === 'string' ? utf8(tx) : tx)),
      height,
      time: GENESIS.time,
      previousStateRoot: await executor.stateRoot(),
    },
    { signal },
  )
}

interface Answer {
  readonly status: number | undefined
  readonly headers: IncomingMessage['headers']
  readonly bytes: Uint8Array
  readonly text: string
}

async function ask(
  { endpoint }: Bench,
  method: string,
  path: string,
  body?: string | Uint8Array,
  options: RequestOptions = {},
): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const sent = httpRequest(`http://${endpoint.address}${path}`, { method, ...options }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const bytes = new Uint8Array(Buffer.concat(parts))
        resolve({
          status: response.statusCode,
          headers: response.headers,
          bytes,
          text: fromUtf8(bytes) ?? '',
        })
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Sends bytes as they are and gives what comes back until the connection ends. */
async function raw({ endpoint }: Bench, bytes: string): Promise<string> {
  const [host, port] = endpoint.address.split(':')
  return await new Promise((resolve) => {
    let text = ''
    const socket = connect(Number(port), host, () => socket.end(bytes))
    socket.setEncoding('latin1')
    socket.on('data', (part: string) => {
      text += part
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(text))
  })
}

test('a transaction is accepted and waits in the mempool', async () => {
  const own = await bench()
  const accepted = await ask(own, 'POST', '/tx', 'a=1')
  expect(accepted).toMatchObject({ status: 202, text: 'Transaction accepted' })
  expect(accepted.headers['content-type']).toBe('text/plain; charset=utf-8')
  expect(await own.executor.getTxs({ signal })).toEqual([utf8('a=1')])
  expect((await ask(own, 'POST', '/tx', Uint8Array.of(0xff, 0x3d, 0))).status).toBe(202)
  expect(await own.executor.getTxs({ signal })).toHaveLength(2)
})

test.for([
  ['POST', '/tx', '', 400, 'Empty transaction\n'],
  ['POST', '/tx', 'nonsense', 400, 'a transaction must be key=value, got 8 bytes\n'],
  ['GET', '/tx', undefined, 405, 'Method not allowed\n'],
  ['HEAD', '/stats', undefined, 405, ''],
  ['POST', '/store', 'x', 405, 'Method not allowed\n'],
  ['PUT', '/kv?key=a', 'x', 405, 'Method not allowed\n'],
  ['DELETE', '/stats', undefined, 405, 'Method not allowed\n'],
  ['GET', '/kv', undefined, 400, 'Missing key parameter\n'],
  ['GET', '/kv?key=', undefined, 400, 'Missing key parameter\n'],
  ['GET', '/kv?key=nothing', undefined, 404, 'Key not found\n'],
  ['GET', '/', undefined, 404, '404 page not found\n'],
  ['GET', '/store/', undefined, 404, '404 page not found\n'],
  ['GET', '/constructor', undefined, 404, '404 page not found\n'],
] as const)('%s %s with %o is answered with %i', async ([method, path, body, status, text]) => {
  const own = await bench()
  const found = await ask(own, method, path, body)
  expect(found).toMatchObject({ status, text })
  expect(found.headers['x-content-type-options']).toBe('nosniff')
  expect(await own.executor.getTxs({ signal })).toEqual([])
})

test('a value is answered byte for byte, whatever its key is made of', async () => {
  const own = await bench()
  await execute(own.executor, 1, 'a b&c=x = y', 'empty=', 'é=è', Uint8Array.of(0xff, 0x3d, 0x00, 0xfe))
  expect((await ask(own, 'GET', '/kv?key=a+b%26c')).text).toBe('x = y')
  expect((await ask(own, 'GET', '/kv?x=1&key=a%20b%26c&key=z')).text).toBe('x = y')
  expect(await ask(own, 'GET', '/kv?key=empty')).toMatchObject({ status: 200, text: '' })
  expect((await ask(own, 'GET', '/kv?key=%C3%A9')).text).toBe('è')
  expect((await ask(own, 'GET', '/kv?key=%ff')).bytes).toEqual(Uint8Array.of(0, 0xfe))
  expect((await ask(own, 'GET', '/kv?key=%zz')).status).toBe(400)
  expect((await ask(own, 'GET', '/kv?key=a;b')).status).toBe(400)
})

test('the store is one JSON object in the order of the keys', async () => {
  const own = await bench()
  expect((await ask(own, 'GET', '/store')).text).toBe('{}\n')
  await execute(own.executor, 1, 'b=<&>', 'a="\n', 'c=è\u2028é')
  const found = await ask(own, 'GET', '/store')
  expect(found.headers['content-type']).toBe('application/json')
  expect(found.text).toBe('{"a":"\\"","b":"\\u003c\\u0026\\u003e","c":"è\\u2028é"}\n')
})

test('a large store comes whole, though nobody holds all of it', async () => {
  const own = await bench()
  const value = 'x'.repeat(5_000)
  const txs = Array.from({ length: 1_000 }, (_, i) => `k${String(i).padStart(4, '0')}=${value}`)
  await execute(own.executor, 1, ...txs)
  const { text } = await ask(own, 'GET', '/store')
  const store: unknown = JSON.parse(text)
  expect(Object.keys(store ?? {})).toHaveLength(1_000)
  expect(text.length).toBeGreaterThan(5_000_000)
})

test('a store that nobody reads on is read no further', async () => {
  let read = 0
  const endless = async function* (): AsyncGenerator<readonly [Uint8Array, Uint8Array], void> {
    for (;;) {
      read++
      yield [utf8(`k${read}`), new Uint8Array(10_000).fill(0x78)]
      await new Promise((resolve) => process.nextTick(resolve))
    }
  }
  const over = Promise.withResolvers<void>()
  const entries = async function* (): AsyncGenerator<readonly [Uint8Array, Uint8Array], void> {
    try {
      yield* endless()
    } finally {
      over.resolve()
    }
  }
  const own = await bench({}, { entries })
  const [host, port] = own.endpoint.address.split(':')
  const socket = connect(Number(port), host, () => socket.write('GET /store HTTP/1.1\r\nHost: x\r\n\r\n'))
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('readable', resolve))
  // The socket is not read from: what is under way fills up, and then nothing moves.
  const { settle } = createVirtualEnv()
  let before = -1
  while (before !== read) {
    before = read
    for (let i = 0; i < 40; i++) await settle()
  }
  expect(read).toBeLessThan(5_000)
  // And it is let go of when the client leaves.
  socket.destroy()
  await over.promise
})

test('a store that cannot be read is told, and one that fails on the way is cut off', async () => {
  let good = 0
  const entries = async function* (): AsyncGenerator<readonly [Uint8Array, Uint8Array], void> {
    for (let i = 0; i < good; i++) yield [utf8(`k${i}`), new Uint8Array(50_000)]
    throw new Error('the disk does not read')
  }
  const own = await bench({}, { entries })
  expect(await ask(own, 'GET', '/store')).toMatchObject({ status: 500, text: 'Internal server error\n' })
  expect(own.lines).toContain('error: a request failed')
  good = 20
  await expect(ask(own, 'GET', '/store')).rejects.toMatchObject({ code: 'ECONNRESET' })
  expect((await ask(own, 'GET', '/stats')).status).toBe(200)
})

test('stats count what was taken here and what was executed', async () => {
  const own = await bench()
  const found = await ask(own, 'GET', '/stats')
  expect(found.headers['content-type']).toBe('application/json')
  expect(found.text).toBe('{"injected_txs":0,"executed_txs":0,"blocks_produced":0}\n')
  for (const tx of ['a=1', 'a=1', 'rubbish']) await ask(own, 'POST', '/tx', tx)
  await execute(own.executor, 1, 'a=1', 'b=1', 'rubbish')
  await execute(own.executor, 2)
  expect((await ask(own, 'GET', '/stats')).text).toBe(
    '{"injected_txs":2,"executed_txs":2,"blocks_produced":2}\n',
  )
})

test('a full mempool asks clients to come again', async () => {
  const own = await bench({ maxTxs: 1 })
  expect((await ask(own, 'POST', '/tx', 'a=1')).status).toBe(202)
  const full = await ask(own, 'POST', '/tx', 'b=1')
  expect(full.status).toBe(503)
  expect(full.headers['retry-after']).toBe('1')
  expect(full.text).toContain('the mempool holds 1 of 1 transactions')
})

test('where transactions are not taken, the client reads why', async () => {
  const own = await bench()
  own.refusal = 'this node follows: send transactions to the aggregator'
  const refused = await ask(own, 'POST', '/tx', 'x'.repeat(300_000))
  expect(refused).toMatchObject({ status: 503, text: `${own.refusal}\n` })
  expect((await ask(own, 'GET', '/store')).status).toBe(200)
  own.refusal = undefined
  expect((await ask(own, 'POST', '/tx', 'a=1')).status).toBe(202)
})

test.for(['announced', 'chunked'])('a body of over 1 MiB is refused, %s', async (how) => {
  const own = await bench()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  const headers = how === 'chunked' ? { 'Transfer-Encoding': 'chunked' } : {}
  const body = `a=${'x'.repeat(5 * 1024 * 1024)}`
  const refused = await ask(own, 'POST', '/tx', body, { agent, headers })
  expect(refused).toMatchObject({ status: 413, text: 'a request body may have 1048576 bytes\n' })
  // The connection is still good.
  const most = `a=${'x'.repeat(1024 * 1024 - 2)}`
  expect((await ask(own, 'POST', '/tx', most, { agent })).status).toBe(202)
})

test('2,000 transactions over connections that stay open', async () => {
  const own = await bench()
  const agent = new Agent({ keepAlive: true, maxSockets: 20 })
  onTestFinished(() => agent.destroy())
  const statuses = await Promise.all(
    Array.from(
      { length: 2_000 },
      async (_, i) => (await ask(own, 'POST', '/tx', `k${i}=${i}`, { agent })).status,
    ),
  )
  expect(new Set(statuses)).toEqual(new Set([202]))
  const txs = await own.executor.getTxs({ signal })
  expect(new Set(txs.map((tx) => fromUtf8(tx)))).toEqual(
    new Set(Array.from({ length: 2_000 }, (_, i) => `k${i}=${i}`)),
  )
})

test.for([
  ['\u0000\u0001\u0002\r\n\r\n', 'HTTP/1.1 400'],
  ['GET /stats HTTP/1.1\r\n\r\n', 'HTTP/1.1 400'],
  ['POST /tx HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n', 'HTTP/1.1 400'],
  [`GET /stats HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 'HTTP/1.1 431'],
  ['POST /tx HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\na=1', ''],
  ['CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n', ''],
  ['GET http://elsewhere/stats HTTP/1.1\r\nHost: elsewhere\r\nConnection: close\r\n\r\n', 'HTTP/1.1 200'],
  ['GET /stats HTTP/1.1\r\nHost: elsewhere\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n', 'HTTP/1.1 200'],
] as const)('what comes on a connection harms nobody, case %#', async ([bytes, expected]) => {
  const own = await bench()
  expect((await raw(own, bytes)).slice(0, expected.length)).toBe(expected)
  expect((await ask(own, 'GET', '/stats')).status).toBe(200)
  expect(await own.executor.getTxs({ signal })).toEqual([])
})

test('an address in use is refused by name', async () => {
  const own = await bench()
  const { address } = own.endpoint
  const other = createKvEndpoint(
    { executor: own.executor, env: systemEnv, logger: createRecorder().logger },
    { address },
  )
  await expect(other.start()).rejects.toMatchObject({ code: 'ADDRESS_IN_USE', data: { address } })
  await own.endpoint.stop()
  await other.start()
  await other.stop()
})

test.for(['', 'localhost', ':', 'a:b', '127.0.0.1:70000', 'http://x:1', '[::1:80'])(
  'an address that is none is refused: %o',
  async (address) => {
    const { executor } = await bench()
    const other = createKvEndpoint({ executor, env: systemEnv, logger: createRecorder().logger }, { address })
    await expect(other.start()).rejects.toMatchObject({ code: 'INVALID_ADDRESS' })
  },
)

test('start and stop may come twice and in any order, and stopping ends idle connections', async () => {
  const own = await bench()
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  await own.endpoint.start()
  expect((await ask(own, 'GET', '/stats', undefined, { agent })).status).toBe(200)
  await own.endpoint.stop()
  await own.endpoint.stop()
  expect(own.endpoint.address).toBe('127.0.0.1:0')
  await own.endpoint.start()
  expect((await ask(own, 'GET', '/stats', undefined, { agent })).status).toBe(200)
})
