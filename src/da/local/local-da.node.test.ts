import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { sha256 } from '#crypto'
import { callDa, daCall, openRawDa, postDa, type RawDa } from '../../../test/support/raw-da.ts'
import { createFaultyKv } from '../../../test/support/faulty-kv.ts'
import { recordedDa } from '../../../test/support/recorded-chain.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { systemEnv } from '../../core/env.ts'
import { noopLogger } from '../../core/logger.ts'
import { createLevelKv } from '../../store/kv-level.node.ts'
import { createMemoryKv } from '../../store/kv-memory.ts'
import { namespaceBytes } from '../../types/namespace.ts'
import { parseTimestamp } from '../../types/timestamp.ts'
import { concatBytes, fromHex, toBase64, utf8 } from '../../util/bytes.ts'
import { blobFromJson, blobToJson, createBlob } from '../blob.ts'
import { merkleRoot, shareCount, shareLeaf } from '../commitment.ts'
import {
  createLocalDa,
  type Fault,
  type LocalDa,
  type LocalDaDeps,
  type LocalDaOptions,
} from './local-da.node.ts'

const deps: LocalDaDeps = { env: systemEnv, logger: noopLogger }
const namespace = namespaceBytes('a chain')
const other = namespaceBytes('another chain')
const ns = toBase64(namespace)
const blob = createBlob(namespace, utf8('some block'))
const json = blobToJson(blob)

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

/** A local DA that makes a block for each submission at once, unless told otherwise. */
async function started(options: LocalDaOptions = {}, own: Partial<LocalDaDeps> = {}): Promise<LocalDa> {
  const da = createLocalDa({ ...deps, ...own }, { blockTime: 0, ...options })
  undo.push(async () => await da.stop())
  await da.start()
  return da
}

async function opened(da: LocalDa, headers: Record<string, string> = {}): Promise<RawDa> {
  const raw = await openRawDa(da.address, headers)
  undo.push(() => raw.socket.terminate())
  return raw
}

/** Asks the DA until what it has done is enough: a round trip each time. */
async function until(da: LocalDa, enough: (stats: ReturnType<LocalDa['stats']>) => boolean): Promise<void> {
  while (!enough(da.stats())) await fetch(da.address).then(async (response) => await response.text())
}

function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, name) : undefined),
    value,
  )
}

const failed = (message: string, code: number = 1): unknown => ({
  error: { code, message: expect.stringContaining(message) },
})

