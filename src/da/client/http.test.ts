import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { createDaClientRig, type DaClientRig, failureOf } from '../../../test/support/da-client-rig.ts'
import { errorText, resultText, type ScriptedDaNode } from '../../../test/support/scripted-da-node.ts'
import { deferred } from '../../util/async.ts'
import { createBlob, blobToJson } from '../blob.ts'
import { CLIENT_METRICS } from './metrics.ts'

const head = { header: { height: 5 } }

/** The client must go on as if nothing had been. */
async function expectGoesOn({ node, client, signal }: DaClientRig): Promise<void> {
  node.onHttp = ({ id }, response) => response.end(resultText(id, head))
  expect(await client.head({ signal })).toMatchObject({ height: 5 })
  expect(client.reachable).toBe(true)
}

function* endless(): Generator<Buffer> {
  const piece = Buffer.alloc(65_536, 'x')
  for (;;) yield piece
}

type Handler = ScriptedDaNode['onHttp']

const misbehaviour: readonly (readonly [name: string, code: string, handler: Handler])[] = [
  ['HTTP 500 without a word', 'DA_FAILED', (_call, response) => response.writeHead(500).end()],
  ['HTTP 502 with HTML', 'DA_UNREACHABLE', (_call, response) => response.writeHead(502).end('<html>')],
  ['HTTP 504', 'DA_TIMEOUT', (_call, response) => response.writeHead(504).end()],
  ['HTTP 413', 'DA_TOO_BIG', (_call, response) => response.writeHead(413).end()],
  ['HTTP 401', 'DA_UNAUTHORIZED', (_call, response) => response.writeHead(401).end('Unauthorized')],
  ['HTTP 403', 'DA_UNAUTHORIZED', (_call, response) => response.writeHead(403).end()],
  ['a redirect', 'DA_FAILED', (_call, response) => response.writeHead(307, { location: '/other' }).end()],
  ['HTML', 'DA_MALFORMED', (_call, response) => response.end('<html><body>Welcome</body></html>')],
  ['nothing', 'DA_MALFORMED', (_call, response) => response.end()],
  ['bytes that are no text', 'DA_MALFORMED', (_call, response) => response.end(Buffer.from([0xff, 0xfe]))],
  ['truncated JSON', 'DA_MALFORMED', ({ id }, response) => response.end(resultText(id, head).slice(0, -3))],
  ['the answer to another call', 'DA_MALFORMED', (_call, response) => response.end(resultText(999, head))],
  ['an id as text', 'DA_MALFORMED', ({ id }, response) => response.end(resultText(String(id), head))],
  ['a result without id', 'DA_MALFORMED', (_call, response) => response.end(resultText(null, head))],
  [
    'an error without id',
    'DA_TOO_BIG',
    (_call, response) => response.writeHead(500).end(errorText(null, -32700, 'request bigger than maximum')),
  ],
  ['a reset before the answer', 'DA_UNREACHABLE', (_call, _response, request) => request.socket.destroy()],
  [
    'a reset within the answer',
    'DA_UNREACHABLE',
    ({ id }, response, request) => {
      response.writeHead(200, { 'content-length': 1_000 })
      response.write(resultText(id, head), () => request.socket.destroy())
    },
  ],
]

test.each(misbehaviour)('%s is %s, and the client goes on', async (_name, code, handler) => {
  await using rig = await createDaClientRig()
  rig.node.onHttp = handler
  await expect(rig.client.head({ signal: rig.signal })).rejects.toMatchObject({ code, verdict: 'retry' })
  await expectGoesOn(rig)
})

test('a refused connection is DA_UNREACHABLE', async () => {
  await using rig = await createDaClientRig()
  await rig.node.close()
  await expect(rig.client.head({ signal: rig.signal })).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
  expect(rig.client.reachable).toBe(false)
})

test('whether DA answers is told once for each change', async () => {
  await using rig = await createDaClientRig()
  const { client, node, signal } = rig
  expect(client.reachable).toBe(true)
  node.onHttp = (_call, _response, request) => request.socket.destroy()
  await expect(client.head({ signal })).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
  await expect(client.head({ signal })).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
  expect(client.reachable).toBe(false)
  expect(rig.recorder.value(CLIENT_METRICS.reachable)).toBe(0)
  await expectGoesOn(rig)
  expect(rig.recorder.times('warn: DA does not answer')).toBe(1)
  expect(rig.recorder.times('info: DA answers again')).toBe(1)
})

for (const phase of ['headers', 'body'] as const) {
  test(`silence before the ${phase} is DA_TIMEOUT, and the connection is let go of`, async () => {
    await using rig = await createDaClientRig({ requestTimeout: 5_000 })
    const closed = deferred<void>()
    const begun = deferred<void>()
    rig.node.onHttp = ({ id }, response, request) => {
      request.socket.on('close', () => closed.resolve())
      if (phase === 'body') response.write(resultText(id, head).slice(0, 10))
      begun.resolve()
    }
    const failure = failureOf(rig.client.head({ signal: rig.signal }))
    await begun.promise
    await rig.time.advance(4_999)
    expect(rig.recorder.value(CLIENT_METRICS.calls)).toBeUndefined()
    await rig.time.advance(1)
    expect(await failure).toMatchObject({ code: 'DA_TIMEOUT', verdict: 'retry' })
    await closed.promise
    expect(rig.client.reachable).toBe(false)
    await expectGoesOn(rig)
  })
}

