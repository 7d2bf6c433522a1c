import { expect, test } from 'vitest'
import { createDaClientRig } from '../../../test/support/da-client-rig.ts'
import { errorText } from '../../../test/support/scripted-da-node.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { toBase64, utf8 } from '../../util/bytes.ts'
import { blobToJson, createBlob } from '../blob.ts'
import { MAX_BLOB_BYTES } from './blobs-json.ts'
import { createDaClient } from './client.node.ts'
import { CLIENT_METRICS } from './metrics.ts'

const namespace = new Uint8Array(29).fill(7, 19)
const other = new Uint8Array(29).fill(8, 19)
const blob = createBlob(namespace, utf8('hello'))
const ns = toBase64(namespace)
const commitment = toBase64(blob.commitment)

for (const upgrade of [404, 'open'] as const) {
  test(`every call reaches its method with its parameters (upgrade: ${upgrade})`, async () => {
    await using rig = await createDaClientRig({ upgrade })
    const { client, node, signal } = rig
    node.results.set('blob.Submit', 12)
    node.results.set('blob.GetAll', [blobToJson(blob), null])
    node.results.set('blob.Get', blobToJson(blob))
    node.results.set('blob.GetProof', [{ start: 0 }])
    node.results.set('blob.Included', true)
    node.results.set('header.GetByHeight', { header: { height: '12', time: '2024-05-01T12:00:00Z' } })
    node.results.set('header.NetworkHead', { header: { height: 30 } })

    expect(await client.submit([blob], { signal, submit: { gas_price: 0.1 } })).toBe(12)
    expect(await client.getAll(12, [namespace, other], { signal })).toEqual([blob])
    expect(await client.get(12, namespace, blob.commitment, { signal })).toEqual(blob)
    expect(await client.getProof(12, namespace, blob.commitment, { signal })).toEqual([{ start: 0 }])
    expect(await client.included(12, namespace, [{ start: 0 }], blob.commitment, { signal })).toBe(true)
    expect(await client.header(12, { signal })).toMatchObject({ height: 12 })
    expect(await client.head({ signal })).toMatchObject({ height: 30 })

    expect(node.calls.map(({ method, params }) => [method, params])).toEqual([
      ['blob.Submit', [[blobToJson(blob)], { gas_price: 0.1 }]],
      ['blob.GetAll', [12, [ns, toBase64(other)]]],
      ['blob.Get', [12, ns, commitment]],
      ['blob.GetProof', [12, ns, commitment]],
      ['blob.Included', [12, ns, [{ start: 0 }], commitment]],
      ['header.GetByHeight', [12]],
      ['header.NetworkHead', []],
    ])
    const by = upgrade === 'open' ? 'websocket' : 'http'
    expect(new Set(node.calls.map((call) => call.by))).toEqual(new Set([by]))
    expect(new Set(node.calls.map(({ id }) => id)).size).toBe(7)
    expect(client.transport).toBe(by)
  })

  test(`the token goes with every call, and is never logged (upgrade: ${upgrade})`, async () => {
    await using rig = await createDaClientRig({ upgrade, authToken: 'sesame' })
    rig.node.results.set('blob.Submit', 12)
    await rig.client.submit([blob], { signal: rig.signal })
    await expect(rig.client.head({ signal: rig.signal })).rejects.toMatchObject({
      message: expect.not.stringContaining('sesame'),
    })
    expect(rig.node.calls.map(({ authorization }) => authorization)).toEqual([
      'Bearer sesame',
      'Bearer sesame',
    ])
    expect(rig.recorder.lines.join()).not.toContain('sesame')
  })

  test(`an error of the DA node becomes one of ours (upgrade: ${upgrade})`, async () => {
    await using rig = await createDaClientRig({ upgrade })
    const text = errorText(1, 1, 'header: given height is from the future')
    rig.node.onHttp = (_call, response) => response.writeHead(500).end(text)
    rig.node.onSocket = (_call, socket) => socket.send(text)
    await expect(rig.client.getAll(1, [namespace], { signal: rig.signal })).rejects.toMatchObject({
      code: 'DA_FROM_FUTURE',
      verdict: 'retry',
    })
    expect(rig.client.reachable).toBe(true)
  })
}