describe('blobs', () => {
  test('are in the block whose height the submission is told, and are found there by all who ask', async () => {
    const da = await started()
    const height = await callDa(da.address, 'blob.Submit', [[json], { gas_price: 0.1 }])
    expect(height).toBe(1)
    const kept = { ...json, index: 0 }
    expect(await callDa(da.address, 'blob.Get', [1, ns, json.commitment])).toEqual(kept)
    expect(await callDa(da.address, 'blob.GetAll', [1, [ns]])).toEqual([kept])
    expect(await callDa(da.address, 'blob.GetAll', [1, []])).toEqual([kept])
    expect(await callDa(da.address, 'blob.GetAll', [1, [toBase64(other)]])).toBeNull()
    expect(await callDa(da.address, 'blob.GetAll', [0, [ns]])).toBeNull()
  })

  test('of several namespaces come in the order asked for, each with the place of its first share', async () => {
    const da = await started()
    const blobs = [
      createBlob(other, new Uint8Array(1_000).fill(1)),
      blob,
      createBlob(other, utf8('two')),
      createBlob(namespace, utf8('three')),
    ]
    await callDa(da.address, 'blob.Submit', [blobs.map(blobToJson)])
    const found = await callDa(da.address, 'blob.GetAll', [1, [toBase64(other), ns]])
    const order = [0, 2, 1, 3].map((i) => blobs[i]?.commitment)
    expect(
      Array.isArray(found) ? found.map(blobFromJson).map(({ commitment }) => commitment) : found,
    ).toEqual(order)
    const everything = await callDa(da.address, 'blob.GetAll', [1, []])
    const indexes = Array.isArray(everything) ? everything.map((one) => at(one, 'index')) : []
    expect(indexes.toSorted((a, b) => Number(a) - Number(b))).toEqual(indexes)
    expect(new Set(indexes).size).toBe(4)
    expect(indexes[0]).toBe(0)
  })

  test('that are not there, or not yet, are told apart', async () => {
    const da = await started()
    await callDa(da.address, 'blob.Submit', [[json]])
    const unknown = toBase64(new Uint8Array(32))
    const cases = { 'blob.Get': [1, ns, unknown], 'blob.GetProof': [1, ns, unknown] }
    for (const [method, params] of Object.entries(cases)) {
      expect(await callDa(da.address, method, params)).toEqual(failed('blob: not found'))
    }
    const future = {
      'blob.GetAll': [2, [ns]],
      'header.GetByHeight': [2],
      'blob.Get': [2, ns, json.commitment],
    }
    for (const [method, params] of Object.entries(future)) {
      expect(await callDa(da.address, method, params)).toEqual(failed('given height is from the future'))
    }
  })

  test.each<[string, unknown, string, number]>([
    ['that are no list', {}, 'blobs', -32602],
    ['that are none', [], 'no blobs', 1],
    ['that are no objects', [5], 'blob 0', -32602],
    [
      'with another commitment',
      [{ ...json, commitment: toBase64(new Uint8Array(32)) }],
      'commitment',
      -32602,
    ],
    ['with changed data', [json, { ...json, data: toBase64(utf8('other')) }], 'blob 1', -32602],
    ['without data', [{ ...json, data: '' }], 'data', -32602],
    ['with data that is no base64', [{ ...json, data: '?' }], 'base64', -32602],
    ['of another share version', [{ ...json, share_version: 1 }], 'share version', -32602],
    ['of a short namespace', [{ ...json, namespace: 'AAAA' }], 'namespace', -32602],
    ['of a reserved namespace', [lifted(new Uint8Array(29).fill(4, 28))], 'namespace', -32602],
    ['of a namespace of version 255', [lifted(new Uint8Array(29).fill(255))], 'namespace', -32602],
    [
      'over the limit',
      [blobToJson(createBlob(namespace, new Uint8Array(2_001)))],
      'blob: over size limit',
      1,
    ],
  ])('%s are refused, and no block is made', async (_what, blobs, message, code) => {
    const da = await started({ maxBlobSize: 2_000 })
    expect(await callDa(da.address, 'blob.Submit', [blobs])).toEqual(failed(message, code))
    expect(da.height).toBe(0)
  })

  test('without commitment get it', async () => {
    const da = await started()
    await callDa(da.address, 'blob.Submit', [[{ ...json, commitment: null }]])
    expect(await callDa(da.address, 'blob.GetAll', [1, [ns]])).toEqual([{ ...json, index: 0 }])
  })
})

function lifted(reserved: Uint8Array): unknown {
  return blobToJson(createBlob(reserved, utf8('x')))
}

describe('headers', () => {
  test('chain by their hashes, and their times rise', async () => {
    const da = await started()
    for (let i = 0; i < 3; i++) await da.produce()
    const headers = await Promise.all(
      [0, 1, 2, 3].map((height) => callDa(da.address, 'header.GetByHeight', [height])),
    )
    for (const [height, header] of headers.entries()) {
      expect(header).toMatchObject({ header: { height, chain_id: 'local-da' }, height: String(height) })
      expect(at(header, 'commit', 'block_id', 'hash')).toMatch(/^[0-9A-F]{64}$/)
      const below = headers[height - 1]
      expect(at(header, 'header', 'last_block_id', 'hash')).toBe(
        below === undefined ? '' : at(below, 'commit', 'block_id', 'hash'),
      )
    }
    const times = headers.map((header) => parseTimestamp(String(at(header, 'header', 'time'))) ?? 0n)
    expect(times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0n))).toBe(true)
    expect(await callDa(da.address, 'header.NetworkHead')).toEqual(headers[3])
    expect(await callDa(da.address, 'header.LocalHead')).toEqual(headers[3])
  })

  test('cover the blobs: other blobs at the same time make another hash', async () => {
    const hashes = await Promise.all(
      ['one', 'two', 'two'].map(async (text) => {
        const da = await started({}, { env: createVirtualEnv().env })
        await callDa(da.address, 'blob.Submit', [[blobToJson(createBlob(namespace, utf8(text)))]])
        return at(await callDa(da.address, 'header.LocalHead'), 'commit', 'block_id', 'hash')
      }),
    )
    expect(hashes[1]).toBe(hashes[2])
    expect(hashes[0]).not.toBe(hashes[1])
  })
})

