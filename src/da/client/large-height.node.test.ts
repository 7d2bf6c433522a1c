/*
 * DA heights that strangers have filled.
 */
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { createDaClientRig, type DaClientRig, failureOf } from '../../../test/support/da-client-rig.ts'
import { errorText, resultText, type ScriptedDaNode } from '../../../test/support/scripted-da-node.ts'
import { deferred } from '../../util/async.ts'
import { fromUtf8, utf8 } from '../../util/bytes.ts'
import { blobToJson, createBlob } from '../blob.ts'
import { MAX_BLOB_BYTES } from './blobs-json.ts'
import { CLIENT_METRICS } from './metrics.ts'

const MIB = 1024 * 1024
const namespace = new Uint8Array(29).fill(7, 19)
const UP = 'info: DA calls go by WebSocket'

const blobOf = (data: Uint8Array) => ({
  namespace,
  data,
  shareVersion: 0,
  commitment: new Uint8Array(32),
  index: 0,
})
const honest = (id: number): string => JSON.stringify(blobToJson(createBlob(namespace, utf8(`honest ${id}`))))
const isHonest = ({ data }: { readonly data: Uint8Array }): boolean =>
  fromUtf8(data.subarray(0, 6)) === 'honest'
const stranger = (bytes: number): Buffer =>
  Buffer.from(`${JSON.stringify(blobToJson(blobOf(new Uint8Array(bytes).fill(0xfb))))}, `)

/** A body in pieces: `count` blobs of strangers, before each `every`-th one a honest blob, and one at the end. */
function* filled(id: number | undefined, count: number, every: number, large: Buffer): Generator<Buffer> {
  yield Buffer.from('{"jsonrpc":"2.0","result":[\n')
  for (let at = 0; at < count; at++) {
    if (at % every === 0) yield Buffer.from(`${honest(at)},`)
    // In two, so that pieces end anywhere.
    const cut = (at * 7_919) % large.length
    yield large.subarray(0, cut)
    yield large.subarray(cut)
  }
  yield Buffer.from(`${honest(count)}],"id":${id}}`)
}

type HttpHandler = ScriptedDaNode['onHttp']

const answering =
  (pieces: (id: number | undefined) => Iterable<Buffer>): HttpHandler =>
  ({ id }, response) => {
    pipeline(Readable.from(pieces(id)), response).catch(() => undefined)
  }

const textsOf = (blobs: readonly { readonly data: Uint8Array }[]): unknown[] =>
  blobs.map(({ data }) => fromUtf8(data))

/** A rig whose WebSocket is open, and that takes small answers only. */
async function connected(): Promise<DaClientRig> {
  const rig = await createDaClientRig({ upgrade: 'open', maxBodyBytes: 10_000 })
  rig.node.results.set('header.NetworkHead', { header: { height: 5 } })
  await rig.logged(UP)
  return rig
}

test('100 MiB of strangers hide nothing and are never held together', async () => {
  await using rig = await createDaClientRig()
  const large = stranger(MIB)
  let sent = 0
  rig.node.onHttp = answering(function* counted(id) {
    for (const piece of filled(id, 100, 10, large)) {
      sent += piece.length
      yield piece
    }
  })
  const inUse = (): number => process.memoryUsage().arrayBuffers + process.memoryUsage().heapUsed
  const before = inUse()
  let peak = 0
  let taken = 0
  let underWay = 0
  const keep = (blob: { readonly data: Uint8Array }): boolean => {
    peak = Math.max(peak, inUse() - before)
    underWay = Math.max(underWay, sent - taken)
    taken += (blob.data.length * 4) / 3
    return isHonest(blob)
  }
  const blobs = await rig.client.getAll(5, [namespace], { signal: rig.signal, keep })
  expect(textsOf(blobs)).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((id) => `honest ${id}`))
  expect(rig.recorder.value(CLIENT_METRICS.blobsDropped)).toBe(100)
  expect(rig.recorder.value(CLIENT_METRICS.largeAnswers)).toBe(1)
  // What the kernel holds on loopback, and what is garbage already, counts too.
  expect(underWay).toBeLessThan(48 * MIB)
  expect(peak).toBeLessThan(256 * MIB)
})

