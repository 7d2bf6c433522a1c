/*
 * Moves candidates into the header and data stores, as far as they continue them. What must be looked for again on DA
 * takes the cursor back.
 */
import { createBackoff, type Env } from '../../core/env.ts'
import type { ItemSink } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Proposers } from '../../core/proposers.ts'
import type { P2PData } from '../../types/data.ts'
import type { Genesis } from '../../types/genesis.ts'
import type { P2PSignedHeader } from '../../types/header.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { describeError, isEvolveError, verdictOf } from '../../util/errors.ts'
import type { HalfKind } from '../records.ts'
import { type Heights, lostDaHeight, rewound, settleDoubts } from './cursor.ts'
import type { Intake } from './intake.ts'
import type { Journal } from './journal.ts'
import { FOLLOW_METRICS } from './metrics.ts'
import { createRuns, nextOf, type Run } from './runs.ts'

/** Waiting times in milliseconds after the stores would not take something. */
const FIRST_RETRY = 100
const LAST_RETRY = 10_000

/** What a {@link Matcher} needs. */
export interface MatcherDeps {
  readonly journal: Journal
  readonly intake: Intake
  readonly headers: ItemSink<P2PSignedHeader>
  readonly data: ItemSink<P2PData>
  readonly proposers: Proposers
  readonly genesis: Genesis
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Gives way to others after so much work. */
  readonly breathe: () => Promise<void>
  /** Told that settling again may bring something: a while after the stores would not take something. */
  readonly wake: () => void
  /** Told of each half that entered a store, with the DA height it was found at. */
  readonly entered: (height: number, daHeight: number) => void
}

/** Moves candidates into the stores. */
export interface Matcher {
  /**
   * Moves what can be moved, after looking again at what the stores and proposers have changed. `broadcast` hands what
   * is new to the peers. Rejects with failures of the stores' reads, and with the signal's reason.
   */
  settle(options: { readonly signal: AbortSignal; readonly broadcast: boolean }): Promise<void>
  /** The stores or the proposers have changed: what was refused may be taken now. */
  changed(): void
  /** Ends its timer. */
  close(): void
}