describe('proofs', () => {
  const blobs = [100, 3_000, 700, 1_500, 10].map((size, i) =>
    createBlob(i % 2 === 0 ? namespace : other, new Uint8Array(size).fill(i)),
  )

  test('of every blob lead from its shares to the row root in the header', async () => {
    const da = await started()
    await callDa(da.address, 'blob.Submit', [blobs.map(blobToJson)])
    const root = String(at(await callDa(da.address, 'header.GetByHeight', [1]), 'dah', 'row_roots', 0))
    const total = blobs.reduce((sum, { data }) => sum + shareCount(data.length), 0)
    for (const one of blobs) {
      const proof = await callDa(da.address, 'blob.GetProof', [
        1,
        toBase64(one.namespace),
        toBase64(one.commitment),
      ])
      expect(proof).toHaveLength(1)
      expect(rootByProof(one, at(proof, 0), total)).toBe(root)
      const altered = { ...one, data: one.data.map((byte, i) => (i === 0 ? byte + 1 : byte)) }
      expect(rootByProof(altered, at(proof, 0), total)).not.toBe(root)
    }
  })

  test('are asked back: included is told for what is there, with its proof or without any', async () => {
    const da = await started()
    await callDa(da.address, 'blob.Submit', [blobs.map(blobToJson)])
    const name = [toBase64(namespace), toBase64(blobs[0]?.commitment ?? utf8(''))] as const
    const proof = await callDa(da.address, 'blob.GetProof', [1, ...name])
    const included = async (height: number, given: unknown, commitment: string = name[1]): Promise<unknown> =>
      await callDa(da.address, 'blob.Included', [height, name[0], given, commitment])
    expect(await included(1, proof)).toBe(true)
    expect(await included(1, null)).toBe(true)
    expect(await included(1, [])).toEqual(failed('blob: invalid proof'))
    expect(await included(1, proof, json.commitment)).toBe(false)
    expect(await included(0, proof)).toBe(false)
    expect(await included(2, proof)).toEqual(failed('from the future'))
  })

  test('of a commitment are the subtree roots under it', async () => {
    const da = await started()
    const large = createBlob(namespace, new Uint8Array(100_000).fill(7))
    await callDa(da.address, 'blob.Submit', [[blobToJson(large)]])
    const proof = await callDa(da.address, 'blob.GetCommitmentProof', [1, ns, toBase64(large.commitment)])
    const roots = at(proof, 'subtree_roots')
    const bytes = Array.isArray(roots) ? roots.map((root) => Buffer.from(String(root), 'base64')) : []
    expect(bytes.length).toBeGreaterThan(1)
    expect(toBase64(merkleRoot(bytes))).toBe(toBase64(large.commitment))
  })
})

/** The root that a range proof and the shares of a blob make, in base64: as a verifier computes it. */
function rootByProof(of: typeof blob, proof: unknown, total: number): string {
  const [start, end] = [Number(at(proof, 'start') ?? 0), Number(at(proof, 'end'))]
  const given = at(proof, 'nodes')
  const nodes = Array.isArray(given)
    ? given.map((node) => new Uint8Array(Buffer.from(String(node), 'base64')))
    : []
  const leaf = (index: number): Uint8Array =>
    concatBytes(of.namespace, of.namespace, sha256(shareLeaf(of.namespace, of.data, index - start)))
  const walk = (from: number, to: number): Uint8Array => {
    if (to <= start || from >= end) return nodes.shift() ?? new Uint8Array(90)
    if (to - from === 1) return leaf(from)
    let split = 1
    while (split * 2 < to - from) split *= 2
    const [left, right] = [walk(from, from + split), walk(from + split, to)]
    return concatBytes(
      left.subarray(0, 29),
      right.subarray(29, 58),
      sha256(concatBytes(Uint8Array.of(1), left, right)),
    )
  }
  return end - start === shareCount(of.data.length) ? toBase64(walk(0, total)) : 'a range of another length'
}

