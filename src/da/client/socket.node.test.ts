import { once } from 'node:events'
import { expect, test } from 'vitest'
import { createDaClientRig, type DaClientRig, failureOf } from '../../../test/support/da-client-rig.ts'
import { errorText, resultText } from '../../../test/support/scripted-da-node.ts'
import { CLIENT_METRICS } from './metrics.ts'

const head = { header: { height: 5 } }
const UP = 'info: DA calls go by WebSocket'
const DOWN = 'warn: lost the WebSocket to DA, calls go by HTTP'

/** A rig whose WebSocket is open. */
async function connected(options: Parameters<typeof createDaClientRig>[0] = {}): Promise<DaClientRig> {
  const rig = await createDaClientRig({ upgrade: 'open', ...options })
  rig.node.results.set('header.NetworkHead', head)
  await rig.logged(UP)
  return rig
}

/** The one WebSocket of a rig, on the node's side. */
function theSocket({ node }: DaClientRig) {
  const [socket] = node.sockets
  if (socket === undefined) throw new Error('no WebSocket is open')
  return socket
}

test('answers find their calls in any order', async () => {
  await using rig = await connected()
  const answers: (() => void)[] = []
  rig.node.onSocket = ({ id, params: [height] }, socket) => {
    answers.push(() => socket.send(resultText(id, { header: { height } })))
    if (answers.length === 3) for (const answer of answers.toReversed()) answer()
  }
  const headers = await Promise.all([1, 2, 3].map(async (height) => await rig.client.header(height, rig)))
  expect(headers.map(({ height }) => height)).toEqual([1, 2, 3])
})

test('messages that fit nothing are ignored and counted', async () => {
  await using rig = await connected()
  rig.node.onSocket = ({ id }, socket) => {
    for (const text of [
      'garbage',
      '{"id":',
      '[]',
      resultText(12_345, 1),
      resultText('1', 1),
      errorText(null, 1, 'no'),
      '{"jsonrpc":"2.0","method":"xrpc.ch.val","params":[77,1]}',
      '{"jsonrpc":"2.0","method":"xrpc.ch.close","params":[77]}',
      '{"jsonrpc":"2.0","method":"blob.Get","params":[1]}',
    ]) {
      socket.send(text)
    }
    socket.send(Buffer.from([0, 1, 2]))
    socket.send(resultText(id, head))
  }
  expect(await rig.client.head(rig)).toMatchObject({ height: 5 })
  expect(rig.recorder.value(CLIENT_METRICS.messagesIgnored)).toBe(10)
  expect(rig.client.transport).toBe('websocket')
})

test('silence is DA_TIMEOUT, the node is told, and a late answer is ignored', async () => {
  await using rig = await connected({ requestTimeout: 5_000 })
  rig.node.onSocket = () => undefined
  const failure = failureOf(rig.client.head(rig))
  const { id } = await rig.node.called('header.NetworkHead')
  await rig.time.advance(5_000)
  expect(await failure).toMatchObject({ code: 'DA_TIMEOUT' })
  expect((await rig.node.called('xrpc.cancel')).params).toEqual([id])
  rig.node.onSocket = (next, socket) => {
    socket.send(resultText(id, { header: { height: 1 } }))
    socket.send(resultText(next.id, head))
  }
  expect(await rig.client.head(rig)).toMatchObject({ height: 5 })
  expect(rig.recorder.value(CLIENT_METRICS.messagesIgnored)).toBe(1)
})

test('a cancelled call rejects with the reason, and the node is told', async () => {
  await using rig = await connected()
  rig.node.onSocket = () => undefined
  const controller = new AbortController()
  const call = rig.client.head({ signal: controller.signal })
  const { id } = await rig.node.called('header.NetworkHead')
  controller.abort(new Error('enough'))
  await expect(call).rejects.toThrow('enough')
  expect((await rig.node.called('xrpc.cancel')).params).toEqual([id])
  expect(rig.client.transport).toBe('websocket')
})

test('a break rejects the calls under way, the next go by HTTP, and the WebSocket comes back', async () => {
  await using rig = await connected()
  const { client, node } = rig
  const answering = node.onSocket
  node.onSocket = (_call, socket) => socket.terminate()
  node.upgrade = 'reset'
  await expect(client.head(rig)).rejects.toMatchObject({ code: 'DA_UNREACHABLE', verdict: 'retry' })
  expect(client.transport).toBe('http')
  expect(await client.head(rig)).toMatchObject({ height: 5 })
  expect(node.calls.map(({ by }) => by)).toEqual(['websocket', 'http'])

  node.upgrade = 'open'
  node.onSocket = answering
  await rig.logged(DOWN)
  await rig.time.advance(1_000)
  await rig.logged(UP, 2)
  expect(client.transport).toBe('websocket')
  expect(await client.head(rig)).toMatchObject({ height: 5 })
  expect(node.calls.at(-1)?.by).toBe('websocket')
  expect(rig.recorder.value(CLIENT_METRICS.webSocketLost)).toBe(1)
})

test('a message above the limit is DA_MALFORMED and ends the WebSocket, not the client', async () => {
  await using rig = await connected({ maxBodyBytes: 10_000 })
  rig.node.onSocket = ({ id }, socket) => socket.send(resultText(id, 'x'.repeat(20_000_000)))
  const gone = once(theSocket(rig), 'close')
  await expect(rig.client.head(rig)).rejects.toMatchObject({ code: 'DA_MALFORMED', data: { limit: 10_000 } })
  await gone
  expect(await rig.client.head(rig)).toMatchObject({ height: 5 })
  expect(rig.node.calls.at(-1)?.by).toBe('http')
})

