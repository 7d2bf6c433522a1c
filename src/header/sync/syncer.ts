/*
 * Keeps a store of items in step with the network: judges what gossip brings, finds out how far the chain goes, and
 * fetches what is missing. Everything waits for events; timers only bound how long one may fail to come.
 */
import { createBackoff, sleep, wakeOrTimeout } from '../../core/env.ts'
import type { GossipVerifier, SyncState } from '../../core/header.ts'
import type { Service } from '../../core/lifecycle.ts'
import { abortable, createSerial, createWake, linkSignals } from '../../util/async.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { createEarlyItems } from './early-items.ts'
import { createIncoming } from './incoming.ts'
import { createInsert, type InsertOptions } from './insert.ts'
import { settle, type SyncerDeps, type SyncerOptions } from './options.ts'
import { createPendingItems } from './pending.ts'
import { createProgress } from './progress.ts'
import { createRunner, type RunEnd } from './run.ts'
import { createSubjectiveHead, type SubjectiveHead } from './subjective-head.ts'

export type { SyncerDeps, SyncerOptions } from './options.ts'

/** Keeps a store in step with the network. The store is started before it and stopped after it. */
export interface Syncer<H> extends Service {
  /**
   * Judges one new item, decoded and validated already: the verifier of a subscriber, and the door for items of
   * our own. Resolves when it is stored or waits for those below it; otherwise throws an EvolveError with a
   * verdict. One at a time, in the order they come.
   */
  readonly incoming: GossipVerifier<H>
  /**
   * Stores items that did not come from peers and continue the store, after the same checks; resolves with those that
   * are new. In turn with {@link Syncer.incoming}.
   */
  insert(items: readonly H[], options: InsertOptions): Promise<readonly H[]>
  /** The chain goes up to `height`, as is known from elsewhere. Replaces what was said before. */
  setTarget(height: number): void
  /** Something changed that may decide what could not be judged, or the store was truncated: look again. */
  poke(): void
  /**
   * The highest item known, stored or not; the peers are asked for theirs when it is not recent. undefined when
   * there is none. Rejects with `HEAD_EXPIRED` when nobody shows one within the trusting period.
   */
  head(options: { readonly signal: AbortSignal }): Promise<H | undefined>
  state(): SyncState
  /** Resolves when the store has all that is known to exist. Rejects with the signal's reason. */
  wait(options: { readonly signal: AbortSignal }): Promise<void>
  /** Calls `listener` when height, target or run change, until the returned function is called. */
  onState(listener: (state: SyncState) => void): () => void
}

/** First waiting time, in milliseconds, between questions for the head while ours is not recent. */
const HEAD_RETRY = 250
/** The longest, in milliseconds, that a recent head is taken for recent without looking again. */
const HEAD_REVIEW = 60 * 60 * 1000

/** Milliseconds for which no peer has the next item before somebody is told. */
const TELL_AFTER = 30_000