describe('blocks', () => {
  test('come every block time, also empty ones, and hold all that was submitted meanwhile', async () => {
    const clock = createVirtualEnv()
    const da = await started({ blockTime: 1_000 }, { env: clock.env })
    await clock.advance(2_500)
    expect(da.height).toBe(2)
    const raw = await opened(da)
    raw.send(daCall('blob.Submit', [[json]], 1))
    raw.send(daCall('blob.Submit', [[blobToJson(createBlob(other, utf8('x')))]], 2))
    raw.send(daCall('header.LocalHead', [], 3))
    expect(await raw.next()).toMatchObject({ id: 3, result: { height: '2' } })
    await clock.advance(500)
    expect(await raw.next()).toEqual({ jsonrpc: '2.0', id: 1, result: 3 })
    expect(await raw.next()).toEqual({ jsonrpc: '2.0', id: 2, result: 3 })
    await clock.advance(10_000)
    expect(da.height).toBe(13)
    expect(da.stats()).toMatchObject({ height: 13, blobs: 2, blobBytes: 11, pendingBytes: 0 })
  })

  test('are not made while paused, except by hand', async () => {
    const clock = createVirtualEnv()
    const da = await started({ blockTime: 100 }, { env: clock.env })
    da.pause()
    const answer = callDa(da.address, 'blob.Submit', [[json]])
    await until(da, ({ pendingBytes }) => pendingBytes === blob.data.length)
    await clock.advance(1_000)
    expect(da.height).toBe(0)
    expect(await da.produce()).toBe(1)
    expect(await answer).toBe(1)
    da.resume()
    await clock.advance(100)
    expect(da.height).toBe(2)
  })

  test('one for each submission when the block time is 0, also of those that came while paused', async () => {
    const da = await started()
    da.pause()
    const answers = [1, 2, 3].map(() => callDa(da.address, 'blob.Submit', [[json]]))
    await until(da, ({ pendingBytes }) => pendingBytes === 3 * blob.data.length)
    da.resume()
    expect(new Set(await Promise.all(answers))).toEqual(new Set([1, 2, 3]))
  })

  test('that cannot be kept are not made: who submitted is told, and the next one has that height', async () => {
    const kv = createFaultyKv(createMemoryKv())
    await kv.start()
    const da = await started({}, { kv })
    kv.fail = () => 'before'
    expect(await callDa(da.address, 'blob.Submit', [[json]])).toEqual(failed('the disk does not write'))
    expect(da.height).toBe(0)
    kv.fail = undefined
    expect(await callDa(da.address, 'blob.Submit', [[json]])).toBe(1)
  })

  test('stop taking blobs when memory is full, and go on empty as long as there is room', async () => {
    const da = await started({ maxBytes: 4_000 })
    const large = [blobToJson(createBlob(namespace, new Uint8Array(3_000)))]
    expect(await callDa(da.address, 'blob.Submit', [large])).toBe(1)
    expect(await callDa(da.address, 'blob.Submit', [large])).toEqual(failed('the local DA is full'))
    expect(da.height).toBe(2)
    await expect(async () => {
      for (;;) await da.produce()
    }).rejects.toMatchObject({ code: 'LOCAL_DA_FULL' })
    expect(da.stats().memoryBytes).toBeLessThanOrEqual(4_000)
    expect(await callDa(da.address, 'blob.GetAll', [1, [ns]])).toHaveLength(1)
  })

  test('do not take more than may wait', async () => {
    const da = await started({ maxPendingBytes: 25 })
    da.pause()
    const answers = [1, 2].map(() => callDa(da.address, 'blob.Submit', [[json]]))
    await until(da, ({ pendingBytes }) => pendingBytes === 20)
    expect(await callDa(da.address, 'blob.Submit', [[json]])).toEqual(failed('mempool is full'))
    await da.produce()
    expect(await Promise.all(answers)).toEqual([1, 1])
  })
})