test('a height without blobs has none, however the DA node puts it', async () => {
  await using rig = await createDaClientRig()
  const { client, node, signal } = rig
  node.results.set('blob.GetAll', null)
  expect(await client.getAll(1, [namespace], { signal })).toEqual([])
  node.onHttp = ({ id }, response) => response.end(errorText(id, 1, 'getting blobs: blob: not found'))
  expect(await client.getAll(1, [namespace], { signal })).toEqual([])
  await expect(client.get(1, namespace, blob.commitment, { signal })).rejects.toMatchObject({
    code: 'DA_NOT_FOUND',
  })
})

test('a number alone does not make a height empty', async () => {
  await using rig = await createDaClientRig()
  rig.node.onHttp = ({ id }, response) => response.end(errorText(id, 2, 'websocket closed'))
  await expect(rig.client.getAll(1, [namespace], { signal: rig.signal })).rejects.toMatchObject({
    code: 'DA_NOT_FOUND',
  })
})

test('blobs of others, broken ones and huge ones are left out of a height', async () => {
  await using rig = await createDaClientRig()
  const good = blobToJson(blob)
  const foreign = blobToJson(createBlob(other, utf8('x')))
  const huge = { ...good, data: Buffer.alloc(MAX_BLOB_BYTES + 1).toString('base64') }
  rig.node.results.set('blob.GetAll', [foreign, { ...good, data: '!' }, huge, good])
  expect(await rig.client.getAll(1, [namespace], { signal: rig.signal })).toEqual([blob])
  expect(rig.recorder.value(CLIENT_METRICS.blobsDropped)).toBe(3)
})

test.each([
  ['blob.Submit', 0],
  ['blob.Submit', null],
  ['blob.Submit', -1],
  ['blob.Submit', { height: 1 }],
  ['blob.GetAll', { blobs: [] }],
  ['blob.Get', null],
  ['blob.Get', { ...blobToJson(blob), commitment: toBase64(new Uint8Array(32)) }],
  ['blob.Included', null],
  ['header.GetByHeight', { header: { height: 2 } }],
  ['header.GetByHeight', null],
  ['header.NetworkHead', 5],
])('%s with the result %j is DA_MALFORMED', async (method, result) => {
  await using rig = await createDaClientRig()
  const { client, signal } = rig
  rig.node.results.set(method, result)
  const calls: Record<string, () => Promise<unknown>> = {
    'blob.Submit': async () => await client.submit([blob], { signal }),
    'blob.GetAll': async () => await client.getAll(1, [namespace], { signal }),
    'blob.Get': async () => await client.get(1, namespace, blob.commitment, { signal }),
    'blob.Included': async () => await client.included(1, namespace, [], blob.commitment, { signal }),
    'header.GetByHeight': async () => await client.header(1, { signal }),
    'header.NetworkHead': async () => await client.head({ signal }),
  }
  await expect(calls[method]?.()).rejects.toMatchObject({ code: 'DA_MALFORMED', verdict: 'retry' })
  expect(client.reachable).toBe(true)
})

test('a blob above 5 MiB is not even sent', async () => {
  await using rig = await createDaClientRig()
  const large = { ...blob, data: new Uint8Array(MAX_BLOB_BYTES + 1) }
  await expect(rig.client.submit([blob, large], { signal: rig.signal })).rejects.toMatchObject({
    code: 'DA_TOO_BIG',
  })
  expect(rig.node.calls).toEqual([])
})

test('a client that does not run refuses; start and stop may come twice and in any order', async () => {
  await using rig = await createDaClientRig({ started: false })
  const { client, node, signal } = rig
  node.results.set('header.NetworkHead', { header: { height: 1 } })
  const refused = { code: 'DA_UNREACHABLE', message: 'the DA client does not run' }
  await client.stop()
  await expect(client.head({ signal })).rejects.toMatchObject(refused)
  await Promise.all([client.start(), client.start()])
  expect(await client.head({ signal })).toMatchObject({ height: 1 })
  await Promise.all([client.stop(), client.stop()])
  await expect(client.head({ signal })).rejects.toMatchObject(refused)
  await client.start()
  expect(await client.head({ signal })).toMatchObject({ height: 1 })
  await client.stop()
  expect(rig.time.timers).toBe(0)
})

test('an address that is none is refused when the client is made', async () => {
  await using rig = await createDaClientRig({ started: false })
  const deps = { env: rig.time.env, logger: noopLogger, metrics: noopMetrics }
  expect(() => createDaClient(deps, { address: 'ftp://da' })).toThrow(
    expect.objectContaining({ code: 'INVALID_CONFIG' }),
  )
})