/** Makes a {@link Syncer}. */
export function createSyncer<H>(deps: SyncerDeps<H>, options: SyncerOptions<H> = {}): Syncer<H> {
  const { store, kind, env, metrics } = deps
  const settings = settle(options)
  const logger = deps.logger.child({ component: 'syncer', kind: kind.name })
  const pending = createPendingItems(kind, {
    maxItems: settings.maxPending,
    maxBytes: settings.maxPendingBytes,
  })
  const early = createEarlyItems({ kind, env }, { capacity: settings.maxEarly, due: retryEarly })
  const wake = createWake()
  const headWake = createWake()
  const oneByOne = createSerial()
  const lifecycle = createSerial()
  /** What items showed of how far the chain goes, and what somebody said. */
  let heardHeight = 0
  let saidHeight = 0
  let running:
    | {
        readonly stopping: AbortController
        readonly head: SubjectiveHead<H>
        readonly done: Promise<unknown>
      }
    | undefined

  const target = (): number => Math.max(heardHeight, saidHeight)
  const progress = createProgress({ env, logger }, { height: () => store.height, target })
  const parts = { ...deps, logger, pending, conflict }
  const runner = createRunner({ ...parts, target }, settings)
  const judge = createIncoming({ ...parts, early, heard }, settings)
  const insert = createInsert(parts, settings)

  function conflict(stored: H, other: H): void {
    logger.error('two different items of one height, both by who may make them', {
      height: kind.height(stored),
    })
    metrics.count('header_sync_conflicts_total', 1, { kind: kind.name })
    settings.onConflict?.(stored, other)
  }

  function heard(height: number): void {
    heardHeight = Math.max(heardHeight, height)
    metrics.gauge('header_sync_target_height', target(), { kind: kind.name })
    if (store.height < target()) wake.wake()
    progress.changed()
  }

  /** Does something with the store while nothing else is let in. */
  async function inTurn<T>(signal: AbortSignal, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (running === undefined) {
      throw new EvolveError('SYNCER_STOPPED', `${kind.name} syncer is not running`, { verdict: 'ignore' })
    }
    const over = linkSignals(running.stopping.signal, signal)
    try {
      over.signal.throwIfAborted()
      const done = oneByOne.run(async () => {
        over.signal.throwIfAborted()
        return await task(over.signal)
      })
      return await abortable(done, over.signal)
    } finally {
      over.release()
    }
  }

  async function enter(item: H, signal: AbortSignal): Promise<void> {
    await inTurn(signal, async (inner) => await judge(item, { signal: inner }))
  }

  function retryEarly(item: H): void {
    const signal = running?.stopping.signal
    if (signal === undefined) return
    enter(item, signal).catch((error: unknown) => {
      if (!isEvolveError(error, 'KNOWN_HEADER')) {
        logger.debug('an item from the near future was not let in', { height: kind.height(item), error })
      }
    })
  }

  /** The peers showed no more than this: what was only heard of, and is not here, is no target. */
  function forgetUnseen(): void {
    heardHeight = Math.min(heardHeight, Math.max(store.height, pending.highest))
  }

  async function run(signal: AbortSignal): Promise<RunEnd> {
    progress.begin()
    const from = store.height
    const start = env.monotonic()
    const end = await runner.run({ signal })
    if (end.type === 'short') forgetUnseen()
    const behind = end.type === 'short' && store.height < target()
    const error = end.type === 'failed' || behind ? end.error : undefined
    progress.end(error)
    metrics.observe('header_sync_run_seconds', (env.monotonic() - start) / 1000, { kind: kind.name })
    const fields = { from, to: store.height, target: target(), end: end.type }
    if (end.type === 'failed') logger.warn('sync stopped', { ...fields, error })
    else logger.debug('sync ended', { ...fields, error })
    return end
  }

  /** Tells, once, that peers are there but what comes next is not: they may have removed it for good. */
  function watchMissing(): (end: RunEnd, moved: boolean) => void {
    let since: number | undefined
    let told = false
    return (end, moved) => {
      // An empty store is told of by whoever begins it.
      if (moved || end.type !== 'short' || store.height === 0 || store.height >= target()) {
        since = undefined
        told = false
        return
      }
      since ??= env.monotonic()
      if (told || env.monotonic() - since < TELL_AFTER) return
      told = true
      logger.warn('no peer has the next item; DA, a snapshot, or a peer that keeps all may bring it', {
        height: store.height + 1,
        target: target(),
      })
    }
  }

  async function syncLoop(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(settings.retryFirst, settings.retryLast)
    const noteMissing = watchMissing()
    for (;;) {
      await wake.wait(signal)
      while (store.height < target()) {
        const before = store.height
        const end = await run(signal)
        if (store.height > before) backoff.reset()
        noteMissing(end, store.height > before)
        if (end.type === 'done') continue
        await wakeOrTimeout(env, wake, backoff.next(), signal)
      }
      backoff.reset()
    }
  }

  /** Asks for the peers' head while ours is not recent: gossip alone may never tell what was missed. */
  async function watchHead(head: SubjectiveHead<H>, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(HEAD_RETRY, settings.retryLast)
    let seen = 0
    for (;;) {
      const local = await head.local()
      const recent = local === undefined ? 0 : head.recentFor(local)
      const height = local === undefined ? 0 : kind.height(local)
      if (height > seen) backoff.reset()
      seen = height
      if (local !== undefined && recent <= 0) {
        await head.get({ signal }).catch((error: unknown) => {
          signal.throwIfAborted()
          logger.warn('no head can be believed', { error })
        })
      }
      const ms = recent > 0 ? Math.min(Math.max(recent, HEAD_RETRY), HEAD_REVIEW) : backoff.next()
      await wakeOrTimeout(env, headWake, ms, signal)
    }
  }

  /** Runs a loop until the signal aborts. */
  async function supervise(loop: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await loop(signal)
      } catch (error) {
        if (signal.aborted) return
        logger.error('sync failed unexpectedly', { error })
        await sleep(env, settings.retryFirst, signal).catch(() => undefined)
        wake.wake()
      }
    }
  }

  function begin(): void {
    const stopping = new AbortController()
    const { signal } = stopping
    const head = createSubjectiveHead(
      { ...deps, logger, pending, incoming: async (item, options_) => await enter(item, options_.signal) },
      settings,
      signal,
    )
    let last = store.height
    const leave = store.onHeight((height) => {
      // The first items, or fewer than there were: how far the chain goes is worth a question.
      if (last === 0 || height < last) headWake.wake()
      last = height
      runner.moved(height)
      metrics.gauge('header_sync_height', height, { kind: kind.name })
      progress.changed()
    })
    runner.moved(store.height)
    const loops = [
      supervise(syncLoop, signal),
      supervise(async (over) => await watchHead(head, over), signal),
    ]
    running = { stopping, head, done: Promise.all(loops).finally(leave) }
    wake.wake()
  }

  return {
    incoming: async (item, { signal }) => await enter(item, signal),
    async insert(items, options_) {
      const { signal } = options_
      const fresh = await inTurn(signal, async (inner) => await insert(items, { ...options_, signal: inner }))
      const last = fresh.at(-1)
      if (last !== undefined) heard(kind.height(last))
      return fresh
    },
    async start() {
      await lifecycle.run(async () => {
        if (running === undefined) begin()
      })
    },
    async stop() {
      await lifecycle.run(async () => {
        if (running === undefined) return
        const { stopping, done } = running
        running = undefined
        stopping.abort(
          new EvolveError('SYNCER_STOPPED', `${kind.name} syncer was stopped`, { verdict: 'ignore' }),
        )
        early.clear()
        await done
        await oneByOne.idle()
        pending.clear()
      })
    },
    setTarget(height) {
      if (!Number.isSafeInteger(height) || height < 0) {
        throw new EvolveError('INVALID_HEIGHT', `a target is a whole number from 0 on, got ${height}`)
      }
      saidHeight = height
      if (store.height < target()) wake.wake()
      progress.changed()
    },
    poke: () => wake.wake(),
    async head({ signal }) {
      if (running === undefined) return await store.head()
      return await running.head.get({ signal })
    },
    state: progress.state,
    wait: async ({ signal }) => await progress.wait(signal),
    onState: progress.onState,
  }
}
