import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { type OtlpCollector, startOtlpCollector } from '../../test/support/otlp-collector.ts'
import { systemEnv } from '../core/env.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import { parseTraceParent } from './trace-parent.ts'
import { createTracing } from './tracing.node.ts'

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

async function collector(): Promise<OtlpCollector> {
  const made = await startOtlpCollector()
  open.push(async () => await made.stop())
  return made
}

async function tracingTo(endpoint: string, { sampleRate = 1, logger = noopLogger } = {}) {
  const tracing = createTracing(
    { env: systemEnv, logger },
    { endpoint, serviceName: 'ev-node', sampleRate, chainId: 'chain-a', version: '1.2.3' },
  )
  open.push(async () => await tracing.stop())
  await tracing.start()
  return tracing
}

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
const headers = (traceparent: string) => (name: string) => (name === 'traceparent' ? traceparent : undefined)

describe('tracing', () => {
  test('sends spans, one inside the other, across what they wait for', async () => {
    const { address, spans } = await collector()
    const tracing = await tracingTo(address)
    const result = await tracing.span('BlockExecutor.ProduceBlock', { 'block.height': 7 }, async () => {
      await new Promise<void>((resolve) => void systemEnv.soon(resolve))
      return await tracing.span('Executor.ExecuteTxs', {}, async ({ set }) => {
        set({ 'tx.count': 2 })
        return 'done'
      })
    })
    expect(result).toBe('done')
    await tracing.stop()
    const [inner, outer] = spans
    expect(outer).toMatchObject({
      name: 'BlockExecutor.ProduceBlock',
      scope: 'ev-node/block-executor',
      parent: undefined,
      attributes: { 'block.height': 7 },
      resource: { 'service.name': 'ev-node', 'service.version': '1.2.3', 'chain.id': 'chain-a' },
      failure: undefined,
    })
    expect(inner).toMatchObject({
      name: 'Executor.ExecuteTxs',
      scope: 'ev-node/execution',
      parent: outer?.spanId,
      traceId: outer?.traceId,
      attributes: { 'tx.count': 2 },
    })
  })

  test('says which span failed, and lets the failure through', async () => {
    const { address, spans } = await collector()
    const tracing = await tracingTo(`http://${address}`)
    const failure = new Error('no such block')
    await expect(
      tracing.span('Store.GetHeader', {}, async () => {
        throw failure
      }),
    ).rejects.toBe(failure)
    await tracing.stop()
    expect(spans).toMatchObject([{ name: 'Store.GetHeader', failure: 'no such block' }])
  })

  test('goes on in the trace that a request names', async () => {
    const { address, spans } = await collector()
    // Nothing that begins here is sent.
    const tracing = await tracingTo(address, { sampleRate: 0 })
    await tracing.span('Store.Height', {}, async () => 1)
    await tracing.within(
      headers(PARENT),
      async () =>
        await tracing.span(
          'StoreService.GetBlock',
          {},
          async () => await tracing.span('Store.GetHeader', {}, async () => 2),
        ),
    )
    await tracing.within(headers(PARENT.replace(/01$/, '00')), async () =>
      tracing.span('StoreService.GetState', {}, async () => 3),
    )
    await tracing.stop()
    expect(spans.map(({ name, traceId }) => ({ name, traceId }))).toEqual(
      ['Store.GetHeader', 'StoreService.GetBlock'].map((name) => ({
        name,
        traceId: '0af7651916cd43dd8448eb211c80319c',
      })),
    )
    expect(spans[1]?.parent).toBe('b7ad6b7169203331')
  })

  test('sends the part of the traces that it should, each as a whole', async () => {
    const { address, spans } = await collector()
    const tracing = await tracingTo(address, { sampleRate: 0.5 })
    for (let i = 0; i < 400; i++) {
      await tracing.span('Sequencer.GetNextBatch', {}, async () =>
        tracing.span('Store.Height', {}, async () => i),
      )
    }
    await tracing.stop()
    const roots = spans.filter(({ parent }) => parent === undefined)
    expect(roots.length).toBeGreaterThan(100)
    expect(roots.length).toBeLessThan(300)
    expect(spans).toHaveLength(2 * roots.length)
  })

  test('runs what it is given also before the start and after the stop, and can begin again', async () => {
    const { address, spans } = await collector()
    const tracing = await tracingTo(address)
    await tracing.stop()
    expect(await tracing.span('Store.Height', {}, async () => 4)).toBe(4)
    expect(tracing.within(headers(PARENT), () => 5)).toBe(5)
    await tracing.stop()
    await tracing.start()
    await tracing.start()
    await tracing.span('Store.GetState', {}, async () => 6)
    await tracing.stop()
    expect(spans.map(({ name }) => name)).toEqual(['Store.GetState'])
  })

  test('two of one process do not get into each other', async () => {
    const [one, other] = [await collector(), await collector()]
    const [first, second] = [await tracingTo(one.address), await tracingTo(other.address)]
    await first.span('Store.Height', {}, async () => second.span('Store.GetState', {}, async () => 1))
    await first.stop()
    await second.stop()
    expect(one.spans.map(({ name }) => name)).toEqual(['Store.Height'])
    expect(other.spans.map(({ name, parent }) => ({ name, parent }))).toEqual([
      { name: 'Store.GetState', parent: undefined },
    ])
  })

  test('is not held up by a collector that takes spans and never answers', async () => {
    const warned: unknown[] = []
    const logger: Logger = { ...noopLogger, warn: (message) => warned.push(message), child: () => logger }
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const sockets = new Set<Socket>()
    silent.on('connection', (socket) => sockets.add(socket))
    open.push(async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => void silent.close(() => resolve()))
    })
    const bound = silent.address()
    const port = typeof bound === 'object' ? bound?.port : 0
    const tracing = await tracingTo(`127.0.0.1:${port}`, { logger })
    for (let i = 0; i < 20_000; i++) await tracing.span('Store.Height', {}, async () => i)
    await tracing.stop()
    expect(warned.length).toBeGreaterThan(0)
  })

  test('is not held up by a collector that is not there', async () => {
    const warned: unknown[] = []
    const logger: Logger = { ...noopLogger, warn: (message) => warned.push(message), child: () => logger }
    const gone = await startOtlpCollector()
    await gone.stop()
    const tracing = await tracingTo(gone.address, { logger })
    await tracing.span('Store.Height', {}, async () => 1)
    await tracing.stop()
    expect(warned.length).toBeGreaterThan(0)
  })
})

describe('the header traceparent', () => {
  test('is read where it is right', () => {
    expect(parseTraceParent(PARENT)).toEqual({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
    })
    expect(parseTraceParent(`${PARENT.replace(/^00/, '01')}-more`)?.traceFlags).toBe(1)
    expect(parseTraceParent(PARENT.replace(/01$/, '00'))?.traceFlags).toBe(0)
  })

  test.each([
    undefined,
    '',
    'x',
    `${PARENT}-more`,
    PARENT.replace(/^00/, 'ff'),
    PARENT.toUpperCase(),
    PARENT.replace(/0af\w+-b/, `${'0'.repeat(32)}-b`),
    PARENT.replace(/b7\w+-/, `${'0'.repeat(16)}-`),
  ])('is passed over where it is not: %s', (header) => {
    expect(parseTraceParent(header)).toBeUndefined()
  })
})