/** Makes a {@link Matcher}. */
export function createMatcher(deps: MatcherDeps): Matcher {
  const { journal, intake, headers, data, proposers, genesis, env, logger, metrics, breathe } = deps
  const { candidates } = journal
  const runs = createRuns({ ...deps, candidates, headers: headers.store(), data: data.store() })
  const backoff = createBackoff(FIRST_RETRY, LAST_RETRY)
  let cancelRetry: (() => void) | undefined
  /** The stores that refused something that may be right: asked again when something has changed, or after a while. */
  const refused = new Set<HalfKind>()
  /** Data at or below this height was compared with its header. */
  let compared = 0
  /** Heights of the stores when candidates at or below them were taken away. */
  let pruned: Heights | undefined
  /** The height at which headers were found that do not link. */
  let unlinked = 0
  const heights = (): Heights => ({
    header: headers.store().height,
    data: data.store().height,
  })

  function goBack(to: number, reason: string): void {
    const { next } = journal.cursor
    if (to >= next) return
    journal.cursor = rewound(journal.cursor, to)
    metrics.count(FOLLOW_METRICS.rewinds, 1, { reason })
    logger.info('going back on DA', { from: next, to, reason })
  }

  /** What the stores have lost was taken from the candidates: it is looked for where it was found. */
  async function watchStores(): Promise<void> {
    const now = heights()
    const { stores } = journal.cursor
    for (const kind of ['header', 'data'] as const) {
      if (now[kind] >= stores[kind]) continue
      if (kind === 'header') compared = Math.min(compared, now.header)
      const lowest = await journal.lowestInclusion(kind, now[kind] + 1, stores[kind])
      if (lowest !== undefined) goBack(lowest, 'store')
    }
    if (now.header !== stores.header || now.data !== stores.data) {
      journal.cursor = { ...journal.cursor, stores: now }
    }
  }

  /** Whether the header store still holds headers beyond the term of who signed them: they are on their way out. */
  async function outdated(): Promise<boolean> {
    const head = await headers.store().head()
    if (head === undefined || head.header.height < proposers.provenUpTo) return false
    return !equalBytes(head.header.proposerAddress, proposers.expected(head.header.height))
  }

  /** Strangers may have become the proposer, and the other way round. */
  async function watchProposers(): Promise<void> {
    const latest = proposers.expected(Number.MAX_SAFE_INTEGER)
    if (equalBytes(latest, journal.cursor.proposer)) {
      journal.cursor = settleDoubts(journal.cursor, proposers.provenUpTo)
      return
    }
    if (await outdated()) return
    const suspects = journal.cursor.doubts.map(({ daHeight }) => daHeight)
    for (const candidate of candidates.all()) {
      await breathe()
      await intake.again(candidate)
      // Near those that were kept, others may have found no place.
      if (equalBytes(candidate.author, latest)) suspects.push(candidate.daHeight)
    }
    journal.cursor = { ...journal.cursor, proposer: latest, doubts: [] }
    const lowest = suspects.reduce((a, b) => Math.min(a, b), Infinity)
    goBack(lowest, 'proposer')
  }

  /** Headers that have come since vouch for data, or show that it is not theirs. */
  async function compare(): Promise<void> {
    const { header } = heights()
    if (header <= compared) return
    for (const candidate of candidates.upTo({ header: -1, data: header })) {
      if (candidate.name.height > compared) await intake.again(candidate)
    }
    compared = header
  }

  async function prune(): Promise<void> {
    const now = heights()
    if (now.header === pruned?.header && now.data === pruned.data) return
    pruned = now
    intake.passed('header', now.header)
    intake.passed('data', now.data)
    for (const candidate of candidates.upTo(now)) {
      await breathe()
      if (!candidate.trusted || candidate.name.kind === 'header') await intake.again(candidate)
      candidates.remove(candidate)
    }
  }

  /** Nothing but another header for this height can help: a person may want to look. */
  function tellUnlinked(): void {
    const next = headers.store().height + 1
    const [found] = candidates.at(next, 'header')
    if (found?.trusted !== true || unlinked === next) return
    unlinked = next
    logger.warn('the proposer posted a header that does not link to the one below', {
      height: next,
      hash: toHex(found.name.hash),
      daHeight: found.daHeight,
    })
  }

  function refuse(error: unknown, kind: HalfKind, height: number): void {
    refused.add(kind)
    logger.debug('a store does not take what was found on DA yet', { kind, height, error })
    cancelRetry?.()
    cancelRetry = env.timer(backoff.next(), () => {
      refused.clear()
      deps.wake()
    })
  }

  /** Inserts items that ascend without gap; tells whether trying again at once makes sense. */
  async function insert<H>(
    sink: ItemSink<H>,
    run: Run<H>,
    options: { readonly signal: AbortSignal; readonly broadcast: boolean },
  ): Promise<boolean> {
    try {
      // Headers get here by their proposer's signature alone, checked when they were found.
      await sink.insert(run.items, { ...options, validated: run.kind === 'header' })
    } catch (error) {
      options.signal.throwIfAborted()
      if (verdictOf(error, 'retry') !== 'reject' || isEvolveError(error, 'FROM_FUTURE')) {
        refuse(error, run.kind, run.from)
        return false
      }
      // Somebody has cut the store meanwhile: that says nothing about what was to come above.
      if (run.from > nextOf(sink.store(), genesis)) return true
      if (run.items.length > 1) return await insertSingly(sink, run, options)
      const [candidate] = run.candidates
      if (candidate === undefined) {
        refuse(error, run.kind, run.from)
        return false
      }
      logger.warn('a half found on DA turned out wrong', {
        height: candidate.name.height,
        kind: candidate.name.kind,
        daHeight: candidate.daHeight,
        reason: describeError(error),
      })
      candidates.remove(candidate)
      return true
    }
    backoff.reset()
    reach(run, sink.store().height)
    // Otherwise somebody has just cut the store.
    return sink.store().height >= run.from
  }

  async function insertSingly<H>(
    sink: ItemSink<H>,
    run: Run<H>,
    options: { readonly signal: AbortSignal; readonly broadcast: boolean },
  ): Promise<boolean> {
    for (const [index, item] of run.items.entries()) {
      const height = run.from + index
      const one = { from: height, kind: run.kind, items: [item], candidates: [run.candidates[index]] }
      if (!(await insert(sink, one, options))) return false
      // What was wrong is gone now.
      if (sink.store().height < height) return true
    }
    return true
  }

  /** A run has entered its store, whose height is `height` now. */
  function reach<H>({ from, kind, items, candidates: found }: Run<H>, height: number): void {
    intake.passed(kind, from + items.length - 1)
    for (const [index, one] of found.entries()) {
      if (one === undefined) continue
      deps.entered(from + index, one.daHeight)
      if (from + index <= height) candidates.remove(one)
    }
  }

  return {
    async settle(options) {
      for (let again = true; again; ) {
        options.signal.throwIfAborted()
        await breathe()
        await watchStores()
        await watchProposers()
        await compare()
        await prune()
        again = false
        const headerRun = refused.has('header') ? undefined : await runs.headers()
        if (headerRun !== undefined) again = await insert(headers, headerRun, options)
        else if (!refused.has('header')) tellUnlinked()
        if (again) continue
        const dataRun = refused.has('data') ? undefined : await runs.data()
        if (dataRun !== undefined) again = await insert(data, dataRun, options)
      }
      const lost = lostDaHeight(journal.cursor, heights())
      if (lost !== undefined) goBack(lost, 'room')
    },
    changed: () => refused.clear(),
    close() {
      cancelRetry?.()
    },
  }
}
