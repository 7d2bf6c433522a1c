import { expect, onTestFinished, test } from 'vitest'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createSingleSequencer } from '../sequencer/single.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { subKv } from '../store/sub-kv.ts'
import { fromUtf8, utf8 } from '../util/bytes.ts'
import { dropFollowedTxs } from './followed-txs.ts'

const how = { signal: new AbortController().signal }

/** A queue, and blocks that came from elsewhere; `read` has the heights that were looked at. */
async function setUp(waiting: readonly string[], chain: readonly (readonly string[])[]) {
  const kv = createMemoryKv()
  await kv.start()
  const sequencer = createSingleSequencer({
    kv: subKv(kv, utf8('q')),
    env: systemEnv,
    logger: noopLogger,
    metrics: noopMetrics,
  })
  await sequencer.start()
  onTestFinished(async () => {
    await sequencer.stop()
    await kv.stop()
  })
  if (waiting.length > 0) await sequencer.submit(waiting.map(utf8), how)
  const read: number[] = []
  const blocks = {
    async data(height: number) {
      read.push(height)
      return { txs: (chain[height - 1] ?? []).map(utf8) }
    },
  }
  return {
    sequencer,
    read,
    drop: async (tip: number) => await dropFollowedTxs({ sequencer, blocks }, { initialHeight: 1, tip }, how),
    left: async () => (await sequencer.next({ ...how, maxBytes: 1_000 })).txs.map(fromUtf8),
  }
}

test('what lies in followed blocks leaves the queue, and only that', async () => {
  const node = await setUp(['a=1', 'b=2', 'c=3', 'd=4'], [['x=0'], ['b=2'], [], ['d=4', 'e=5']])
  expect(await node.drop(4)).toBe(2)
  expect(await node.left()).toEqual(['a=1', 'c=3'])
  expect(node.read).toEqual([1, 2, 3, 4])
})

test('what users send again afterwards is a new transaction', async () => {
  const node = await setUp(['a=1'], [['a=1']])
  await node.drop(1)
  await node.sequencer.submit([utf8('a=1')], how)
  expect(await node.drop(1)).toBe(0)
  expect(await node.left()).toEqual(['a=1'])
})

test('an empty queue needs no block to be read', async () => {
  const node = await setUp([], [['a=1'], ['b=2']])
  expect(await node.drop(2)).toBe(0)
  expect(node.read).toEqual([])
  expect(node.sequencer.settledHeight).toBe(2)
})

test('blocks that were looked at before are not looked at again', async () => {
  const node = await setUp(['z=9'], [['a=1'], ['b=2'], ['z=9']])
  await node.drop(2)
  expect(await node.drop(3)).toBe(1)
  expect(node.read).toEqual([1, 2, 3])
})
