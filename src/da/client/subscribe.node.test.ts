import { once } from 'node:events'
import { expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { createDaClientRig, type DaClientRig } from '../../../test/support/da-client-rig.ts'
import { errorText, resultText, type SeenCall, valueText } from '../../../test/support/scripted-da-node.ts'
import { toBase64 } from '../../util/bytes.ts'
import { CLIENT_METRICS } from './metrics.ts'

const namespace = new Uint8Array(29).fill(7, 19)
const closeText = (channel: number): string =>
  JSON.stringify({ jsonrpc: '2.0', method: 'xrpc.ch.close', params: [channel] })

/** A rig whose node gives each subscription a channel and then does as told. */
async function subscribed(
  then: (channel: number, socket: WebSocket, call: SeenCall) => void,
): Promise<DaClientRig> {
  const rig = await createDaClientRig({ upgrade: 'open' })
  let channels = 0
  rig.node.results.set('header.NetworkHead', { header: { height: 5 } })
  rig.node.onSocket = (call, socket) => {
    if (call.method === 'header.NetworkHead') socket.send(resultText(call.id, { header: { height: 5 } }))
    if (call.method !== 'blob.Subscribe') return
    const channel = ++channels
    socket.send(resultText(call.id, channel))
    then(channel, socket, call)
  }
  return rig
}

const heightsOf = async (rig: DaClientRig): Promise<number[]> => {
  const heights: number[] = []
  for await (const { height } of rig.client.subscribe(namespace, rig)) heights.push(height)
  return heights
}

test('events come until the node ends the channel', async () => {
  await using rig = await subscribed(() => undefined)
  const events = rig.client.subscribe(namespace, rig)[Symbol.asyncIterator]()
  const first = events.next()
  const { params } = await rig.node.called('blob.Subscribe')
  expect(params).toEqual([toBase64(namespace)])
  const [socket] = rig.node.sockets
  socket?.send(valueText(1, { blobs: [], height: 8 }))
  expect(await first).toEqual({ done: false, value: { height: 8 } })
  socket?.send(valueText(1, { blobs: null, height: '9', header: { height: '9' } }))
  expect(await events.next()).toEqual({ done: false, value: { height: 9 } })
  socket?.send(closeText(1))
  expect(await events.next()).toEqual({ done: true, value: undefined })
})

test('values that stand right behind the answer are not lost; of many the highest counts', async () => {
  await using rig = await subscribed((channel, socket) => {
    for (let height = 1; height <= 1_000; height++) socket.send(valueText(channel, { height }))
    socket.send(closeText(channel))
  })
  const heights = await heightsOf(rig)
  expect(heights.at(-1)).toBe(1_000)
  expect(heights).toEqual(heights.toSorted((a, b) => a - b))
})

test('events without a height are dropped and counted', async () => {
  await using rig = await subscribed((channel, socket) => {
    for (const value of [null, 5, {}, { height: 0 }, { height: -1 }, { height: 'x' }, { height: 1e300 }]) {
      socket.send(valueText(channel, value))
    }
    socket.send(valueText(channel, { height: 3 }))
    socket.send(closeText(channel))
  })
  expect(await heightsOf(rig)).toEqual([3])
  expect(rig.recorder.value(CLIENT_METRICS.messagesIgnored)).toBe(7)
})

test('a subscription ends without error when its connection breaks, and may be had again', async () => {
  await using rig = await subscribed((channel, socket) => {
    socket.send(valueText(channel, { height: 4 }), () => socket.terminate())
  })
  expect(await heightsOf(rig)).toEqual([4])
  await expect(heightsOf(rig)).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
  expect(rig.client.reachable).toBe(true)
  await rig.logged('warn: lost the WebSocket to DA, calls go by HTTP')
  await rig.time.advance(1_000)
  await rig.logged('info: DA calls go by WebSocket', 2)
  expect(await heightsOf(rig)).toEqual([4])
})

test('without a WebSocket there is no subscription', async () => {
  await using rig = await createDaClientRig({ upgrade: 404 })
  await expect(heightsOf(rig)).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
  expect(rig.node.calls).toEqual([])
  expect(rig.client.reachable).toBe(true)
})

test('a node that cannot subscribe says so; a result that is no channel is malformed', async () => {
  await using rig = await createDaClientRig({ upgrade: 'open' })
  rig.node.onSocket = ({ id }, socket) => socket.send(errorText(id, -32601, 'no out channel support'))
  await expect(heightsOf(rig)).rejects.toMatchObject({ code: 'DA_FAILED' })
  rig.node.onSocket = ({ id }, socket) => socket.send(resultText(id, 'one'))
  await expect(heightsOf(rig)).rejects.toMatchObject({ code: 'DA_MALFORMED' })
})

test('who stops reading tells the node, and the calls of others go on', async () => {
  await using rig = await subscribed((channel, socket) => socket.send(valueText(channel, { height: 4 })))
  for await (const { height } of rig.client.subscribe(namespace, rig)) {
    expect(height).toBe(4)
    break
  }
  const { id } = await rig.node.called('blob.Subscribe')
  expect((await rig.node.called('xrpc.cancel')).params).toEqual([id])
  expect(await rig.client.head(rig)).toMatchObject({ height: 5 })
})

test('a cancelled subscription rejects with the reason, before and after its channel is open', async () => {
  await using rig = await subscribed(() => undefined)
  const controller = new AbortController()
  const next = rig.client.subscribe(namespace, { signal: controller.signal })[Symbol.asyncIterator]().next()
  const { id } = await rig.node.called('blob.Subscribe')
  await rig.client.head(rig)
  controller.abort(new Error('enough'))
  await expect(next).rejects.toThrow('enough')
  expect((await rig.node.called('xrpc.cancel')).params).toEqual([id])
  const early = rig.client.subscribe(namespace, { signal: controller.signal })[Symbol.asyncIterator]()
  await expect(early.next()).rejects.toThrow('enough')
})

test('subscriptions beside one another each get their own', async () => {
  await using rig = await subscribed((channel, socket) => {
    socket.send(valueText(channel, { height: channel * 100 }))
    socket.send(closeText(channel))
  })
  expect(await Promise.all([heightsOf(rig), heightsOf(rig), heightsOf(rig)])).toEqual([[100], [200], [300]])
})

test('stopping the client ends its subscriptions', async () => {
  await using rig = await subscribed((_channel, socket, { id }) => socket.send(resultText(id, 1)))
  const heights = heightsOf(rig)
  await rig.node.called('blob.Subscribe')
  await rig.client.head(rig)
  const [socket] = rig.node.sockets
  const closed = socket === undefined ? undefined : once(socket, 'close')
  await rig.client.stop()
  expect(await heights).toEqual([])
  await closed
})