test('what nobody sorts out is kept up to the bound', async () => {
  await using rig = await createDaClientRig({ maxKeptBytes: 10 * MIB })
  const large = stranger(MIB)
  rig.node.onHttp = answering((id) => filled(id, 30, 100, large))
  const blobs = await rig.client.getAll(5, [namespace], { signal: rig.signal })
  expect(blobs.map(isHonest)).toEqual([true, ...Array.from({ length: 9 }, () => false), true])
  expect(rig.recorder.value(CLIENT_METRICS.blobsDropped)).toBe(21)
})

test('a blob that is larger than any is passed over', async () => {
  await using rig = await createDaClientRig()
  const large = stranger(3 * MAX_BLOB_BYTES)
  rig.node.onHttp = answering((id) => filled(id, 2, 1, large))
  const blobs = await rig.client.getAll(5, [namespace], { signal: rig.signal })
  expect(textsOf(blobs)).toEqual(['honest 0', 'honest 1', 'honest 2'])
  expect(rig.recorder.value(CLIENT_METRICS.blobsDropped)).toBe(2)
})

test('a list without end is cut at the limit', async () => {
  await using rig = await createDaClientRig({ maxHeightBytes: 3_000_000 })
  const large = stranger(100_000)
  const cut = deferred<void>()
  rig.node.onHttp = (call, response, request) => {
    response.on('close', () => cut.resolve())
    answering((id) => filled(id, Number.POSITIVE_INFINITY, 10, large))(call, response, request)
  }
  await expect(rig.client.getAll(5, [namespace], rig)).rejects.toMatchObject({
    code: 'DA_MALFORMED',
    data: { limit: 3_000_000 },
  })
  await cut.promise
})

test('a list that comes too slowly is DA_TIMEOUT, and the connection is let go of', async () => {
  await using rig = await createDaClientRig({ requestTimeout: 5_000 })
  const closed = deferred<void>()
  const come = deferred<void>()
  rig.node.onHttp = ({ id }, response) => {
    response.on('close', () => closed.resolve())
    response.write(
      `{"jsonrpc":"2.0","id":${id},"result":[${honest(1)},${honest(2)},${honest(3).slice(0, 20)}`,
    )
  }
  const keep = (blob: { readonly data: Uint8Array }): boolean => {
    if (fromUtf8(blob.data) === 'honest 2') come.resolve()
    return true
  }
  const failure = failureOf(rig.client.getAll(5, [namespace], { signal: rig.signal, keep }))
  await come.promise
  await rig.time.advance(4_999)
  expect(rig.client.reachable).toBe(true)
  await rig.time.advance(1)
  expect(await failure).toMatchObject({ code: 'DA_TIMEOUT', verdict: 'retry' })
  await closed.promise
})

const list = `[${honest(1)},${stranger(1_000).toString()}${honest(2)}]`
const found = ['honest 1', 'honest 2']

test.each([
  ['with its id last', (id: number) => `{"jsonrpc":"2.0","result":${list},"id":${id}}`],
  ['with its id first', (id: number) => `{"id":${id},"jsonrpc":"2.0","result":${list}}`],
  ['with an error that is null', (id: number) => `{"error":null,"result":${list},"id":${id}}`],
  ['with white space', (id: number) => ` {\n"id" : ${id} ,\t"result" :\r\n ${list} }\n`],
])('a list %s is read', async (_name, text) => {
  await using rig = await createDaClientRig()
  rig.node.onHttp = ({ id = 0 }, response) => response.end(text(id))
  const blobs = await rig.client.getAll(5, [namespace], { signal: rig.signal, keep: isHonest })
  expect(textsOf(blobs)).toEqual(found)
})

