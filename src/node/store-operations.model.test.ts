/*
 * Pruning and rolling back, in any order and cut off at any write, against a model: what should be there is there, and
 * nothing else.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createFaultyKv, type FaultyKv } from '../../test/support/faulty-kv.ts'
import { faultsOf, growKvChain, type KvHome, openKvHome } from '../../test/support/kv-chain.ts'
import { systemEnv } from '../core/env.ts'
import type { Kv } from '../core/kv.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createLevelKv } from '../store/kv-level.node.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { createPruner } from './pruner.ts'
import { rollBack } from './rollback.ts'

const { signal } = new AbortController()

type Step =
  | { readonly type: 'grow'; readonly count: number }
  | { readonly type: 'prune'; readonly mode: 'all' | 'metadata'; readonly keep: number }
  | { readonly type: 'rollback'; readonly by: number }

interface Strike {
  readonly write: number
  readonly kind: 'before' | 'after'
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant('grow' as const), count: fc.integer({ min: 1, max: 40 }) }),
  fc.record({
    type: fc.constant('prune' as const),
    mode: fc.constantFrom('all' as const, 'metadata' as const),
    keep: fc.integer({ min: 1, max: 60 }),
  }),
  fc.record({ type: fc.constant('rollback' as const), by: fc.integer({ min: 0, max: 30 }) }),
)

/** What should be there. */
interface Model {
  height: number
  pruned: number
  statesPruned: number
}

async function prune(kv: Kv, home: KvHome, mode: 'all' | 'metadata', keepRecent: number): Promise<void> {
  const pruner = createPruner(
    {
      ...home,
      kv,
      limit: async () => Infinity,
      env: systemEnv,
      logger: noopLogger,
      metrics: noopMetrics,
    },
    { mode, keepRecent },
  )
  await pruner.run({ signal })
}

/** Runs a step; with a strike its database fails at one of the writes. Whether it did. */
async function perform(kv: FaultyKv, model: Model, one: Step, strike: Strike | undefined): Promise<boolean> {
  const home = await openKvHome(kv)
  let writes = 0
  let struck = false
  kv.fail = () => {
    if (strike === undefined || one.type === 'grow' || struck || writes++ !== strike.write) return undefined
    struck = true
    return strike.kind
  }
  try {
    if (one.type === 'grow') await growKvChain(home, one.count)
    else if (one.type === 'prune') await prune(kv, home, one.mode, one.keep)
    else {
      await rollBack(
        { kv, executor: home.executor },
        { height: Math.max(model.height - one.by, lowest(model)), belowFinal: true, signal },
      )
    }
  } catch (error) {
    if (!struck) throw error
  } finally {
    kv.fail = undefined
    await home.stop()
  }
  return struck
}

function lowest({ pruned, statesPruned }: Model): number {
  const kept = Math.max(pruned, statesPruned)
  return kept === 0 ? 0 : kept + 1
}

function after(model: Model, one: Step): Model {
  if (one.type === 'grow') return { ...model, height: model.height + one.count }
  if (one.type === 'rollback') return { ...model, height: Math.max(model.height - one.by, lowest(model)) }
  const to = Math.max(0, model.height - one.keep)
  return {
    ...model,
    pruned: one.mode === 'all' ? Math.max(model.pruned, to) : model.pruned,
    statesPruned:
      one.mode === 'all' && to <= model.pruned ? model.statesPruned : Math.max(model.statesPruned, to),
  }
}

async function check(makeKv: () => Kv, steps: readonly Step[], strikes: readonly Strike[]): Promise<void> {
  const kv = createFaultyKv(makeKv())
  await kv.start()
  const roots = await referenceRoots
  try {
    let model: Model = { height: 0, pruned: 0, statesPruned: 0 }
    for (const [index, one] of steps.entries()) {
      // A rollback of nothing is refused.
      if (one.type === 'rollback' && model.height === 0) continue
      const struck = await perform(kv, model, one, strikes[index])
      const next = after(model, one)
      if (struck) {
        // A node starts with what is there, and it is of one piece.
        const home = await openKvHome(kv)
        const height = await home.blocks.height()
        const between = {
          height,
          pruned: home.blocks.prunedUpTo,
          statesPruned: home.blocks.statesPrunedUpTo,
        }
        expect(height).toBeGreaterThanOrEqual(Math.min(model.height, next.height))
        expect(height).toBeLessThanOrEqual(Math.max(model.height, next.height))
        if (one.type === 'prune') {
          // What a cut-off run left behind goes with the next.
          await home.headers.prune(between.pruned)
          await home.data.prune(between.pruned)
        }
        expect(await faultsOf(home, between, roots)).toEqual([])
        await home.stop()
        // The same again.
        if (one.type === 'rollback') {
          await perform(kv, { ...model, height }, { type: 'rollback', by: height - next.height }, undefined)
        } else await perform(kv, model, one, undefined)
      }
      model = next
      const home = await openKvHome(kv)
      expect(await faultsOf(home, model, roots)).toEqual([])
      await home.stop()
    }
  } finally {
    await kv.stop()
  }
}

const referenceRoots: Promise<ReadonlyMap<number, string>> = (async () => {
  const kv = createMemoryKv()
  await kv.start()
  const home = await openKvHome(kv)
  const roots = await growKvChain(home, 400)
  await home.stop()
  await kv.stop()
  return roots
})()

const strikes = fc.array(
  fc.record({
    write: fc.integer({ min: 0, max: 12 }),
    kind: fc.constantFrom('before' as const, 'after' as const),
  }),
  { minLength: 9, maxLength: 9 },
)

describe('pruning and rolling back', () => {
  test('in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 9 }), async (steps) => {
        await check(createMemoryKv, steps, [])
      }),
      { numRuns: 30 },
    )
  })

  test('in any order, each cut off at some write', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 9 }), strikes, async (steps, at) => {
        await check(createMemoryKv, steps, at)
      }),
      { numRuns: 30 },
    )
  })

  test('on disk', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 6 }), strikes, async (steps, at) => {
        const path = await mkdtemp(join(tmpdir(), 'operations-'))
        try {
          await check(() => createLevelKv({ path }), steps, at)
        } finally {
          await rm(path, { recursive: true, force: true })
        }
      }),
      { numRuns: 8 },
    )
  })
})
