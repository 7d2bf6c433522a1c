import { afterEach, describe, expect, test } from 'vitest'
import { RIG_DATA, RIG_HEADERS } from '../../../test/support/da-rig.ts'
import { createRecorder } from '../../../test/support/recorder.ts'
import { createScriptedDa, daError } from '../../../test/support/scripted-da.ts'
import { createVirtualEnv } from '../../../test/support/virtual-env.ts'
import { isEvolveError } from '../../util/errors.ts'
import type { DaBlock } from './found.ts'
import { createRetriever, type RetrieverOptions } from './retriever.ts'

const BLOCK_TIME = 6_000
const stops: AbortController[] = []

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort()
})

function setUp(options: Partial<RetrieverOptions> = {}) {
  const virtual = createVirtualEnv()
  const recorder = createRecorder()
  const da = createScriptedDa()
  const retriever = createRetriever(
    { client: da, env: virtual.env, logger: recorder.logger, metrics: recorder.metrics },
    { headerNamespace: RIG_HEADERS, dataNamespace: RIG_DATA, blockTime: BLOCK_TIME, ...options },
  )
  const remembered = new Map<number, Uint8Array>()
  const got: DaBlock[] = []
  const stop = new AbortController()
  stops.push(stop)
  /** Reads on in the background; `over` resolves with what ended it. */
  const read = (from: number) => {
    const over = (async (): Promise<unknown> => {
      try {
        const blocks = retriever.read(from, {
          signal: stop.signal,
          known: (height) => remembered.get(height),
        })
        for await (const block of blocks) got.push(block)
        return undefined
      } catch (error) {
        return error
      }
    })()
    return { over }
  }
  const heights = (): number[] => got.map(({ height }) => height)
  return { virtual, recorder, da, retriever, remembered, got, heights, read, stop }
}