describe('subscriptions', () => {
  test('to a namespace tell every height, with its blobs or with none', async () => {
    const da = await started()
    const raw = await opened(da)
    raw.send(daCall('blob.Subscribe', [ns], 7))
    expect(await raw.next()).toEqual({ jsonrpc: '2.0', id: 7, result: 1 })
    await callDa(da.address, 'blob.Submit', [[json, blobToJson(createBlob(other, utf8('x')))]])
    const header = at(await callDa(da.address, 'header.GetByHeight', [1]), 'header')
    expect(await raw.next()).toEqual({
      jsonrpc: '2.0',
      method: 'xrpc.ch.val',
      params: [1, { blobs: [{ ...json, index: expect.any(Number) }], height: 1, header }],
    })
    await da.produce()
    expect(await raw.next()).toMatchObject({ params: [1, { blobs: null, height: 2 }] })
  })

  test('end when cancelled, which closes their channel; the others of the connection go on', async () => {
    const da = await started()
    const raw = await opened(da)
    raw.send(daCall('blob.Subscribe', [ns], 'a'))
    raw.send(daCall('header.Subscribe', [], 'b'))
    expect([await raw.next(), await raw.next()]).toMatchObject([
      { id: 'a', result: 1 },
      { id: 'b', result: 2 },
    ])
    raw.send({ jsonrpc: '2.0', method: 'xrpc.cancel', params: ['a'] })
    expect(await raw.next()).toEqual({ jsonrpc: '2.0', method: 'xrpc.ch.close', params: [1] })
    await da.produce()
    expect(await raw.next()).toMatchObject({ method: 'xrpc.ch.val', params: [2, { height: '1' }] })
    expect(da.stats().subscriptions).toBe(1)
  })

  test('end with their connection', async () => {
    const da = await started()
    const raw = await opened(da)
    raw.send(daCall('header.Subscribe'))
    await raw.next()
    raw.socket.close()
    await until(da, ({ subscriptions, webSockets }) => subscriptions === 0 && webSockets === 0)
    await da.produce()
  })

  test('need a WebSocket', async () => {
    const da = await started()
    expect(await callDa(da.address, 'blob.Subscribe', [ns])).toEqual(failed('needs a WebSocket', -32601))
  })

  test('of a client that does not read are dropped with a reason, and hold nobody up', async () => {
    const da = await started({ maxBacklogBytes: 100_000 })
    const [slow, fast] = [await opened(da), await opened(da)]
    for (const raw of [slow, fast]) {
      raw.send(daCall('blob.Subscribe', [ns]))
      await raw.next()
    }
    slow.socket.pause()
    const large = [blobToJson(createBlob(namespace, new Uint8Array(1_000_000)))]
    for (let height = 1; da.stats().subscriptions === 2; height++) {
      await callDa(da.address, 'blob.Submit', [large])
      expect(await fast.next()).toMatchObject({ params: [1, { height }] })
    }
    slow.socket.resume()
    expect(await slow.closed).toMatchObject({ code: 1013, reason: expect.stringContaining('too slow') })
  })
})

describe('a call over a WebSocket', () => {
  test('that is cancelled is answered, and its submission still gets into a block', async () => {
    const da = await started()
    da.pause()
    const raw = await opened(da)
    raw.send(daCall('blob.Submit', [[json]], 5))
    await until(da, ({ pendingBytes }) => pendingBytes === blob.data.length)
    raw.send({ jsonrpc: '2.0', method: 'xrpc.cancel', params: [5] })
    expect(await raw.next()).toMatchObject({ id: 5, error: { message: 'context canceled' } })
    await da.produce()
    expect(await callDa(da.address, 'blob.GetAll', [1, [ns]])).toHaveLength(1)
  })

  test('is refused when too many wait, or its id is in use', async () => {
    const da = await started({ maxCalls: 2, maxSubscriptions: 1 })
    da.pause()
    const raw = await opened(da)
    raw.send(daCall('blob.Submit', [[json]], 1))
    raw.send(daCall('header.LocalHead', [], 1))
    expect(await raw.next()).toMatchObject({ id: 1, error: { code: -32600 } })
    raw.send(daCall('blob.Submit', [[json]], 2))
    raw.send(daCall('header.LocalHead', [], 3))
    expect(await raw.next()).toMatchObject({ id: 3, error: { message: expect.stringContaining('too much') } })
    await da.produce()
    expect([await raw.next(), await raw.next()]).toMatchObject([{ id: 1 }, { id: 2 }])
    raw.send(daCall('blob.Subscribe', [ns], 1))
    expect(await raw.next()).toMatchObject({ id: 1, result: 1 })
    raw.send(daCall('blob.Subscribe', [ns], 2))
    expect(await raw.next()).toMatchObject({ id: 2, error: { message: expect.stringContaining('too much') } })
  })

  test('larger than allowed ends the connection', async () => {
    const da = await started({ maxRequestBytes: 1_000 })
    const raw = await opened(da)
    raw.send(daCall('header.LocalHead', ['x'.repeat(1_000)]))
    expect(await raw.closed).toMatchObject({ code: 1009 })
    expect(await callDa(da.address, 'header.LocalHead')).toMatchObject({ height: '0' })
  })
})

