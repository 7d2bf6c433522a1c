/*
 * Removes old blocks, or the states after them: a run at a time, in small steps that let others work, and never more
 * than the node can do without.
 */
import type { Env } from '../core/env.ts'
import { giveWay, sleep } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { HeaderStore } from '../core/header.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { KvBlockStore, PruneMode } from '../store/block-store.ts'
import { heightRange, KEYS, prefixRange } from '../store/keys.ts'
import { readIndexed, txIndexRemovals } from '../store/tx-keys.ts'
import { createSerial } from '../util/async.ts'

/** Gauge: highest height whose block is no longer kept. */
export const PRUNED_HEIGHT_METRIC = 'store_pruned_height'

/** Heights removed in one step. */
const STEP = 128
/** Entries of the transaction index removed in one batch. */
const INDEX_BATCH = 1_024
/** Heights that must have been removed before the disk is asked to give back the room. */
const COMPACT_AFTER = 1_024
/** Heights whose room is given back in one go: a stop waits that long. */
const COMPACT_HEIGHTS = 16_384

/** What is removed, and what stays. */
export interface PruneOptions {
  /** `all`: blocks and states; `metadata`: only states. */
  readonly mode: PruneMode
  /** Latest blocks that are never removed; at least 1. */
  readonly keepRecent: number
}

