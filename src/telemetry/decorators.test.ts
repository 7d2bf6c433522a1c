import { describe, expect, test } from 'vitest'
import type { Executor } from '../core/executor.ts'
import { systemEnv } from '../core/env.ts'
import type { Metrics } from '../core/metrics.ts'
import type { SpanAttributes, Tracing } from '../core/tracing.ts'
import { createKvExecutor } from '../execution/kv-executor.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { EvolveError } from '../util/errors.ts'
import { utf8 } from '../util/bytes.ts'
import { measuredExecutor, measuredKv } from './measured.ts'
import { tracedDa, tracedExecutor, tracedSequencer, tracedStore } from './traced.ts'

interface Sample {
  readonly name: string
  readonly value: number
  readonly labels: Readonly<Record<string, string>> | undefined
}

function recordingMetrics(): Metrics & { readonly samples: Sample[] } {
  const samples: Sample[] = []
  const take = (name: string, value = 1, labels?: Readonly<Record<string, string>>): void => {
    samples.push({ name, value, labels })
  }
  return { samples, count: take, gauge: take, observe: take }
}

function recordingTracing(): Tracing & { readonly spans: { name: string; attributes: SpanAttributes }[] } {
  const spans: { name: string; attributes: SpanAttributes }[] = []
  return {
    spans,
    enabled: true,
    async span(name, attributes, task) {
      const own = { name, attributes }
      spans.push(own)
      return await task({ set: (more) => (own.attributes = { ...own.attributes, ...more }) })
    },
    within: (_headers, task) => task(),
  }
}

const signal = new AbortController().signal

/** The least that an executor has. */
const least: Executor = {
  initChain: async () => Uint8Array.of(1),
  getTxs: async () => [utf8('a'), utf8('b')],
  executeTxs: async () => ({ stateRoot: Uint8Array.of(2), nextProposerAddress: new Uint8Array() }),
  setFinal: async () => {},
  getExecutionInfo: async () => ({ maxGas: 7n }),
  filterTxs: async ({ txs }) => txs.map(() => 'ok'),
}

const most: Executor = {
  ...least,
  submitTx: async () => {},
  onTxs: () => () => {},
  latestHeight: async () => 12,
  rollbackDepth: 5,
  rollback: async () => {},
  prune: async () => {},
}

const decorators: readonly [name: string, (executor: Executor) => Executor][] = [
  ['measured', (executor) => measuredExecutor(executor, { env: systemEnv, metrics: recordingMetrics() })],
  ['traced', (executor) => tracedExecutor(executor, recordingTracing())],
]

describe.each(decorators)('an executor that is %s', (_name, decorate) => {
  test.each([
    ['the least', least],
    ['the most', most],
  ])('can do what it could, and nothing else: %s that there is', (_which, executor) => {
    const decorated = decorate(executor)
    expect(Object.keys(decorated)).toEqual(Object.keys(executor))
    for (const [key, value] of Object.entries(most)) {
      const there = Object.hasOwn(executor, key)
      expect({ key, there: key in decorated }).toEqual({ key, there })
      const now: unknown = Reflect.get(decorated, key)
      expect({ key, type: typeof now }).toEqual({ key, type: there ? typeof value : 'undefined' })
    }
    expect(decorated.rollbackDepth).toBe(executor.rollbackDepth)
  })

  test('gives the answers of the executor behind it', async () => {
    const decorated = decorate(most)
    expect(await decorated.latestHeight?.({ signal })).toBe(12)
    expect(await decorated.getTxs({ signal })).toHaveLength(2)
    expect(await decorated.getExecutionInfo({ signal })).toEqual({ maxGas: 7n })
  })

  test('works around one with a database', async () => {
    const kv = createMemoryKv()
    await kv.start()
    const executor = decorate(createKvExecutor({ kv }))
    const root = await executor.initChain({ time: 1n, initialHeight: 1, chainId: 'c' }, { signal })
    const { stateRoot } = await executor.executeTxs(
      { txs: [utf8('key=value')], height: 1, time: 2n, previousStateRoot: root },
      { signal },
    )
    expect(stateRoot).not.toEqual(root)
    expect(await executor.latestHeight?.({ signal })).toBe(1)
    await executor.rollback?.(0, { signal })
    expect(await executor.latestHeight?.({ signal })).toBe(0)
    await kv.stop()
  })
})