describe('what is no call', () => {
  test.each<[string, unknown, number]>([
    ['no JSON', 'garbage', -32700],
    ['nothing', '', -32700],
    ['deep nesting', '['.repeat(100_000), -32700],
    ['a batch', [daCall('header.LocalHead')], -32600],
    ['a number', 7, -32600],
    ['null', 'null', -32600],
    ['no method', { id: 1 }, -32600],
    ['no id', { method: 'header.LocalHead', params: [] }, -32600],
    ['an id that is an object', daCall('header.LocalHead', [], {}), -32600],
    ['named parameters', { id: 1, method: 'header.LocalHead', params: { a: 1 } }, -32602],
    ['an unknown method', daCall('blob.Drop'), -32601],
    ['a method of objects', daCall('constructor'), -32601],
    ['too many parameters', daCall('header.LocalHead', [1]), -32602],
    ['too few parameters', daCall('blob.Get', [1]), -32602],
    ['a height that is a text', daCall('header.GetByHeight', ['1']), -32602],
    ['a negative height', daCall('header.GetByHeight', [-1]), -32602],
    ['a huge height', daCall('header.GetByHeight', [1e300]), -32602],
    ['a height that is nothing', daCall('header.GetByHeight', [null]), -32602],
    ['namespaces that are no list', daCall('blob.GetAll', [0, 'x']), -32602],
    ['too many namespaces', daCall('blob.GetAll', [0, Array.from({ length: 65 }, () => ns)]), -32602],
    ['a commitment that is none', daCall('blob.Get', [0, ns, 'AAAA']), -32602],
  ])('%s is answered with an error, over both transports', async (_what, body, code) => {
    const da = await started()
    const { json: answer, status } = await postDa(da.address, body)
    expect(status).toBe(200)
    expect(answer).toMatchObject({ jsonrpc: '2.0', error: { code, message: expect.any(String) } })
    const raw = await opened(da)
    raw.send(body)
    expect(await raw.next()).toEqual(answer)
  })

  test('garbage on the port ends its own connection only', async () => {
    const da = await started()
    const socket = connect(Number(new URL(da.address).port))
    await new Promise<void>((resolve) => {
      socket.on('error', () => undefined)
      socket.on('close', () => resolve())
      socket.write('\u0000\u0001garbage\r\n\r\n')
    })
    expect(await callDa(da.address, 'header.LocalHead')).toMatchObject({ height: '0' })
  })

  test('a look with a browser is told what this is; other pages get nothing', async () => {
    const da = await started()
    const response = await fetch(da.address)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
    expect(await response.text()).toMatch(/^Local DA .* Height 0\./)
    expect((await fetch(`${da.address}/else`)).status).toBe(404)
    expect((await fetch(da.address, { method: 'PUT' })).status).toBe(405)
    const foreign = { origin: 'https://example.org' }
    expect((await postDa(da.address, daCall('header.LocalHead'), foreign)).status).toBe(403)
    await expect(openRawDa(da.address, foreign)).rejects.toThrow('403')
  })

  test('a body larger than allowed is refused, whether or not its length was told', async () => {
    const da = await started({ maxRequestBytes: 1_000 })
    expect((await postDa(da.address, 'x'.repeat(1_001))).status).toBe(413)
    const status = await new Promise((resolve, reject) => {
      const sent = request(da.address, { method: 'POST' }, (response) => {
        resolve(response.statusCode)
        response.resume()
      })
      sent.on('error', reject)
      sent.write('x'.repeat(600))
      sent.write('x'.repeat(600))
    })
    expect(status).toBe(413)
  })
})

describe('an auth token', () => {
  test('is asked of everybody', async () => {
    const da = await started({ authToken: 'secret' })
    const head = daCall('header.LocalHead')
    expect((await postDa(da.address, head)).status).toBe(401)
    expect((await postDa(da.address, head, { Authorization: 'Bearer wrong' })).status).toBe(401)
    expect((await postDa(da.address, head, { Authorization: 'Bearer secret' })).status).toBe(200)
    await expect(openRawDa(da.address)).rejects.toThrow('401')
    await opened(da, { Authorization: 'Bearer secret' })
  })
})

