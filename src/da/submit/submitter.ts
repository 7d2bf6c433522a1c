import type { BlockStore } from '../../core/block-store.ts'
import type { DaClient, DaSubmitOptions } from '../../core/da.ts'
import type { Env } from '../../core/env.ts'
import type { KvPart } from '../../core/kv.ts'
import type { Service } from '../../core/lifecycle.ts'
import { createListeners } from '../../core/listeners.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { DaSubmission } from '../../core/node-view.ts'
import type { Signer } from '../../core/signer.ts'
import { createSerial, deferred } from '../../util/async.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import { createAttemptLog } from './attempt-log.ts'
import { createDataItems, createHeaderItems, type ItemKind } from './items.ts'
import { createJournal } from './journal.ts'
import { createLane, type Lane, type LaneStatus, type Submission } from './lane.ts'
import { SUBMIT_METRICS } from './metrics.ts'
import { createPayment } from './payment.ts'
import type { InclusionPort } from './review.ts'
import { createStrategy, type StrategyName } from './strategy.ts'
import { createTurns } from '../turns.ts'

/** What a {@link Submitter} needs. */
export interface SubmitterDeps {
  readonly client: DaClient
  readonly blockStore: BlockStore
  /** The proposer's key. Blocks of other proposers are left to them. */
  readonly signer: Signer
  /** A part of the database of its own. */
  readonly kv: KvPart
  readonly inclusion: InclusionPort
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** How a {@link Submitter} posts. Times in milliseconds, defaults in brackets. */
export interface SubmitterOptions {
  /** 29 bytes each; they may be the same. */
  readonly headerNamespace: Uint8Array
  readonly dataNamespace: Uint8Array
  /** Time between DA blocks. */
  readonly blockTime: number
  /** Bytes of one submission [5 MiB] and headers or data in it [2,048]. */
  readonly maxBlobBytes?: number
  readonly maxItems?: number
  /** When to post [time]; see {@link createStrategy}. */
  readonly strategy?: StrategyName
  /** Part of `maxBlobBytes` that must be full [0.8]. */
  readonly sizeThreshold?: number
  /** Longest time until a submission [0: `blockTime`]. */
  readonly maxDelay?: number
  /** Items that must be there [1]. */
  readonly minItems?: number
  /** Attempts until a submission is given up for a moment [30]. */
  readonly maxAttempts?: number
  /** Passed on to the DA node as they are [none]. */
  readonly submitOptions?: DaSubmitOptions
  /** DA accounts that take turns in paying [none: the DA node's]. */
  readonly signingAddresses?: readonly string[]
  /** Time for the submissions under way when stopping [2,000]. */
  readonly stopTimeout?: number
}

/** What a {@link Submitter} is at. */
export interface SubmitterStatus {
  /** Blocks whose header or data is not posted yet. */
  readonly pending: number
  readonly headers: LaneStatus
  readonly data: LaneStatus
}

/**
 * Posts what this node makes to DA: headers and data, each in order and independent of the other. Nothing is given
 * up: what DA does not take stays in the store and is tried again, for as long as it takes. What DA took but does not
 * show later is posted again. After a crash at most the submissions under way are posted twice, which harms nobody.
 *
 * `start` rejects with `STORE_CORRUPT`, and after a critical error with that error: `DA_ITEM_TOO_BIG`, when a block
 * can never be posted. Source: ev-node v1.2.3 block/internal/submitting, block/internal/cache.
 */
export interface Submitter extends Service {
  /** Resolves, once, with the critical error that ended the posting. Never rejects. */
  readonly failed: Promise<EvolveError>
  /** A block was saved, or one has become final. */
  poke(): void
  /** DA was read up to a height: again, from there on, when it is lower than before. */
  consumed(daHeight: number): void
  /** Blocks whose header or data is not posted yet. */
  pending(): number
  /** Calls `listener` with each submission that DA has taken, until the returned function is called. */
  onSubmitted(listener: (submission: Submission) => void): () => void
  /**
   * Calls `listener` when {@link Submitter.pending} has fallen, whatever the reason: DA took something, has it, or it
   * needs no posting. Until the returned function is called.
   */
  onMoved(listener: () => void): () => void
  /** The latest attempts to post, newest first: those that failed as well. */
  attempts(): readonly DaSubmission[]
  /** The last submissions, oldest first, at most {@link MAX_RECENT}. */
  recent(): readonly Submission[]
  status(): SubmitterStatus
}

/** Submissions that {@link Submitter.recent} remembers. */
export const MAX_RECENT = 100

/** Source: ev-node v1.2.3 pkg/blobsize. */
const MAX_BLOB_BYTES = 5 * 1024 * 1024

interface Run {
  readonly waiting: AbortController
  readonly calling: AbortController
  readonly over: Promise<unknown>
}

/** Makes a {@link Submitter}. */
export function createSubmitter(deps: SubmitterDeps, options: SubmitterOptions): Submitter {
  const { client, blockStore, kv, inclusion, env, metrics } = deps
  const { blockTime, maxBlobBytes = MAX_BLOB_BYTES, maxDelay = 0, stopTimeout = 2_000 } = options
  const logger = deps.logger.child({ component: 'da-submitter' })
  const serial = createSerial()
  const failed = deferred<EvolveError>()
  const submitted = createListeners<Submission>(logger, 'submission')
  const moved = createListeners<number>(logger, 'fewer pending blocks')
  const payment = createPayment(options.submitOptions ?? {}, options.signingAddresses ?? [])
  const strategy = createStrategy({
    strategy: options.strategy ?? 'time',
    sizeThreshold: options.sizeThreshold ?? 0.8,
    maxBlobBytes,
    maxDelay: maxDelay === 0 ? blockTime : maxDelay,
    minItems: options.minItems ?? 1,
  })
  const recent: Submission[] = []
  const attempts = createAttemptLog({ env })
  const headers = lane(createHeaderItems(deps), options.headerNamespace)
  const data = lane(createDataItems(deps), options.dataNamespace)
  const lanes = [headers, data]
  const watch = createTurns(
    { env, logger },
    { what: 'reading the height', retryFirst: 100, retryLast: Math.max(100, blockTime) },
  )
  let height = 0
  /** As it was when it changed last. */
  let lastPending = 0
  let failure: EvolveError | undefined
  let run: Run | undefined

  function lane(kind: ItemKind, namespace: Uint8Array): Lane {
    const journal = createJournal({ kv, blockStore }, kind.kind)
    return createLane(
      {
        client,
        kind,
        namespace,
        journal,
        inclusion,
        strategy,
        payment,
        env,
        logger,
        metrics,
        onAttempt: (attempt) => attempts.add(attempt),
        onSubmitted,
        onMoved,
      },
      {
        blockTime,
        maxAttempts: Math.max(1, options.maxAttempts ?? 30),
        maxItems: options.maxItems ?? 2_048,
        maxBlobBytes,
      },
    )
  }

  function onSubmitted(submission: Submission): void {
    logger.debug('posted to DA', { ...submission })
    recent.push(submission)
    if (recent.length > MAX_RECENT) recent.shift()
    submitted.tell(submission)
  }

  function left({ last }: Lane): number {
    return Math.max(0, height - last)
  }

  function pending(): number {
    return Math.max(...lanes.map(left))
  }

  function onMoved(): void {
    metrics.gauge(SUBMIT_METRICS.pending, left(headers) + left(data))
    const [now, before] = [pending(), lastPending]
    lastPending = now
    if (now < before) moved.tell(now)
  }

  async function look(): Promise<number> {
    const [final, now] = await Promise.all([blockStore.daIncludedHeight(), blockStore.height()])
    height = now
    for (const one of lanes) one.moved(final, height)
    onMoved()
    return Infinity
  }

  function fail(error: unknown): void {
    if (failure !== undefined) return
    failure =
      error instanceof EvolveError
        ? error
        : new EvolveError('SUBMISSION_FAILED', `posting to DA ended: ${describeError(error)}`, {
            verdict: 'halt',
            cause: error,
          })
    logger.error('a critical error ended the posting to DA', { code: failure.code, error: failure })
    failed.resolve(failure)
  }

  async function begin(): Promise<Run> {
    const [final, now] = await Promise.all([blockStore.daIncludedHeight(), blockStore.height()])
    for (const one of lanes) await one.load(final, now)
    height = now
    onMoved()
    const [waiting, calling] = [new AbortController(), new AbortController()]
    const signals = { waiting: waiting.signal, calling: calling.signal }
    const work = [watch.run(look, waiting.signal), ...lanes.map(async (one) => await one.run(signals))]
    return { waiting, calling, over: Promise.all(work.map(async (part) => await part.catch(fail))) }
  }

  return {
    failed: failed.promise,
    poke: () => watch.wake(),
    consumed(daHeight) {
      for (const one of lanes) one.consumed(daHeight)
    },
    pending,
    onSubmitted: (listener) => submitted.add(listener),
    onMoved: (listener) => moved.add(() => listener()),
    attempts: () => attempts.latest(),
    recent: () => [...recent],
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        if (failure !== undefined) throw failure
        signal?.throwIfAborted()
        run = await begin()
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        const { waiting, calling, over } = run
        const reason = new DOMException('the submitter stops', 'AbortError')
        waiting.abort(reason)
        const cancel = env.timer(stopTimeout, () => calling.abort(reason))
        await over
        cancel()
        run = undefined
      })
    },
    status: () => ({ pending: pending(), headers: headers.status(), data: data.status() }),
  }
}
