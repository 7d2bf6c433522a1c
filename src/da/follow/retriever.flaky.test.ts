import { afterEach, describe, expect, test } from 'vitest'
import { makeChain } from '../../../test/support/chain.ts'
import { createDaChain, heightsTo } from '../../../test/support/da-chain.ts'
import { RIG_DATA, RIG_HEADERS } from '../../../test/support/da-rig.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { createScriptedDa, daError } from '../../../test/support/scripted-da.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { createProposers } from '../../core/proposers.ts'
import { FOLLOW_METRICS } from './metrics.ts'
import type { DaBlock } from './found.ts'
import { createRetriever, type RetrieverOptions } from './retriever.ts'

/*
 * A DA node that fails now and then, in the middle of a height.
 */
const BLOCK_TIME = 6_000
const FAILS = 'warn: reading DA fails; trying again until it works'
const WORKS = 'info: DA can be read again'
const stops: AbortController[] = []
const chain = makeChain({ count: 8 })
const { postHeaders, postData } = createDaChain(chain)

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort()
})

function setUp(options: Partial<RetrieverOptions> = {}) {
  const virtual = createVirtualEnv()
  const { env } = virtual
  const recorder = createRecorder()
  const { logger, metrics } = recorder
  const da = createScriptedDa()
  const proposers = createProposers(1, chain.genesis.proposerAddress)
  const retriever = createRetriever(
    { client: da, env, logger, metrics, proposers },
    { headerNamespace: RIG_HEADERS, dataNamespace: RIG_DATA, blockTime: BLOCK_TIME, ...options },
  )
  const got: DaBlock[] = []
  const stop = new AbortController()
  stops.push(stop)
  const read = async (): Promise<void> => {
    const blocks = retriever.read(1, { signal: stop.signal, known: () => undefined })
    for await (const block of blocks) got.push(block)
  }
  return { virtual, recorder, da, retriever, got, read: () => void read().catch(() => undefined) }
}

const halves = ({ headers, data }: DaBlock): unknown => [
  headers.map(({ header }) => header.header.height),
  data.map(({ height }) => height),
]

describe('a DA node that fails', () => {
  test.each([1, 16])('at every third call is read all the same, %s heights at a time', async (parallel) => {
    const { da, virtual, got, read, recorder, retriever } = setUp({ parallel })
    da.grow(40)
    let calls = 0
    da.fail = () => (++calls % 3 === 0 ? daError('DA_TIMEOUT') : undefined)
    read()
    await virtual.advance(60_000)
    expect(got.map(({ height }) => height)).toEqual(heightsTo(40))
    // It fails all the time, and that is one outage.
    expect([recorder.times(FAILS), recorder.times(WORKS)]).toEqual([1, 0])
    da.fail = undefined
    for (let height = 41; height <= 45; height++) {
      da.grow(height)
      await virtual.advance(BLOCK_TIME)
    }
    expect([recorder.times(FAILS), recorder.times(WORKS)]).toEqual([1, 1])
    expect(retriever.reachable).toBe(true)
  })

  test('asks for what failed only', async () => {
    const { da, virtual, got, read } = setUp()
    da.grow(3)
    let failures = 0
    da.fail = (method, height) =>
      method === 'getAll' && height === 2 && failures++ === 0 ? daError('DA_TIMEOUT') : undefined
    read()
    await virtual.advance(BLOCK_TIME)
    expect(got).toHaveLength(3)
    expect([da.calls.get('header:2'), da.calls.get('getAll:2')]).toEqual([1, 3])
  })

  test('while it comes to another chain gives blobs of the chain of its header', async () => {
    const { da, virtual, got, read } = setUp()
    postHeaders(da, 2, 1)
    da.grow(2)
    da.fail = (method, height) => (method === 'header' && height === 2 ? daError('DA_TIMEOUT') : undefined)
    read()
    await virtual.settle()
    da.fail = undefined
    da.reorg(2, 1)
    postHeaders(da, 2, 2)
    await virtual.advance(BLOCK_TIME)
    expect(got.map(halves)).toEqual([
      [[], []],
      [[2], []],
    ])
  })

  test('in the middle of a crowded answer loses nothing of it, and counts nothing twice', async () => {
    const { da, virtual, got, read, recorder } = setUp({ crowdedBytes: -1 })
    postHeaders(da, 1, 1, 2)
    postData(da, 1, 1, 2)
    da.put(1, RIG_DATA, new Uint8Array(20))
    const whole = da.getAll.bind(da)
    const failed = new Set<Uint8Array>()
    da.getAll = async (height, namespaces, options) => {
      const blobs = await whole(height, namespaces, options)
      const kept = blobs.filter((blob) => options.keep?.(blob))
      const [namespace] = namespaces
      if (namespace === undefined || failed.has(namespace)) return kept
      failed.add(namespace)
      throw daError('DA_MALFORMED')
    }
    read()
    await virtual.advance(BLOCK_TIME)
    expect(got.map(halves)).toEqual([
      [
        [1, 2],
        [1, 2],
      ],
    ])
    expect(recorder.value(FOLLOW_METRICS.dropped)).toBe(1)
  })
})