describe('faults', () => {
  /** A local DA whose next calls of a method meet these faults, one after another. */
  async function faulty(method: string, ...faults: readonly Fault[]): Promise<LocalDa> {
    const left = [...faults]
    return await started({ fault: (called) => (called === method ? left.shift() : undefined) })
  }

  test('fail a call with a text and a code of choice', async () => {
    const da = await faulty('blob.Submit', { kind: 'error', message: 'tx already in mempool', code: 7 })
    expect(await callDa(da.address, 'blob.Submit', [[json]])).toEqual(failed('tx already in mempool', 7))
    expect(da.height).toBe(0)
    expect(await callDa(da.address, 'blob.Submit', [[json]])).toBe(1)
  })

  test('answer with an HTTP status', async () => {
    const da = await faulty('header.LocalHead', { kind: 'status', status: 502 })
    expect((await postDa(da.address, daCall('header.LocalHead'))).status).toBe(502)
  })

  test('break the connection before or after the call had its effect', async () => {
    const da = await faulty('blob.Submit', { kind: 'drop' }, { kind: 'drop', done: true }, { kind: 'drop' })
    await expect(postDa(da.address, daCall('blob.Submit', [[json]]))).rejects.toThrow('fetch failed')
    expect(da.height).toBe(0)
    await expect(postDa(da.address, daCall('blob.Submit', [[json]]))).rejects.toThrow('fetch failed')
    expect(da.height).toBe(1)
    const raw = await opened(da)
    raw.send(daCall('blob.Submit', [[json]]))
    expect(await raw.closed).toMatchObject({ code: 1006 })
  })

  test('leave a call without answer, which holds up neither others nor the stop', async () => {
    const da = await faulty('blob.Submit', { kind: 'silence' }, { kind: 'silence', done: true })
    const raw = await opened(da)
    const silent = callDa(da.address, 'blob.Submit', [[json]])
    silent.catch(() => undefined)
    await until(da, ({ failures }) => failures === 1)
    raw.send(daCall('blob.Submit', [[json]], 1))
    await until(da, ({ height }) => height === 1)
    raw.send(daCall('header.LocalHead', [], 2))
    expect(await raw.next()).toMatchObject({ id: 2, result: { height: '1' } })
    await da.stop()
    await expect(silent).rejects.toThrow('fetch failed')
  })

  test('lie about the height of a submission, or swallow it', async () => {
    const da = await faulty('blob.Submit', { kind: 'lie', height: 99 }, { kind: 'swallow' })
    expect(await callDa(da.address, 'blob.Submit', [[json]])).toBe(99)
    expect(await callDa(da.address, 'blob.GetAll', [1, [ns]])).toHaveLength(1)
    expect(await callDa(da.address, 'blob.Submit', [[json]])).toBe(2)
    expect(await callDa(da.address, 'blob.GetAll', [2, [ns]])).toBeNull()
  })

  test('refuse WebSockets, so that clients must fall back', async () => {
    const da = await faulty('websocket.connect', { kind: 'status', status: 503 }, { kind: 'drop' })
    await expect(openRawDa(da.address)).rejects.toThrow('503')
    await expect(openRawDa(da.address)).rejects.toThrow('socket hang up')
    await opened(da)
  })

  test('delay a call, as latency delays all', async () => {
    const clock = createVirtualEnv()
    const delay = 300
    const da = await started(
      { latency: { fixed: 100, jitter: 50 }, fault: () => ({ kind: 'none', delay }) },
      { env: clock.env },
    )
    let answered = false
    const answer = callDa(da.address, 'header.LocalHead').then(() => (answered = true))
    while (clock.timers === 0) await clock.settle()
    await clock.advance(399)
    expect(answered).toBe(false)
    await clock.advance(51)
    await answer
  })

  test('come by chance in the part of calls that was asked for', async () => {
    const da = await started({ failRate: 0.5 }, { env: createVirtualEnv().env })
    for (let i = 0; i < 200; i++) await callDa(da.address, 'header.LocalHead')
    const { calls, failures } = da.stats()
    expect(calls).toBe(200)
    expect(failures).toBeGreaterThan(60)
    expect(failures).toBeLessThan(140)
  })
})

describe('on disk', () => {
  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), 'evolve-da-'))
    undo.push(() => rmSync(path, { recursive: true, force: true }))
    return path
  }

  test('the chain goes on after a kill: same blocks, next height', async () => {
    const path = folder()
    const kv = createLevelKv({ path: join(path, 'first') })
    undo.push(async () => await kv.stop())
    await kv.start()
    const first = await started({}, { kv })
    await callDa(first.address, 'blob.Submit', [[json]])
    await first.produce()
    const before = await Promise.all(
      [0, 1, 2].map((height) => callDa(first.address, 'header.GetByHeight', [height])),
    )
    const blobs = await callDa(first.address, 'blob.GetAll', [1, [ns]])
    // What a process leaves that is killed now.
    cpSync(join(path, 'first'), join(path, 'second'), { recursive: true })

    const again = createLevelKv({ path: join(path, 'second') })
    undo.push(async () => await again.stop())
    await again.start()
    const second = await started({}, { kv: again })
    expect(second.height).toBe(2)
    const after = await Promise.all(
      [0, 1, 2].map((height) => callDa(second.address, 'header.GetByHeight', [height])),
    )
    expect(after).toEqual(before)
    expect(await callDa(second.address, 'blob.GetAll', [1, [ns]])).toEqual(blobs)
    expect(await callDa(second.address, 'blob.Submit', [[json]])).toBe(3)
    expect(at(await callDa(second.address, 'header.LocalHead'), 'header', 'last_block_id', 'hash')).toBe(
      at(before[2], 'commit', 'block_id', 'hash'),
    )
  })

  test('a block is written with sync before anybody is told of it', async () => {
    const kv = createMemoryKv()
    await kv.start()
    const events: string[] = []
    const recording = {
      ...kv,
      batch: async (...args: Parameters<typeof kv.batch>) => {
        await kv.batch(...args)
        events.push(args[1]?.sync === true ? 'synced' : 'written')
      },
    }
    const da = await started({}, { kv: recording })
    const raw = await opened(da)
    raw.send(daCall('header.Subscribe'))
    await raw.next()
    events.length = 0
    raw.socket.on('message', () => events.push('told'))
    await callDa(da.address, 'blob.Submit', [[json]])
    await raw.next()
    expect(events).toEqual(['synced', 'told'])
  })

  test('a database of something else is refused', async () => {
    const kv = createMemoryKv()
    await kv.start()
    await kv.batch([{ type: 'put', key: utf8('a'), value: utf8('b') }])
    await expect(createLocalDa({ ...deps, kv }).start()).rejects.toMatchObject({ code: 'LOCAL_DA_FORMAT' })
  })
})