test('frames that are no WebSocket end it', async () => {
  await using rig = await connected()
  rig.node.onSocket = (_call, socket) => {
    // Reserved bits: no such frame exists.
    Reflect.get(socket, '_socket').write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
  }
  await expect(rig.client.head(rig)).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
  expect(await rig.client.head(rig)).toMatchObject({ height: 5 })
})

test('a DA node that is not there at the start is found when it comes', async () => {
  await using rig = await createDaClientRig({ upgrade: 'reset' })
  await rig.logged('warn: DA opens no WebSocket, calls go by HTTP')
  rig.node.results.set('header.NetworkHead', head)
  // Attempts after 1, 2, 4, 8, 16 and then every 30 seconds.
  for (const [index, wait] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
    await rig.time.advance(wait - 1)
    expect(rig.node.upgrades).toBe(index + 1)
    await rig.time.advance(1)
    await rig.logged('debug: DA opens no WebSocket, calls go by HTTP', index + 1)
  }
  expect(rig.recorder.times('warn: DA opens no WebSocket, calls go by HTTP')).toBe(1)
  expect(await rig.client.head(rig)).toMatchObject({ height: 5 })
  rig.node.upgrade = 'open'
  await rig.time.advance(30_000)
  await rig.logged(UP)
  expect(rig.client.transport).toBe('websocket')
})

test('a node that opens WebSockets and drops them is tried ever more rarely', async () => {
  await using rig = await createDaClientRig({ upgrade: 'open' })
  for (const [index, wait] of [1_000, 2_000, 4_000].entries()) {
    await rig.logged(UP, index + 1)
    theSocket(rig).terminate()
    await rig.logged(DOWN, index + 1)
    await rig.time.advance(wait - 1)
    expect(rig.node.upgrades).toBe(index + 1)
    await rig.time.advance(1)
  }
  await rig.logged(UP, 4)
})

test('after a WebSocket that served, attempts begin anew', async () => {
  await using rig = await createDaClientRig({ upgrade: 'reset' })
  rig.node.results.set('header.NetworkHead', head)
  await rig.logged('warn: DA opens no WebSocket, calls go by HTTP')
  await rig.time.advance(1_000)
  await rig.logged('debug: DA opens no WebSocket, calls go by HTTP')
  rig.node.upgrade = 'open'
  await rig.time.advance(2_000)
  await rig.logged(UP)
  await rig.client.head(rig)
  theSocket(rig).terminate()
  await rig.logged(DOWN)
  await rig.time.advance(1_000)
  await rig.logged(UP, 2)
})

test('a handshake without an answer holds up the first call for no longer than its limit', async () => {
  await using rig = await createDaClientRig({ upgrade: 'silence', openTimeout: 3_000 })
  rig.node.results.set('header.NetworkHead', head)
  const call = rig.client.head(rig)
  await rig.time.advance(2_999)
  expect(rig.node.calls).toEqual([])
  await rig.time.advance(1)
  expect(await call).toMatchObject({ height: 5 })
  expect(rig.node.calls[0]?.by).toBe('http')
})

test('a refused token is told, and HTTP says the same', async () => {
  await using rig = await createDaClientRig({ upgrade: 401 })
  rig.node.onHttp = (_call, response) => response.writeHead(401).end()
  await expect(rig.client.head(rig)).rejects.toMatchObject({ code: 'DA_UNAUTHORIZED' })
  expect(rig.client.reachable).toBe(true)
})

test('a connection over which nothing comes any more is given up', async () => {
  await using rig = await connected({ pingInterval: 10_000, silence: 30_000 })
  Reflect.get(theSocket(rig), '_socket').pause()
  rig.node.upgrade = 'reset'
  await rig.time.advance(20_000)
  expect(rig.client.transport).toBe('websocket')
  await rig.time.advance(20_000)
  await rig.logged(DOWN)
  expect(rig.client.transport).toBe('http')
})

test('pings keep a connection alive that has nothing to say, and pings are answered', async () => {
  await using rig = await connected({ pingInterval: 10_000, silence: 30_000 })
  const socket = theSocket(rig)
  for (let round = 0; round < 10; round++) {
    const pinged = once(socket, 'ping')
    await rig.time.advance(10_000)
    await pinged
    await rig.time.settle()
  }
  expect(rig.client.transport).toBe('websocket')
  const pong = once(socket, 'pong')
  socket.ping('are you there')
  expect(String((await pong)[0])).toBe('are you there')
})

test('stopping closes the WebSocket, also one whose other side does not agree', async () => {
  await using rig = await connected()
  const closed = once(theSocket(rig), 'close')
  await rig.client.stop()
  expect((await closed)[0]).toBe(1000)
  await rig.client.start()
  await rig.logged(UP, 2)
  Reflect.get(theSocket(rig), '_socket').pause()
  const stopped = rig.client.stop()
  await rig.time.advance(1_000)
  await stopped
  expect(rig.time.timers).toBe(0)
})

test('stopping ends an attempt under way', async () => {
  await using rig = await createDaClientRig({ upgrade: 'silence' })
  await rig.client.stop()
  expect(rig.time.timers).toBe(0)
})
