import { expect, onTestFinished, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import { faultsOf, growKvChain, type KvHome, kvTxsAt, openKvHome } from '../../test/support/kv-chain.ts'
import { createRecorder } from '../../test/support/recorder.ts'
import { createVirtualEnv } from '../../test/support/virtual-env.ts'
import { systemEnv } from '../core/env.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { KEYS, prefixRange } from '../store/keys.ts'
import { createTxIndex } from '../store/tx-index.ts'
import { sha256 } from '../util/crypto.node.ts'
import { createPruner, createPruning, type Pruner, type PruneOptions, type PrunerDeps } from './pruner.ts'

const { signal } = new AbortController()
const HEIGHT = 400

async function filled(): Promise<{ kv: FaultyKv; home: KvHome; roots: Map<number, string> }> {
  const kv = createFaultyKv(createMemoryKv())
  await kv.start()
  onTestFinished(async () => await kv.stop())
  const home = await openKvHome(kv)
  return { kv, home, roots: await growKvChain(home, HEIGHT) }
}

function prunerOf(
  { kv, home }: { readonly kv: FaultyKv; readonly home: KvHome },
  options: PruneOptions,
  more: Partial<PrunerDeps> = {},
): Pruner {
  const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
  return createPruner({ ...home, ...shared, kv, limit: async () => Infinity, ...more }, options)
}

test.each([
  ['what others need', { limit: async () => 250 }, 250],
  ['what the executor has not seen', { executor: { latestHeight: async () => 120 } }, 120],
  ['the latest blocks', {}, HEIGHT - 100],
])('%s stays', async (_what, more, expected) => {
  const all = await filled()
  const pruner = prunerOf(all, { mode: 'all', keepRecent: 100 }, more)
  expect(await pruner.run({ signal })).toEqual({ from: 0, to: expected })
  expect(await pruner.run({ signal })).toEqual({ from: expected, to: expected })
  expect(
    await faultsOf(all.home, { height: HEIGHT, pruned: expected, statesPruned: expected }, all.roots),
  ).toEqual([])
})

test('the executor hears of what it can forget, but not of what it may have to go back to', async () => {
  const all = await filled()
  const heard: number[] = []
  const executor = (rollbackDepth: number): PrunerDeps['executor'] => ({
    rollbackDepth,
    prune: async (height) => void heard.push(height),
  })
  const options = { mode: 'metadata', keepRecent: 300 } as const
  await prunerOf(all, options, { executor: executor(1) }).run({ signal })
  await prunerOf(all, { ...options, keepRecent: 100 }, { executor: executor(250) }).run({ signal })
  await prunerOf(all, { ...options, keepRecent: 90 }, { executor: executor(HEIGHT) }).run({ signal })
  expect(heard).toEqual([100, 150])
})

test('transactions of removed blocks leave the index, those of others stay', async () => {
  const all = await filled()
  const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
  const index = createTxIndex({ ...shared, kv: all.kv, blocks: all.home.blocks })
  await index.start()
  await index.caughtUp({ signal })
  await prunerOf(all, { mode: 'all', keepRecent: 100 }).run({ signal })
  const [old, recent] = [kvTxsAt(299)[1], kvTxsAt(301)[1]]
  if (old === undefined || recent === undefined) throw new Error('no transactions')
  expect(await index.find(sha256(old))).toBeUndefined()
  expect(await index.find(sha256(recent))).toEqual({ height: 301, index: 1 })
  await index.stop()
  let left = 0
  for await (const _ of all.kv.keys(prefixRange(Uint8Array.of(KEYS.transactions)))) left++
  expect(left).toBe(Array.from({ length: 100 }, (_, i) => kvTxsAt(301 + i).length).reduce((a, b) => a + b))
})

test('the service runs at its start and after each interval, and a failure does not end it', async () => {
  const all = await filled()
  const time = createVirtualEnv()
  const recorder = createRecorder()
  let limit = 100
  const shared = { env: time.env, logger: recorder.logger, metrics: recorder.metrics }
  const runs: number[] = []
  const inner = prunerOf(all, { mode: 'all', keepRecent: 10 }, { limit: async () => limit })
  const pruner: Pruner = {
    async run(options) {
      const run = await inner.run(options)
      runs.push(run.to)
      return run
    },
  }
  const pruning = createPruning({ ...shared, pruner }, { interval: 1_000 })
  await pruning.start()
  await pruning.start()
  const settle = async (count: number): Promise<void> => {
    while (runs.length < count) await time.settle()
  }
  await settle(1)
  limit = 200
  await time.advance(1_000)
  await settle(2)
  all.kv.fail = () => 'before'
  limit = 300
  await time.advance(1_000)
  const warning = 'warn: removing old blocks failed; the next run tries again'
  while (recorder.times(warning) === 0) await time.settle()
  all.kv.fail = undefined
  await time.advance(1_000)
  await settle(3)
  expect(runs).toEqual([100, 200, 300])
  expect(recorder.times(warning)).toBe(1)
  await pruning.stop()
  await pruning.stop()
  expect(time.timers).toBe(0)
})
