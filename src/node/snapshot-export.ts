/*
 * Writes a stopped node's chain and application state into a snapshot. What concerns this node alone stays here: its
 * keys, its ledger, waiting transactions, the block under way, what it posted to DA, its peers.
 */
import { bringExecutorTo } from '../block/replay.ts'
import { createPatientExecutor } from '../block/execute.ts'
import type { Env } from '../core/env.ts'
import type { Kv } from '../core/kv.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import type { EntryExecutor } from '../execution/entry-executor.ts'
import type { KvBlockStore } from '../store/block-store.ts'
import { heightOfKey, heightRange, KEYS, METADATA, parseHeight, prefixRange } from '../store/keys.ts'
import { writeSnapshot } from '../store/snapshot-file.node.ts'
import type { SnapshotFrame, SnapshotManifest } from '../store/snapshot-format.ts'
import type { Genesis } from '../types/genesis.ts'
import type { State } from '../types/state.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'

/** What {@link exportSnapshot} reads: nobody else has it open. */
export interface SnapshotExportDeps {
  /** The node's database, started. */
  readonly kv: Kv
  readonly blocks: KvBlockStore
  readonly genesis: Genesis
  /** The application over its part of the database, and its name. */
  readonly executor: EntryExecutor
  readonly application: string
  readonly env: Env
}

/** What goes into a snapshot. */
export interface SnapshotExportOptions {
  /** Latest blocks; all that are there when left out. */
  readonly recent?: number | undefined
  readonly signal: AbortSignal
  /** Told how many of the blocks are written. */
  readonly onBlock?: (done: number, all: number) => void
}

/** Writes a snapshot of the last height into a new file. Rejects with `USAGE` when there is nothing to be written. */
export async function exportSnapshot(
  deps: SnapshotExportDeps,
  path: string,
  options: SnapshotExportOptions,
): Promise<{ readonly manifest: SnapshotManifest; readonly bytes: number; readonly checksum: Uint8Array }> {
  const { blocks, genesis, executor, env } = deps
  const { signal } = options
  const state = await blocks.state()
  if (state === undefined || state.lastBlockHeight < genesis.initialHeight) {
    throw new EvolveError('USAGE', 'there are no blocks here yet: nothing to be exported')
  }
  // After a crash it may be elsewhere.
  const shared = { env, logger: noopLogger, metrics: noopMetrics }
  await bringExecutorTo(
    state,
    { ...shared, blockStore: blocks, executor, patient: createPatientExecutor(shared), genesis },
    { signal },
  )
  const manifest = await manifestOf(deps, state, options.recent)
  const written = await writeSnapshot(
    path,
    { manifest, frames: framesOf(deps, manifest, options) },
    { signal },
  )
  return { manifest, ...written }
}

async function manifestOf(
  { blocks, application, env }: SnapshotExportDeps,
  { chainId, initialHeight, lastBlockHeight: height, lastHeaderHash }: State,
  recent = Infinity,
): Promise<SnapshotManifest> {
  // What was pruned counts as final in the store, also where there is no DA.
  const followsDa = (await blocks.metadata(METADATA.daIncludedHeight)) !== undefined
  const final = followsDa ? Math.min(height, await blocks.daIncludedHeight()) : 0
  const here = blocks.prunedUpTo + 1
  // Whoever follows DA from here on needs every block that is not final.
  const wanted = Math.min(height - recent + 1, final >= initialHeight ? final + 1 : height)
  const firstHeight = Math.min(height, Math.max(here, wanted))
  const whole = firstHeight === initialHeight && blocks.statesPrunedUpTo < initialHeight
  const genesisDa = await blocks.metadata(METADATA.genesisDaHeight)
  return {
    chainId,
    application,
    initialHeight,
    height,
    firstHeight,
    firstState: whole ? initialHeight - 1 : Math.max(firstHeight, blocks.statesPrunedUpTo + 1),
    headerHash: lastHeaderHash,
    finalHeight: final >= initialHeight ? final : 0,
    genesisDaHeight: genesisDa === undefined ? 0 : (parseHeight(genesisDa.toReversed()) ?? 0),
    created: env.now(),
  }
}

async function* framesOf(
  { kv, blocks }: SnapshotExportDeps,
  manifest: SnapshotManifest,
  { signal, onBlock }: SnapshotExportOptions,
): AsyncGenerator<SnapshotFrame> {
  const { firstHeight, firstState, height, initialHeight, finalHeight } = manifest
  if (firstState < initialHeight) {
    for await (const [, state] of kv.range(heightRange(KEYS.states, firstState, initialHeight)))
      yield { kind: 'genesis-state', state }
  }
  yield* blockFrames(kv, manifest, (done) => {
    signal.throwIfAborted()
    onBlock?.(done, height - firstHeight + 1)
  })
  for (let at = firstHeight; at <= finalHeight; at++) {
    const place = await blocks.inclusionOf(at)
    if (place !== undefined) yield { kind: 'final', ...place }
  }
  yield* records(kv, KEYS.da, 'da', signal)
  yield* records(kv, KEYS.executor, 'application', signal)
}

/** Headers, data and states side by side, as they lie there. */
async function* blockFrames(
  kv: Kv,
  { firstHeight, firstState, height }: SnapshotManifest,
  onBlock: (done: number) => void,
): AsyncGenerator<SnapshotFrame> {
  const walk = (prefix: number, from: number): AsyncIterator<readonly [Uint8Array, Uint8Array]> =>
    kv.range(heightRange(prefix, from, height + 1))[Symbol.asyncIterator]()
  const firstWithState = Math.max(firstState, firstHeight)
  const headers = walk(KEYS.headers, firstHeight)
  const data = walk(KEYS.data, firstHeight)
  const states = walk(KEYS.states, firstWithState)
  const next = async (
    from: AsyncIterator<readonly [Uint8Array, Uint8Array]>,
    at: number,
  ): Promise<Uint8Array> => {
    const result = await from.next()
    if (result.done !== true && heightOfKey(result.value[0]) === at) return result.value[1]
    throw new EvolveError('STORE_CORRUPT', `something of block ${at} is missing`, { verdict: 'halt' })
  }
  try {
    for (let at = firstHeight; at <= height; at++) {
      const header = await next(headers, at)
      yield {
        kind: 'block',
        header,
        data: await next(data, at),
        state: at < firstWithState ? EMPTY_BYTES : await next(states, at),
      }
      onBlock(at - firstHeight + 1)
    }
  } finally {
    for (const one of [headers, data, states]) await one.return?.()
  }
}

async function* records(
  kv: Kv,
  prefix: number,
  kind: 'da' | 'application',
  signal: AbortSignal,
): AsyncGenerator<SnapshotFrame> {
  for await (const [key, value] of kv.range(prefixRange(Uint8Array.of(prefix)))) {
    signal.throwIfAborted()
    yield { kind, key: key.subarray(1), value }
  }
}