test('a cancelled call rejects with the reason, and its connection is let go of', async () => {
  await using rig = await createDaClientRig()
  const closed = deferred<void>()
  rig.node.onHttp = (_call, _response, request) => {
    request.socket.on('close', () => closed.resolve())
  }
  const controller = new AbortController()
  const call = rig.client.head({ signal: controller.signal })
  await rig.node.called('header.NetworkHead')
  controller.abort(new Error('enough'))
  await expect(call).rejects.toThrow('enough')
  await closed.promise
  expect(rig.client.reachable).toBe(true)
  await expectGoesOn(rig)
})

test('a signal that is aborted already sends nothing', async () => {
  await using rig = await createDaClientRig()
  await expect(rig.client.head({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
  expect(rig.node.calls).toEqual([])
})

test('stopping ends the calls under way', async () => {
  await using rig = await createDaClientRig()
  rig.node.onHttp = () => undefined
  const failure = failureOf(rig.client.head({ signal: rig.signal }))
  await rig.node.called('header.NetworkHead')
  await rig.client.stop()
  expect(await failure).toMatchObject({ code: 'DA_UNREACHABLE' })
})

test('a body that is announced too large is not read', async () => {
  await using rig = await createDaClientRig({ maxBodyBytes: 1_000 })
  const closed = deferred<void>()
  rig.node.onHttp = (_call, response, request) => {
    request.socket.on('close', () => closed.resolve())
    response.writeHead(200, { 'content-length': 1_001 }).flushHeaders()
  }
  await expect(rig.client.head({ signal: rig.signal })).rejects.toMatchObject({
    code: 'DA_MALFORMED',
    data: { limit: 1_000 },
  })
  await closed.promise
  await expectGoesOn(rig)
})

test('a body without end is cut at the limit', async () => {
  const limit = 1_000_000
  await using rig = await createDaClientRig({ maxBodyBytes: limit })
  const cut = deferred<number>()
  rig.node.onHttp = (_call, response, request) => {
    const { socket } = request
    response.on('close', () => cut.resolve(socket.bytesWritten))
    pipeline(Readable.from(endless()), response).catch(() => undefined)
  }
  await expect(rig.client.head({ signal: rig.signal })).rejects.toMatchObject({ code: 'DA_MALFORMED' })
  // What the kernel holds on loopback comes on top.
  expect(await cut.promise).toBeLessThan(limit + 16_000_000)
  await expectGoesOn(rig)
})

test('no more calls are under way than allowed; the others wait, and too many are refused', async () => {
  await using rig = await createDaClientRig({ maxInFlight: 2, maxWaiting: 2 })
  const { client, node, signal } = rig
  const release: (() => void)[] = []
  const both = deferred<void>()
  node.onHttp = ({ id }, response) => {
    release.push(() => response.end(resultText(id, head)))
    if (release.length === 2) both.resolve()
  }
  const calls = [1, 2, 3, 4].map(async () => await client.head({ signal }))
  await expect(client.head({ signal })).rejects.toMatchObject({ code: 'DA_FAILED' })
  await both.promise
  await rig.time.settle()
  expect(node.calls).toHaveLength(2)
  node.onHttp = ({ id }, response) => response.end(resultText(id, head))
  for (const answer of release) answer()
  expect(await Promise.all(calls)).toHaveLength(4)
  expect(node.calls).toHaveLength(4)
})

test.each(['websocket', 'http'])(
  'a height that strangers have filled is read all the same, begun by %s',
  async (by) => {
    await using rig = await createDaClientRig({
      maxBodyBytes: 1_000,
      maxHeightBytes: 100_000,
      ...(by === 'websocket' ? { upgrade: 'open' } : {}),
    })
    const namespace = new Uint8Array(29).fill(1)
    const blob = blobToJson(createBlob(namespace, new Uint8Array(2_000).fill(7)))
    rig.node.results.set('blob.GetAll', [blob])
    const { signal } = rig
    expect((await rig.client.getAll(5, [namespace], { signal })).map(({ data }) => data.length)).toEqual([
      2_000,
    ])
    expect(rig.node.calls.map((call) => call.by)).toEqual(by === 'http' ? ['http'] : ['websocket', 'http'])
    rig.node.results.set(
      'blob.GetAll',
      Array.from({ length: 60 }, () => blob),
    )
    await expect(rig.client.getAll(6, [namespace], { signal })).rejects.toMatchObject({
      code: 'DA_MALFORMED',
      data: { limit: 100_000 },
    })
  },
)
