import type { BlockInclusion, BlockStore } from '../core/block-store.ts'
import type { Env } from '../core/env.ts'
import type { KvOp, KvPart } from '../core/kv.ts'
import type { Service } from '../core/lifecycle.ts'
import { createListeners } from '../core/listeners.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import { isEmptyCommitment } from '../types/data.ts'
import { headerHash } from '../types/header.ts'
import { parseHeight } from '../core/record-keys.ts'
import { abortable, createSerial, deferred } from '../util/async.ts'
import { describeError, EvolveError } from '../util/errors.ts'
import { halfOfKey, type HalfName, inclusionOf, inclusionRange, textOf } from './records.ts'
import { createTurns } from './turns.ts'

/** Gauge: highest final height. Its name is that of ev-node v1.2.3, without its configurable namespace. */
export const INCLUSION_HEIGHT_METRIC = 'sequencer_da_inclusion_height'

/** Blocks made final in one batch. */
const MAX_RUN = 256

/** Inclusion records that are looked at for one run: more than its blocks have. */
const MAX_FOUND = 16 * MAX_RUN

/** Inclusion records taken away in one batch; what is left goes with the next. */
const MAX_REMOVED = 16_384

/** What an {@link InclusionTracker} needs. */
export interface InclusionDeps {
  /** The part of the database in which the reader of DA notes what it found. */
  readonly kv: KvPart
  readonly blockStore: BlockStore
  /**
   * Tells the executor that a height is final. Called again for the same height after a crash. A failure with
   * verdict `halt` ends the tracking, any other is tried again.
   */
  readonly setFinal: (height: number, options: { readonly signal: AbortSignal }) => Promise<void>
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Patience of an {@link InclusionTracker}. Defaults in brackets. */
export interface InclusionOptions {
  /** First and last waiting time in milliseconds after a failure [100, 10,000]. */
  readonly retryFirst?: number
  readonly retryLast?: number
}

/** What an {@link InclusionTracker} is at. */
export interface InclusionStatus {
  /** Highest final height. */
  readonly height: number
  /** The failure that is being waited out, or that ended the tracking. */
  readonly lastError: string | undefined
}

/**
 * Makes blocks final: in order, once they are executed and both their halves were found on DA. A half counts under
 * its own name only, the hash of this very header and the DA commitment of this very data; whatever else lies on DA
 * for the height changes nothing. Data without transactions is not posted: it is where its header is.
 *
 * The executor hears of a height before it is saved as final, so a crash in between repeats and never skips it. What it
 * wrote down may be lost where the save is not, so after a start it hears of the last final height once more.
 * `start` rejects after a critical error with that error. Source: ev-node v1.2.3 block/internal/submitting.
 */
export interface InclusionTracker extends Service {
  /** Highest final height; 0 before the first start. */
  readonly height: number
  /** Resolves, once, with the critical error that ended the tracking. Never rejects. */
  readonly failed: Promise<EvolveError>
  /** Something may have become final: DA was read on, or a block was executed. */
  poke(): void
  /** Whether a half was found on DA. True for every height that is final. */
  included(name: HalfName): Promise<boolean>
  /** Calls `listener` with the new highest final height until the returned function is called. */
  onFinal(listener: (height: number) => void): () => void
  status(): InclusionStatus
}

/** The DA height at which a half was found first; undefined when it was not. */
type Found = (name: HalfName) => Promise<number | undefined>

/** Makes an {@link InclusionTracker}. */
export function createInclusionTracker(
  deps: InclusionDeps,
  options: InclusionOptions = {},
): InclusionTracker {
  const { kv, blockStore, setFinal, env, metrics } = deps
  const logger = deps.logger.child({ component: 'inclusion' })
  const serial = createSerial()
  const saves = createSerial()
  const turns = createTurns(
    { env, logger },
    {
      what: 'making blocks final',
      retryFirst: options.retryFirst ?? 100,
      retryLast: options.retryLast ?? 10_000,
    },
  )
  const finals = createListeners<number>(logger, 'final height')
  const failed = deferred<EvolveError>()
  let run: { readonly controller: AbortController; readonly over: Promise<void> } | undefined
  let failure: EvolveError | undefined
  let height = 0
  /** Whether the executor was told of the last final height since the start. */
  let repeated = false
  /** Below this height there are no inclusion records left. */
  let swept = 0

  /** Where halves of the run of heights from `from` on were found: read at once. */
  async function foundFrom(from: number): Promise<Found> {
    const found = new Map<string, number>()
    let entries = 0
    for await (const [key, value] of kv.range({
      ...inclusionRange(from, from + MAX_RUN),
      limit: MAX_FOUND,
    })) {
      const name = halfOfKey(key)
      const daHeight = parseHeight(value)
      if (name !== undefined && daHeight !== undefined) found.set(textOf(name), daHeight)
      entries++
    }
    // A proposer may have signed more for a height than anybody should: those are looked for one by one.
    return async (name) =>
      found.get(textOf(name)) ?? (entries < MAX_FOUND ? undefined : await inclusionOf(kv, name))
  }

  /** Where the halves of an executed block are; undefined while it is not executed, or a half is missing. */
  async function inclusionAt(at: number, found: Found): Promise<BlockInclusion | undefined> {
    const signed = await blockStore.header(at)
    if (signed === undefined) return undefined
    const { header } = signed
    const headerDaHeight = await found({ height: at, kind: 'header', hash: headerHash(header) })
    if (headerDaHeight === undefined) return undefined
    const dataDaHeight = isEmptyCommitment(header.dataHash)
      ? headerDaHeight
      : await found({ height: at, kind: 'data', hash: header.dataHash })
    return dataDaHeight === undefined ? undefined : { height: at, headerDaHeight, dataDaHeight }
  }

  /** Takes away the records up to a height, those of other hashes as well. */
  async function removals(to: number): Promise<{ readonly ops: readonly KvOp[]; readonly all: boolean }> {
    const ops: KvOp[] = []
    for await (const key of kv.keys({ ...inclusionRange(swept, to + 1), limit: MAX_REMOVED })) {
      ops.push({ type: 'del', key })
    }
    return { ops: kv.whole(ops), all: ops.length < MAX_REMOVED }
  }

  async function save(blocks: readonly BlockInclusion[], to: number): Promise<void> {
    const { ops, all } = await removals(to)
    await blockStore.saveInclusion(blocks, { alongside: ops })
    if (all) swept = to + 1
    height = to
  }

  function announce(): void {
    metrics.gauge(INCLUSION_HEIGHT_METRIC, height)
    finals.tell(height)
  }

  /** Tells the executor again what a crash may have taken from it. */
  async function repeatLast(signal: AbortSignal): Promise<void> {
    if (repeated) return
    const { initialHeight = 1 } = (await blockStore.state()) ?? {}
    if (height >= initialHeight) await abortable(setFinal(height, { signal }), signal)
    repeated = true
  }

  /** Makes final what can be, a run of blocks at most; tells whether there may be more. */
  async function advance(signal: AbortSignal): Promise<boolean> {
    await repeatLast(signal)
    // The store knows better than memory: a save that failed may have happened all the same.
    const stored = await blockStore.daIncludedHeight()
    if (stored > height) {
      height = stored
      announce()
    }
    const found = await foundFrom(height + 1)
    const blocks: BlockInclusion[] = []
    while (blocks.length < MAX_RUN) {
      signal.throwIfAborted()
      const next = await inclusionAt(height + blocks.length + 1, found)
      if (next === undefined) break
      blocks.push(next)
    }
    const last = blocks.at(-1)
    if (last === undefined) return false
    for (const block of blocks) await abortable(setFinal(block.height, { signal }), signal)
    await saves.run(async () => await save(blocks, last.height))
    logger.debug('blocks are final', {
      from: blocks[0]?.height,
      to: last.height,
      daHeight: last.headerDaHeight,
    })
    announce()
    return blocks.length === MAX_RUN
  }

  function fail(error: unknown): void {
    failure =
      error instanceof EvolveError
        ? error
        : new EvolveError('INCLUSION_FAILED', `finality ended at height ${height}: ${describeError(error)}`, {
            verdict: 'halt',
            cause: error,
            data: { height },
          })
    logger.error('a critical error ended finality', { height, code: failure.code, error: failure })
    failed.resolve(failure)
  }

  async function track(signal: AbortSignal): Promise<void> {
    try {
      await turns.run(async () => ((await advance(signal)) ? 0 : Infinity), signal)
    } catch (error) {
      fail(error)
    }
  }

  return {
    failed: failed.promise,
    get height() {
      return height
    },
    poke: () => turns.wake(),
    async included(name) {
      const found = async (): Promise<boolean> =>
        name.height <= height || (await inclusionOf(kv, name)) !== undefined
      if (await found()) return true
      // Its record goes at the moment its height becomes final: look again after that moment.
      await saves.idle()
      return await found()
    },
    onFinal: (listener) => finals.add(listener),
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        if (failure !== undefined) throw failure
        signal?.throwIfAborted()
        height = await blockStore.daIncludedHeight()
        swept = 0
        repeated = false
        metrics.gauge(INCLUSION_HEIGHT_METRIC, height)
        const controller = new AbortController()
        run = { controller, over: track(controller.signal) }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.controller.abort(new DOMException('the inclusion tracker stops', 'AbortError'))
        await run.over
        run = undefined
      })
    },
    status: () => ({
      height,
      lastError: failure === undefined ? turns.lastError : describeError(failure),
    }),
  }
}
