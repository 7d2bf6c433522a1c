/*
 * Takes a node that does not run back to an earlier height: the application, the stores, and all that knows how far the
 * chain goes. Every step leaves a database that a node starts with, and that this may be called on again.
 */
import type { Executor } from '../core/executor.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import { rewindOps } from '../da/rewind.ts'
import { settledUpToOps } from '../sequencer/records.ts'
import { createBlockStore, type KvBlockStore } from '../store/block-store.ts'
import { KEYS, METADATA, nameKey, parseHeight } from '../store/keys.ts'
import { subKv } from '../store/sub-kv.ts'
import { EMPTY_BYTES, uint64BigEndian } from '../util/bytes.ts'
import { describeError, EvolveError, isEvolveError } from '../util/errors.ts'
import { itemStores } from './offline.ts'

/** What {@link rollBack} works on: nobody else has it open. */
export interface RollbackDeps {
  /** The node's database, started. */
  readonly kv: Kv
  /** The application over its part of the database. */
  readonly executor: Executor
}

/** Where to, and what is allowed. */
export interface RollbackOptions {
  /** The last block that stays; one below the last when left out. */
  readonly height?: number | undefined
  /** Whether blocks that are final may go. */
  readonly belowFinal?: boolean
  /** Told before anything changes; what it throws ends it there. */
  readonly decide?: (plan: Pick<Rollback, 'from' | 'to' | 'final'>) => void | Promise<void>
  readonly signal: AbortSignal
}

/** What was done. */
export interface Rollback {
  /** Height of the last block before. */
  readonly from: number
  /** Height of the last block after. */
  readonly to: number
  /** Highest final height before. */
  readonly final: number
  /** DA height from which DA is read again; undefined when it need not be. */
  readonly daHeight: number | undefined
  /** State root after `to`, and hash of its header; empty before the first block. */
  readonly stateRoot: Uint8Array
  readonly headerHash: Uint8Array
}

/** Prefix of keys that belong to one part of a node. */
const part = (kv: Kv, prefix: number): ReturnType<typeof subKv> => subKv(kv, Uint8Array.of(prefix))

/**
 * Goes back to a height. Rejects with `NOTHING_TO_ROLL_BACK`, `UNEXPECTED_HEIGHT`, `BELOW_FINAL` and
 * `ROLLBACK_TOO_DEEP` before anything has changed.
 */
export async function rollBack(deps: RollbackDeps, options: RollbackOptions): Promise<Rollback> {
  const { kv } = deps
  const blocks = createBlockStore({ kv })
  await blocks.start()
  try {
    const plan = await planned(blocks, options)
    await options.decide?.(plan)
    const daHeight = await lowestDaHeight(blocks, plan)
    // First the application: it alone knows how far it can go back. Where it stands below the store, it is brought up.
    await rollBackExecutor(deps, plan.to, options.signal)
    await goBackAround(kv, plan.to, daHeight)
    await blocks.truncate(plan.to)
    await settlePointers(kv)
    const { appHash: stateRoot = EMPTY_BYTES, lastHeaderHash: headerHash = EMPTY_BYTES } =
      (await blocks.state()) ?? {}
    return { ...plan, daHeight, stateRoot, headerHash }
  } finally {
    await blocks.stop()
  }
}

async function planned(
  blocks: KvBlockStore,
  { height, belowFinal = false }: RollbackOptions,
): Promise<Pick<Rollback, 'from' | 'to' | 'final'>> {
  const state = await blocks.state()
  const from = state?.lastBlockHeight ?? 0
  // To stay where one is ends what was cut off.
  if (state === undefined || (from < state.initialHeight && height !== from)) {
    throw new EvolveError('NOTHING_TO_ROLL_BACK', 'there is no block here that could be rolled back')
  }
  const to = height ?? from - 1
  const kept = Math.max(blocks.prunedUpTo, blocks.statesPrunedUpTo)
  // Before the first block there is a state too.
  const lowest = kept < state.initialHeight ? state.initialHeight - 1 : kept + 1
  if (to < lowest || to > from) {
    throw new EvolveError(
      'UNEXPECTED_HEIGHT',
      `this node has blocks and states from ${lowest} to ${from}: can go back to one of these heights, not to ${to}`,
      { data: { from, lowest, to } },
    )
  }
  const final = await blocks.daIncludedHeight()
  if (to < Math.min(final, from) && !belowFinal) {
    throw new EvolveError(
      'BELOW_FINAL',
      `block ${final} is final: it lies on DA, and every node will have it again. Going back to ${to} makes sense only to get the same blocks once more`,
      { data: { final, to } },
    )
  }
  return { from, to, final }
}

/** Lowest DA height at which a half of a final block lies that goes; undefined when none goes. */
async function lowestDaHeight(
  blocks: KvBlockStore,
  { to, final, from }: Pick<Rollback, 'from' | 'to' | 'final'>,
): Promise<number | undefined> {
  let lowest: number | undefined
  for (let height = to + 1; height <= Math.min(final, from); height++) {
    const found = await blocks.inclusionOf(height)
    if (found === undefined) continue
    lowest = Math.min(lowest ?? Infinity, found.headerDaHeight, found.dataDaHeight)
  }
  return lowest
}

async function rollBackExecutor({ executor }: RollbackDeps, to: number, signal: AbortSignal): Promise<void> {
  const height = await executor.latestHeight?.({ signal })
  if (height === undefined || height <= to) return
  const tooDeep = (why: string, cause?: unknown): EvolveError =>
    new EvolveError(
      'ROLLBACK_TOO_DEEP',
      `the application is at height ${height} and cannot go back to ${to}: ${why}. Import a snapshot, or begin anew with evolve unsafe-clean`,
      { data: { height, to }, cause },
    )
  if (executor.rollback === undefined) throw tooDeep('it cannot be rolled back at all')
  try {
    await executor.rollback(to, { signal })
  } catch (error) {
    if (!isEvolveError(error, 'ROLLBACK_TOO_DEEP')) throw error
    throw tooDeep(describeError(error), error)
  }
}

/** What else knows how far the chain goes. Done twice, or for nothing, it only makes work. */
async function goBackAround(kv: Kv, to: number, daHeight: number | undefined): Promise<void> {
  const ops: KvOp[] = []
  for (const name of [METADATA.lastSubmittedHeaderHeight, METADATA.lastSubmittedDataHeight]) {
    const key = nameKey(KEYS.metadata, name)
    const bytes = await kv.get(key)
    const submitted = bytes === undefined ? 0 : (parseHeight(bytes.toReversed()) ?? 0)
    if (submitted > to) ops.push({ type: 'put', key, value: uint64BigEndian(to).toReversed() })
  }
  if (daHeight !== undefined) ops.push(...(await rewindOps(part(kv, KEYS.da), daHeight)))
  ops.push(...(await settledUpToOps(part(kv, KEYS.queue), to)))
  if (ops.length > 0) await kv.batch(ops, { sync: true })
}

/** Header and data stores find where they end now. */
async function settlePointers(kv: Kv): Promise<void> {
  const { headers, data } = itemStores(kv)
  for (const store of [headers, data]) {
    await store.start()
    await store.stop()
  }
}
