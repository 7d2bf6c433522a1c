import type { Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { abortable } from '../../util/async.ts'
import { describeError, isEvolveError, verdictOf } from '../../util/errors.ts'
import type { HalfKind, HalfName } from '../records.ts'
import { createTurns } from '../turns.ts'
import { countFailure, deliver, type DeliveryDeps, FIRST_BACKOFF, type StopSignals } from './deliver.ts'
import type { ItemKind } from './items.ts'
import type { Journal } from './journal.ts'
import { SUBMIT_METRICS } from './metrics.ts'
import { covers, type Posted } from './outstanding.ts'
import { createReview, type InclusionPort, type Lost } from './review.ts'
import type { Strategy } from './strategy.ts'
import { createWindow, type Window } from './window.ts'

/** DA heights above what was read that are believed without asking for the head of DA. */
const FAR = 100

/** What DA has taken together. */
export interface Submission {
  readonly kind: HalfKind
  /** First and last block height. */
  readonly from: number
  readonly to: number
  readonly daHeight: number
  readonly blobs: number
  readonly bytes: number
}

/** What a lane is at. */
export interface LaneStatus {
  /** Everything up to here is posted, or needs no posting. */
  readonly lastSubmitted: number
  /** Headers or data in memory, ready to be posted, and their bytes. */
  readonly ready: number
  readonly readyBytes: number
  /** Submissions that are not final yet. */
  readonly outstanding: number
  /** Failed attempts since the last success. */
  readonly failures: number
  readonly lastError: string | undefined
}

/** What a {@link Lane} needs. */
export interface LaneDeps extends Omit<DeliveryDeps, 'included' | 'onFailure'> {
  readonly kind: ItemKind
  readonly namespace: Uint8Array
  readonly journal: Journal
  readonly inclusion: InclusionPort
  readonly strategy: Strategy
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Told of each submission that DA has taken. */
  readonly onSubmitted: (submission: Submission) => void
  /** Told when {@link Lane.last} has changed. */
  readonly onMoved: () => void
}

/** Bounds and patience of a {@link Lane}; times in milliseconds. */
export interface LaneOptions {
  readonly blockTime: number
  readonly maxAttempts: number
  readonly maxItems: number
  readonly maxBlobBytes: number
}

/** Posts one half of all blocks in order, one submission at a time. */
export interface Lane {
  /** Everything up to here is posted, or needs no posting. */
  readonly last: number
  /** Reads what an earlier run left, for a chain whose blocks above `final` are not final and end at `height`. */
  load(final: number, height: number): Promise<void>
  /** Runs until the signals abort. Rejects with a critical error. */
  run(signals: StopSignals): Promise<void>
  /** Blocks are saved up to `height` and final up to `final`. */
  moved(final: number, height: number): void
  /** DA was read up to a height: again, from there on, when it is lower than before. */
  consumed(daHeight: number): void
  status(): LaneStatus
}

/** Makes a {@link Lane}. */
export function createLane(deps: LaneDeps, options: LaneOptions): Lane {
  const { kind, namespace, journal, inclusion, strategy, env, logger, metrics } = deps
  const { blockTime, maxItems, maxBlobBytes } = options
  const tick = Math.max(blockTime / 4, FIRST_BACKOFF)
  const review = createReview(deps, options)
  const turns = createTurns(deps, {
    what: `posting ${kind.kind}`,
    retryFirst: FIRST_BACKOFF,
    retryLast: Math.max(FIRST_BACKOFF, blockTime),
  })
  let chain = { final: 0, height: 0 }
  let window: Window = windowAbove(0)
  /** Up to here some was posted before: what lies on DA is passed over. */
  let seenBefore = 0
  /** Items per submission: halved when too big, doubled when taken. */
  let most = maxItems
  let told = 0
  /** What DA has taken and is not noted yet; as a submission when it said so. */
  let taken: { readonly posted: Posted; readonly submission: Submission | undefined } | undefined
  let lastSubmission = 0
  let savedAt = 0
  let notBefore = 0
  let failures = 0
  let lastError: string | undefined

  function windowAbove(last: number): Window {
    const done = async (name: HalfName): Promise<boolean> =>
      name.height <= seenBefore &&
      (covers(journal.outstanding, name.height) || (await inclusion.included(name)))
    return createWindow({ kind, namespace, done }, { maxItems, maxBlobBytes }, last)
  }

  function tellMoved(): void {
    if (window.last === told) return
    told = window.last
    deps.onMoved()
  }

  /** Notes what was taken; only then the window lets go of it, and others hear of it. */
  async function note({ posted, submission }: NonNullable<typeof taken>): Promise<void> {
    await journal.note(posted)
    taken = undefined
    window.passTo(posted.to)
    savedAt = -Infinity
    tellMoved()
    if (submission !== undefined) deps.onSubmitted(submission)
  }

  async function postAgain(lost: Lost, signal: AbortSignal): Promise<void> {
    const { posted, from } = lost
    logger.warn('what DA took is not there; posting it again', {
      from,
      to: posted.to,
      daHeight: posted.daHeight,
    })
    metrics.count(SUBMIT_METRICS.resends)
    signal.throwIfAborted()
    const last = Math.min(window.last, from - 1)
    seenBefore = Math.max(seenBefore, window.scanned)
    await review.giveUp(lost, last)
    window.reset(last)
    tellMoved()
  }

  async function fill(signal: AbortSignal): Promise<void> {
    try {
      await window.fill(chain.height, signal)
    } catch (error) {
      if (isEvolveError(error, 'DA_ITEM_TOO_BIG')) countFailure(deps, 'too_big')
      throw error
    } finally {
      tellMoved()
    }
  }

  /** Saves the last height: at once after a submission, else once per DA block. Gives the milliseconds until then. */
  async function saveLast(): Promise<number> {
    if ((journal.saved ?? 0) === window.last) return Infinity
    const early = savedAt + blockTime - env.monotonic()
    if (early > 0) return early
    await journal.save(window.last)
    savedAt = env.monotonic()
    return Infinity
  }

  function onFailure(error: unknown, attempts: number): void {
    const facts = { kind: kind.kind, from: window.last + 1, attempts, error }
    if (failures === 0) logger.warn('posting to DA failed; trying again', facts)
    else logger.debug('posting to DA failed; trying again', facts)
    failures++
    lastError = describeError(error)
  }

  /** A DA height as a DA node named it. It is not above the head of DA: what is not there would be waited for there. */
  async function believed(named: number, signal: AbortSignal): Promise<number> {
    if (named <= review.consumed + FAR) return named
    try {
      const { height } = await abortable(deps.client.head({ signal }), signal)
      const highest = Math.max(height, review.consumed)
      if (named <= highest) return named
      logger.warn('the DA node named a height above its head for a submission', { named, head: height })
      return highest
    } catch (error) {
      logger.debug('the DA height of a submission could not be compared with the head', { named, error })
      return named
    }
  }

  async function submit(signals: StopSignals): Promise<void> {
    const batch = window.items.slice(0, most)
    const included = async (name: HalfName): Promise<boolean> => await inclusion.included(name)
    const delivery = await deliver({ ...deps, included, onFailure }, batch, options, signals)
    const { items, outcome } = delivery
    if (items.length < batch.length && outcome !== 'found') most = items.length
    else if (outcome === 'posted') most = Math.min(maxItems, most * 2)
    const now = env.monotonic()
    const [first] = items
    const to = items.at(-1)
    if (outcome === 'exhausted' || first === undefined || to === undefined) {
      if (failures <= options.maxAttempts) {
        logger.error('DA takes nothing; going on trying', {
          kind: kind.kind,
          from: window.last + 1,
          lastError,
        })
      }
      notBefore = now + tick
      return
    }
    if (failures > 0) logger.info('posted to DA at last', { kind: kind.kind, failures })
    failures = 0
    lastError = undefined
    lastSubmission = now
    const range = { from: first.name.height, to: to.name.height }
    const daHeight =
      outcome === 'posted' ? await believed(delivery.daHeight, signals.calling) : review.consumed
    const bytes = items.reduce((sum, { blob }) => sum + blob.data.length, 0)
    taken = {
      posted: { ...range, daHeight, found: false },
      submission:
        outcome === 'posted'
          ? { kind: kind.kind, ...range, daHeight, blobs: items.length, bytes }
          : undefined,
    }
    await note(taken)
  }

  /** Does what is to be done now; gives the milliseconds after which there may be more. */
  async function turn(signals: StopSignals): Promise<number> {
    if (taken !== undefined) await note(taken)
    const toReview = await review.next(signals.waiting)
    if (typeof toReview !== 'number') {
      await postAgain(toReview, signals.waiting)
      return 0
    }
    window.passTo(Math.max(chain.final, inclusion.height))
    await fill(signals.waiting)
    const toSave = await saveLast()
    const now = env.monotonic()
    const { items, bytes, full } = window
    const ready = {
      items: items.length,
      bytes,
      full: full || items.length > most,
      sinceLast: now - lastSubmission,
    }
    const toSubmit = Math.max(strategy(ready), notBefore - now)
    if (toSubmit > 0) return Math.min(toSubmit, toReview, toSave)
    await submit(signals)
    return 0
  }

  return {
    get last() {
      return window.last
    },
    async load(final, height) {
      await journal.load(final + 1, height)
      chain = { final, height }
      seenBefore = journal.outstanding.reduce((high, { to }) => Math.max(high, to), 0)
      window = windowAbove(Math.max(final, Math.min(height, journal.saved ?? final)))
      told = window.last
      lastSubmission = env.monotonic()
      savedAt = lastSubmission
      most = maxItems
      taken = undefined
    },
    async run(signals) {
      try {
        await turns.run(async () => await turn(signals), signals.waiting)
        if (taken === undefined) await journal.save(window.last)
      } catch (error) {
        if (verdictOf(error, 'retry') === 'halt') throw error
        logger.warn('the last submitted height could not be saved', { kind: kind.kind, error })
      }
    },
    moved(final, height) {
      chain = { final, height }
      turns.wake()
    },
    consumed(daHeight) {
      review.read(daHeight)
      turns.wake()
    },
    status: () => ({
      lastSubmitted: window.last,
      ready: window.items.length,
      readyBytes: window.bytes,
      outstanding: journal.outstanding.length,
      failures,
      lastError: turns.lastError ?? lastError,
    }),
  }
}