describe('measured', () => {
  test('calls say how they ended', async () => {
    const metrics = recordingMetrics()
    const down = new EvolveError('EXECUTOR_UNREACHABLE', 'it is not there')
    const leaving = new AbortController()
    const executor = measuredExecutor(
      {
        ...least,
        async getTxs() {
          throw down
        },
        async setFinal() {
          leaving.abort(new Error('stopped'))
          leaving.signal.throwIfAborted()
        },
      },
      { env: systemEnv, metrics },
    )
    await executor.getExecutionInfo({ signal })
    await expect(executor.getTxs({ signal })).rejects.toBe(down)
    await expect(executor.setFinal(1, { signal: leaving.signal })).rejects.toThrow('stopped')
    expect(metrics.samples.map(({ labels }) => labels)).toEqual([
      { method: 'getExecutionInfo', outcome: 'ok' },
      { method: 'getTxs', outcome: 'EXECUTOR_UNREACHABLE' },
      { method: 'setFinal', outcome: 'cancelled' },
    ])
    for (const { value } of metrics.samples) expect(value).toBeGreaterThanOrEqual(0)
  })

  test('writes to a database show their size', async () => {
    const metrics = recordingMetrics()
    const kv = measuredKv(createMemoryKv(), { env: systemEnv, metrics })
    await kv.start()
    const key = Uint8Array.of(1, 2, 3)
    await kv.batch(
      [
        { type: 'put', key, value: new Uint8Array(100) },
        { type: 'del', key: Uint8Array.of(9) },
      ],
      {
        sync: true,
      },
    )
    expect(await kv.get(key)).toHaveLength(100)
    expect(await kv.getMany([key])).toHaveLength(1)
    await kv.stop()
    expect(metrics.samples).toEqual([
      { name: 'store_batch_duration_seconds', value: expect.any(Number), labels: { sync: 'true' } },
      { name: 'store_batch_operations', value: 2, labels: undefined },
      { name: 'store_written_bytes_total', value: 104, labels: undefined },
      { name: 'store_read_duration_seconds', value: expect.any(Number), labels: { method: 'get' } },
      { name: 'store_read_duration_seconds', value: expect.any(Number), labels: { method: 'getMany' } },
    ])
  })
})

describe('spans', () => {
  test('of an executor carry what its calls are about', async () => {
    const tracing = recordingTracing()
    const executor = tracedExecutor(most, tracing)
    await executor.initChain({ time: 1n, initialHeight: 4, chainId: 'chain-a' }, { signal })
    await executor.getTxs({ signal })
    const request = { txs: [utf8('a')], height: 7, time: 1n, previousStateRoot: new Uint8Array() }
    await executor.executeTxs(request, { signal })
    await executor.latestHeight?.({ signal })
    expect(tracing.spans).toEqual([
      { name: 'Executor.InitChain', attributes: { 'chain.id': 'chain-a', 'initial.height': 4 } },
      { name: 'Executor.GetTxs', attributes: { 'tx.count': 2 } },
      { name: 'Executor.ExecuteTxs', attributes: { 'block.height': 7, 'tx.count': 1 } },
      { name: 'Executor.GetLatestHeight', attributes: {} },
    ])
  })

  test('leave everything else of a value as it is', () => {
    const tracing = recordingTracing()
    const more = { reachable: true, size: 3, writtenUpTo: 9, start: async () => {} }
    // Only their keys matter here.
    const decorated: readonly object[] = [
      Reflect.apply(tracedDa, undefined, [more, tracing]),
      Reflect.apply(tracedSequencer, undefined, [more, tracing]),
      Reflect.apply(tracedStore, undefined, [more, tracing]),
    ]
    for (const value of decorated) {
      expect(Object.keys(value)).toEqual(Object.keys(more))
      expect(value).toMatchObject({ reachable: true, size: 3, writtenUpTo: 9 })
    }
  })
})