/** What a {@link Pruner} works with. All of it is started before and stopped after. */
export interface PrunerDeps {
  /** The database of the stores. */
  readonly kv: Kv
  readonly blocks: KvBlockStore
  /** Header and data stores over the same database. */
  readonly headers: Pick<HeaderStore<unknown>, 'prune'>
  readonly data: Pick<HeaderStore<unknown>, 'prune'>
  readonly executor: Pick<Executor, 'latestHeight' | 'prune' | 'rollbackDepth'>
  /** Highest height that others can do without. */
  readonly limit: () => Promise<number>
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** What a run has removed: heights above `from` up to `to`. */
export interface PruneRun {
  readonly from: number
  readonly to: number
}

/** Removes what is old. */
export interface Pruner {
  /**
   * Removes everything that may go now. Cut off at any point, the next run goes on. `onStep` is told how far it is.
   * Rejects with the signal's reason, and with what the database says.
   */
  run(options: {
    readonly signal: AbortSignal
    readonly onStep?: (height: number, target: number) => void
    /** Takes the time to give back all of the disk [false]. */
    readonly thorough?: boolean
  }): Promise<PruneRun>
}

/** Makes a {@link Pruner}. */
export function createPruner(deps: PrunerDeps, { mode, keepRecent }: PruneOptions): Pruner {
  const { kv, blocks, headers, data, executor, env, metrics } = deps
  const logger = deps.logger.child({ component: 'pruner' })

  const position = (): number => (mode === 'all' ? blocks.prunedUpTo : blocks.statesPrunedUpTo)

  async function target(signal: AbortSignal): Promise<number> {
    const [height, limit, executed] = await Promise.all([
      blocks.height(),
      deps.limit(),
      executor.latestHeight?.({ signal }),
    ])
    // What the executor has not seen would have to be executed from here.
    return Math.min(height - Math.max(keepRecent, 1), limit, executed ?? height)
  }

  /** Takes the transactions of heights out of their index. */
  async function forgetTransactions(from: number, to: number, signal: AbortSignal): Promise<void> {
    let ops: KvOp[] = []
    for (let height = from; height <= to; height++) {
      const txs = (await blocks.data(height))?.txs ?? []
      for (let at = 0; at < txs.length; at += INDEX_BATCH) {
        ops.push(...txIndexRemovals(height, txs.slice(at, at + INDEX_BATCH), at))
        if (ops.length < INDEX_BATCH) continue
        await kv.batch(ops)
        ops = []
        await giveWay(env, signal)
      }
    }
    if (ops.length > 0) await kv.batch(ops)
  }

  async function removeUpTo(height: number, signal: AbortSignal): Promise<void> {
    if (mode === 'all' && (await readIndexed(kv)) > position()) {
      await forgetTransactions(position() + 1, height, signal)
    }
    // First the mark: from then on nobody misses what is not there.
    await blocks.prune(height, mode)
    await removeRecords()
  }

  async function removeRecords(): Promise<void> {
    await headers.prune(blocks.prunedUpTo)
    await data.prune(blocks.prunedUpTo)
  }

  /**
   * Has the disk given back. By heights that is little work, whatever the chain's length; what lies by hash is spread
   * over all of its index, which is rewritten as a whole: only when that is asked for.
   */
  async function giveBack(from: number, thorough: boolean, signal: AbortSignal): Promise<void> {
    if (kv.compact === undefined) return
    const byHeight = mode === 'all' ? [KEYS.states, KEYS.headers, KEYS.data] : [KEYS.states]
    const ranges = byHeight.flatMap((prefix) => [
      heightRange(prefix, 0, from + 1),
      ...Array.from({ length: Math.ceil((position() - from) / COMPACT_HEIGHTS) }, (_, index) => {
        const low = from + 1 + index * COMPACT_HEIGHTS
        return heightRange(prefix, low, Math.min(low + COMPACT_HEIGHTS, position() + 1))
      }),
    ])
    const byHash = [KEYS.headerHashes, KEYS.dataHashes, KEYS.transactions, KEYS.metadata]
    if (thorough && mode === 'all') ranges.push(...byHash.map((prefix) => prefixRange(Uint8Array.of(prefix))))
    for (const range of ranges) {
      signal.throwIfAborted()
      await kv.compact(range)
    }
  }

  return {
    async run({ signal, onStep, thorough = false }) {
      const from = position()
      const to = await target(signal)
      // Those of a run that was cut off.
      await removeRecords()
      const began = env.monotonic()
      while (position() < to) {
        await removeUpTo(Math.min(to, position() + STEP), signal)
        metrics.gauge(PRUNED_HEIGHT_METRIC, blocks.prunedUpTo)
        onStep?.(position(), to)
        await giveWay(env, signal)
      }
      const removed = position() - from
      if (removed > 0) {
        const depth = Math.max(executor.rollbackDepth ?? 1, 1)
        const spare = Math.min(position(), (await blocks.height()) - depth)
        if (spare > 0) await executor.prune?.(spare, { signal })
      }
      if (removed >= COMPACT_AFTER) await giveBack(from, thorough, signal)
      if (removed > 0) {
        const took = Math.round(env.monotonic() - began)
        logger.info('old blocks were removed', { mode, from: from + 1, to: position(), took })
      }
      return { from, to: position() }
    },
  }
}

/** Makes the service that runs a {@link Pruner} at its start and `interval` milliseconds after each run. */
export function createPruning(
  deps: { readonly pruner: Pruner; readonly env: Env; readonly logger: Logger },
  { interval }: { readonly interval: number },
): Service {
  const { pruner, env } = deps
  const logger = deps.logger.child({ component: 'pruner' })
  const serial = createSerial()
  let run: { readonly controller: AbortController; readonly over: Promise<void> } | undefined

  async function runOn(signal: AbortSignal): Promise<void> {
    // Timers know no longer time.
    const pause = Math.min(interval, 2 ** 31 - 1)
    while (!signal.aborted) {
      try {
        await pruner.run({ signal })
      } catch (error) {
        if (signal.aborted) return
        logger.warn('removing old blocks failed; the next run tries again', { error })
      }
      // Only an abort ends the sleep early.
      await sleep(env, pause, signal).catch(() => undefined)
    }
  }

  return {
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const controller = new AbortController()
        run = { controller, over: runOn(controller.signal) }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.controller.abort(new DOMException('the pruner stops', 'AbortError'))
        await run.over
        run = undefined
      })
    },
  }
}