test.each([
  ['the answer to another call', 'DA_MALFORMED', (id: number) => `{"result":${list},"id":${id + 1}}`],
  ['one without id', 'DA_MALFORMED', () => `{"result":${list}}`],
  ['one cut short', 'DA_MALFORMED', (id: number) => `{"id":${id},"result":${list}`],
  [
    'one cut short within a blob',
    'DA_MALFORMED',
    (id: number) => `{"id":${id},"result":${list.slice(0, -9)}`,
  ],
  [
    'one with a blob that is no JSON',
    'DA_MALFORMED',
    (id: number) => `{"result":[${honest(1)},{]],"id":${id}}`,
  ],
  ['one with two results', 'DA_MALFORMED', (id: number) => `{"result":${list},"id":${id},"result":[]}`],
  ['no list', 'DA_MALFORMED', (id: number) => resultText(id, { blobs: [] })],
  [
    'an error beside it',
    'DA_FROM_FUTURE',
    (id: number) => `{"result":${list},${errorText(id, 1, 'given height is from the future').slice(1)}`,
  ],
])('%s is no list of blobs (%s)', async (_name, code, text) => {
  await using rig = await createDaClientRig()
  rig.node.onHttp = ({ id = 0 }, response) => response.end(text(id))
  await expect(rig.client.getAll(5, [namespace], rig)).rejects.toMatchObject({ code })
  rig.node.onHttp = ({ id }, response) => response.end(resultText(id, null))
  expect(await rig.client.getAll(5, [namespace], rig)).toEqual([])
})

test('a height too large for the WebSocket is read by HTTP at once, and the next ones without breaking it', async () => {
  await using rig = await connected()
  const { client, node, signal, time } = rig
  const large = stranger(1_000)
  const text = (id: number | undefined): string => Buffer.concat([...filled(id, 20, 5, large)]).toString()
  node.onHttp = ({ id }, response) => response.end(text(id))
  const answer = node.onSocket
  node.onSocket = (call, socket) =>
    call.method === 'blob.GetAll' ? socket.send(text(call.id)) : answer(call, socket)
  const read = async (): Promise<unknown> =>
    textsOf(await client.getAll(5, [namespace], { signal, keep: isHonest }))
  const all = [0, 5, 10, 15, 20].map((id) => `honest ${id}`)
  const byOf = (from: number): unknown => node.calls.slice(from).map(({ method, by }) => `${method} ${by}`)

  expect(await read()).toEqual(all)
  expect(client.reachable).toBe(true)
  expect(byOf(0)).toEqual(['blob.GetAll websocket', 'blob.GetAll http'])
  await rig.logged('warn: lost the WebSocket to DA, calls go by HTTP')
  await time.advance(1_000)
  await rig.logged(UP, 2)

  expect(await read()).toEqual(all)
  expect(await read()).toEqual(all)
  expect(await client.head({ signal })).toMatchObject({ height: 5 })
  expect(byOf(2)).toEqual(['blob.GetAll http', 'blob.GetAll http', 'header.NetworkHead websocket'])
  expect(rig.recorder.value(CLIENT_METRICS.webSocketLost)).toBe(1)

  node.onHttp = ({ id }, response) => response.end(resultText(id, null))
  node.onSocket = ({ id }, socket) => socket.send(resultText(id, null))
  await time.advance(10 * 60_000 - 1)
  await read()
  await time.advance(1)
  await read()
  expect(byOf(5)).toEqual(['blob.GetAll http', 'blob.GetAll websocket'])
})

test('a node that answers by WebSocket alone is asked that way again', async () => {
  await using rig = await connected()
  const { client, node, signal } = rig
  node.onHttp = ({ id }, response) =>
    response.end(`{"id":${id},"result":${list.slice(0, -1)},"${'x'.repeat(10_000)}"]}`)
  node.onSocket = ({ id }, socket) => socket.send(`{"id":${id},"result":["${'x'.repeat(10_000)}"]}`)
  expect(await client.getAll(5, [namespace], { signal })).toHaveLength(3)
  await rig.logged('warn: lost the WebSocket to DA, calls go by HTTP')
  await rig.time.advance(1_000)
  await rig.logged(UP, 2)
  node.onHttp = (_call, response) => response.writeHead(502).end()
  node.onSocket = ({ id }, socket) => socket.send(`{"id":${id},"result":${list}}`)
  await expect(client.getAll(6, [namespace], { signal })).rejects.toMatchObject({ code: 'DA_UNREACHABLE' })
  expect(await client.getAll(6, [namespace], { signal })).toHaveLength(3)
  expect(node.calls.at(-1)?.by).toBe('websocket')
})