describe('a recording', () => {
  test('is served byte for byte, at its heights', async () => {
    const { blocks, namespaces } = recordedDa()
    const da = createLocalDa(deps, { blockTime: 0 })
    undo.push(async () => await da.stop())
    await da.preload(blocks.map(({ height, blobs }) => ({ height, blobs: blobs.map(blobFromJson) })))
    await da.start()
    expect(da.height).toBe(blocks.at(-1)?.height)
    const wanted = [namespaces.header, namespaces.data].map((hex) => toBase64(fromHex(hex) ?? utf8('')))
    const recorded = new Map(blocks.map(({ height, blobs }) => [height, blobs]))
    for (let height = 0; height <= da.height; height++) {
      for (const one of wanted) {
        const own = recorded.get(height)?.filter((entry) => at(entry, 'namespace') === one) ?? []
        const { text } = await postDa(da.address, daCall('blob.GetAll', [height, [one]]))
        expect(text).toBe(JSON.stringify({ jsonrpc: '2.0', id: 1, result: own.length === 0 ? null : own }))
      }
    }
  })

  test('that does not fit is refused, and nothing of it is kept', async () => {
    const da = await started()
    await da.produce()
    const refused = expect.objectContaining({ code: 'LOCAL_DA_PRELOAD' })
    await expect(da.preload([{ height: 1, blobs: [] }])).rejects.toEqual(refused)
    await expect(
      da.preload([
        { height: 5, blobs: [] },
        { height: 4, blobs: [] },
      ]),
    ).rejects.toEqual(refused)
    const untrue = { ...blob, commitment: new Uint8Array(32) }
    await expect(da.preload([{ height: 9, blobs: [untrue] }])).rejects.toEqual(refused)
    expect(da.height).toBe(1)
  })
})

describe('start and stop', () => {
  test('may come twice and in any order; a restart keeps the port and the chain', async () => {
    const da = createLocalDa(deps, { blockTime: 0 })
    await da.stop()
    expect(da.address).toBe('')
    await Promise.all([da.start(), da.start()])
    const { address } = da
    await da.produce()
    await Promise.all([da.stop(), da.stop()])
    await expect(fetch(address)).rejects.toThrow('fetch failed')
    await da.start()
    expect(da.address).toBe(address)
    expect(await callDa(address, 'header.LocalHead')).toMatchObject({ height: '1' })
    await da.stop()
  })

  test('end what is open: submissions that wait are answered, WebSockets are told', async () => {
    const da = await started()
    da.pause()
    const raw = await opened(da)
    const answer = callDa(da.address, 'blob.Submit', [[json]])
    await until(da, ({ pendingBytes }) => pendingBytes === blob.data.length)
    await da.stop()
    expect(await answer).toEqual(failed('stopped'))
    expect(await raw.closed).toMatchObject({ code: 1001 })
  })

  test('say when the port is taken', async () => {
    const da = await started()
    const port = Number(new URL(da.address).port)
    await expect(createLocalDa(deps, { port }).start()).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
  })

  test('leave no timer behind', async () => {
    const clock = createVirtualEnv()
    const da = await started({ blockTime: 50 }, { env: clock.env })
    await clock.advance(120)
    await da.stop()
    expect(clock.timers).toBe(0)
  })
})