describe('reading DA', () => {
  test('gives every height in order, once, with many read at a time', async () => {
    const { da, virtual, heights, read } = setUp()
    da.grow(100)
    read(3)
    await virtual.settle()
    await virtual.advance(0)
    for (let turn = 0; turn < 60; turn++) await virtual.settle()
    expect(heights()).toEqual(Array.from({ length: 98 }, (_, index) => index + 3))
    expect(
      [...da.calls].filter(([call]) => call.startsWith('header:')).every(([, times]) => times === 1),
    ).toBe(true)
  })

  test('is told of new heights, without asking', async () => {
    const { da, virtual, heights, read } = setUp()
    da.grow(2)
    read(1)
    await virtual.settle()
    const asked = da.calls.get('head:0')
    da.grow(3)
    await virtual.settle()
    await virtual.advance(BLOCK_TIME)
    da.grow(4)
    await virtual.settle()
    expect(heights()).toEqual([1, 2, 3, 4])
    expect(da.calls.get('head:0')).toBe(asked)
  })

  test('asks every block time when it cannot subscribe', async () => {
    const { da, virtual, heights, read } = setUp()
    da.subscribable = false
    da.grow(1)
    read(1)
    await virtual.settle()
    da.grow(3)
    await virtual.advance(BLOCK_TIME - 1)
    expect(heights()).toEqual([1])
    await virtual.advance(1)
    expect(heights()).toEqual([1, 2, 3])
  })

  test('asks when a subscription has been silent for three block times', async () => {
    const { da, virtual, heights, read } = setUp()
    da.grow(1)
    read(1)
    await virtual.settle()
    da.grow(2)
    await virtual.settle()
    da.silent = true
    da.grow(3)
    await virtual.advance(3 * BLOCK_TIME - 1)
    expect(heights()).toEqual([1, 2])
    await virtual.advance(1)
    expect(heights()).toEqual([1, 2, 3])
  })

  test('asks at once when a subscription ends, and subscribes again', async () => {
    const { da, virtual, heights, read } = setUp()
    da.grow(1)
    read(1)
    await virtual.settle()
    da.grow(2)
    await virtual.settle()
    da.subscribable = false
    da.grow(3)
    await virtual.advance(BLOCK_TIME)
    expect(heights()).toEqual([1, 2, 3])
    da.subscribable = true
    await virtual.advance(30_000)
    expect(da.subscriptions).toBe(1)
  })

  test('waits for a height that the node knows of but does not have yet', async () => {
    const { da, virtual, heights, read } = setUp()
    da.grow(1)
    read(1)
    await virtual.settle()
    da.fail = (method, height) =>
      method === 'getAll' && height === 2 ? daError('DA_FROM_FUTURE') : undefined
    da.grow(2)
    await virtual.settle()
    expect(heights()).toEqual([1])
    const calls = da.calls.get('getAll:2') ?? 0
    await virtual.advance(BLOCK_TIME / 2)
    expect(da.calls.get('getAll:2')).toBe(calls)
    da.fail = undefined
    await virtual.advance(BLOCK_TIME)
    expect(heights()).toEqual([1, 2])
  })

  test('waits out an outage, which is said once, asking less and less', async () => {
    const { da, virtual, recorder, heights, read, retriever } = setUp()
    da.grow(5)
    da.fail = () => daError('DA_UNREACHABLE')
    read(1)
    await virtual.advance(10 * BLOCK_TIME)
    expect(retriever.reachable).toBe(false)
    expect(retriever.lastError).toContain('DA_UNREACHABLE')
    expect(da.calls.get('head:0')).toBeLessThan(20)
    expect(recorder.times('warn: reading DA fails; trying again until it works')).toBe(1)
    da.fail = undefined
    await virtual.advance(BLOCK_TIME)
    expect(heights()).toEqual([1, 2, 3, 4, 5])
    expect(retriever.reachable).toBe(true)
    da.grow(6)
    await virtual.advance(BLOCK_TIME)
    da.grow(7)
    await virtual.settle()
    expect(recorder.times('info: DA can be read again')).toBe(1)
  })

  test('waits out any failure of one height and skips nothing', async () => {
    const { da, virtual, heights, read } = setUp()
    da.put(3, RIG_HEADERS, new Uint8Array(5))
    da.grow(6)
    let failures = 0
    da.fail = (method, height) => {
      if (height !== 3 || method === 'head' || failures >= 7) return undefined
      failures++
      return daError(failures % 2 === 0 ? 'DA_MALFORMED' : 'DA_TIMEOUT')
    }
    read(1)
    await virtual.settle()
    expect(heights()).toEqual([1, 2])
    await virtual.advance(10 * BLOCK_TIME)
    expect(heights()).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('holds no more than its share of bytes ahead', async () => {
    const { da, virtual, retriever, stop } = setUp({ maxBlobBytes: 5 })
    const data = new Uint8Array(12 * 1024 * 1024)
    for (let height = 1; height <= 40; height++) {
      da.putBlob(height, { namespace: RIG_DATA, data, shareVersion: 0, commitment: data, index: 0 })
    }
    const blocks = retriever.read(1, { signal: stop.signal, known: () => undefined })
    for (let taken = 1; taken <= 40; taken++) {
      await blocks.next()
      await virtual.settle()
      const fetched = [...da.calls.keys()].filter((call) => call.startsWith('header:')).length
      expect((fetched - taken) * data.length).toBeLessThanOrEqual(64 * 1024 * 1024)
    }
  })

  test('ends with its signal and leaves nothing behind', async () => {
    const { da, virtual, read, stop } = setUp()
    da.grow(3)
    const { over } = read(1)
    await virtual.settle()
    stop.abort(new DOMException('enough', 'AbortError'))
    expect(String(await over)).toContain('enough')
    expect(virtual.timers).toBe(0)
    expect(da.subscriptions).toBe(0)
  })
})

describe('a DA chain that changes', () => {
  const reorgAt = (error: unknown): unknown =>
    isEvolveError(error, 'DA_REORG') ? error.data['height'] : error

  test('is noticed by the link to the height below', async () => {
    const { da, virtual, read } = setUp()
    da.grow(5)
    const { over } = read(1)
    await virtual.settle()
    da.reorg(5, 6)
    await virtual.advance(BLOCK_TIME)
    expect(reorgAt(await over)).toBe(5)
  })

  test('is noticed after a restart', async () => {
    const { da, read, remembered } = setUp()
    da.grow(5)
    remembered.set(4, new Uint8Array(32).fill(1))
    const { over } = read(5)
    expect(reorgAt(await over)).toBe(4)
  })

  test('is noticed at a height that is read again', async () => {
    const { da, read, remembered } = setUp()
    da.grow(5)
    remembered.set(3, new Uint8Array(32).fill(1))
    const { over } = read(2)
    expect(reorgAt(await over)).toBe(3)
  })

  test('is noticed when it is shorter, and stays so', async () => {
    const { da, virtual, read, heights } = setUp()
    da.grow(5)
    const { over } = read(1)
    await virtual.settle()
    expect(heights()).toHaveLength(5)
    da.subscribable = false
    da.reorg(4, 3)
    await virtual.advance(2 * BLOCK_TIME)
    expect(reorgAt(await over)).toBe(4)
  })

  test('is not suspected when a node lags for a moment', async () => {
    const { da, virtual, read, heights } = setUp()
    da.grow(5)
    read(1)
    await virtual.settle()
    da.subscribable = false
    const whole = da.head.bind(da)
    let lagging = true
    da.head = async (options) => ({ ...(await whole(options)), ...(lagging ? { height: 3 } : {}) })
    await virtual.advance(BLOCK_TIME)
    lagging = false
    da.grow(6)
    await virtual.advance(BLOCK_TIME)
    expect(heights()).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('cannot be noticed when the node tells no hashes', async () => {
    const { da, virtual, read, heights } = setUp()
    da.hashless = true
    da.grow(5)
    read(1)
    await virtual.settle()
    da.reorg(5, 6)
    await virtual.advance(BLOCK_TIME)
    expect(heights()).toEqual([1, 2, 3, 4, 5, 6])
  })
})
