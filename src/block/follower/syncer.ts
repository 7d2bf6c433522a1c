/*
 * The follower: takes the next height from whichever source brought it first, and applies it. One consumer, one
 * height after another, woken by events only.
 */
import type { HeightEvent } from '../../core/block-source.ts'
import { headerHash } from '../../types/header.ts'
import { abortable, createSerial, type Deferred, deferred } from '../../util/async.ts'
import { EMPTY_BYTES, equalBytes, toHex } from '../../util/bytes.ts'
import { describeError, EvolveError, verdictOf } from '../../util/errors.ts'
import { type Applier, createApplier } from '../apply.ts'
import { createPatientExecutor } from '../execute.ts'
import { beginAtGenesis, loadTip, waitForGenesis } from '../initialise.ts'
import { BLOCK_METRICS } from '../metrics.ts'
import { createPersistence } from '../persistence.ts'
import { bringExecutorTo } from '../replay.ts'
import { faultOf, type Tip, validateAlone } from '../validate-block.ts'
import { createEquivocationWatch } from './equivocation.ts'
import { EventQueue } from './event-queue.ts'
import type { Follower, FollowerDeps, FollowerOptions } from './follower.ts'
import { createGroup, type Group, groupSize } from './group.ts'
import { createListeners } from '../../core/listeners.ts'
import { Pending } from './pending.ts'
import type { AppliedBlock } from '../../core/applied-block.ts'
import { noopTracing } from '../../core/tracing.ts'
import type { FollowerPhase } from './status.ts'

/** One life between `start` and `stop`. */
interface Run {
  readonly queue: EventQueue
  readonly controller: AbortController
  readonly over: Deferred<void>
}

/** Milliseconds between two log lines of progress. */
const PROGRESS_EVERY = 5_000
const MIB = 1_048_576

/** Makes a {@link Follower}. */
export function createFollower(deps: FollowerDeps, options: FollowerOptions = {}): Follower {
  const { blockStore, executor, proposers, genesis, env, metrics, tracing = noopTracing } = deps
  const logger = deps.logger.child({ component: 'follower' })
  const patient = createPatientExecutor({ env, logger, metrics }, options.execution)
  const watch = createEquivocationWatch({ blockStore, logger, metrics })
  const pending = new Pending({
    maxAhead: options.parkedHeights ?? 1_000,
    maxBytes: options.parkedBytes ?? 64 * MIB,
    maxPerHeight: options.candidatesPerHeight ?? 4,
  })
  const { queueLimit = 100, queueBytes = 32 * MIB, drainTimeout = 5_000 } = options
  const { followDistance = 3 } = options
  const groupLimits = {
    blocks: groupSize(executor, options.groupBlocks ?? 64),
    bytes: options.groupBytes ?? 8 * MIB,
    age: options.groupAge ?? 100,
  }
  const persistence = createPersistence({ env, logger, metrics }, options)
  const begin = { blockStore, executor, patient, genesis, logger }
  const nextHeights = createListeners<number>(logger, 'next height')
  const blocks = createListeners<AppliedBlock>(logger, 'block')
  const failed = deferred<EvolveError>()
  const serial = createSerial()
  let run: Run | undefined
  let stage: Exclude<FollowerPhase, 'catching-up' | 'halted'> = 'stopped'
  let applier: Applier | undefined
  /** What is executed and not saved yet, while it follows. */
  let group: Group | undefined
  let failure: EvolveError | undefined
  let highestSeen = 0
  let progress = { at: 0, blocks: 0 }

  const lastHeight = (): number => applier?.tip.state.lastBlockHeight ?? genesis.initialHeight - 1
  const nextHeight = (): number => (group?.tip.state.lastBlockHeight ?? lastHeight()) + 1

  function stopped(cause?: EvolveError): EvolveError {
    return new EvolveError('FOLLOWER_STOPPED', 'the follower does not run', { verdict: 'retry', cause })
  }

  function adopt(tip: Tip): Applier {
    applier = createApplier({ ...begin, proposers, env, metrics }, tip)
    return applier
  }

  async function work({ queue, controller: { signal }, over }: Run): Promise<void> {
    try {
      const ready = await persistence.run('beginning', signal, async () => {
        const current = applier ?? adopt(await beginAtGenesis(begin, { signal }))
        await bringExecutorTo(current.tip.state, begin, { signal })
        return current
      })
      stage = 'waiting-genesis'
      await waitForGenesis({ env, genesis, logger }, { signal })
      stage = 'following'
      progress = { at: env.monotonic(), blocks: 0 }
      await consume(queue, ready, signal)
    } catch (error) {
      if (!signal.aborted) fail(error)
    } finally {
      queue.close(stopped(failure))
      over.resolve()
    }
  }

  async function consume(queue: EventQueue, to: Applier, signal: AbortSignal): Promise<void> {
    const own = createGroup(
      { applier: to, persistence, env, executorWrites: deps.executorWrites },
      groupLimits,
    )
    group = own
    try {
      for (;;) {
        let event = pending.take(nextHeight()) ?? queue.poll()
        if (event === undefined) {
          // Nothing waits: what was executed need not wait any longer either.
          await save(own, signal)
          event = await queue.take(signal)
        }
        if (event === undefined) return
        metrics.gauge(BLOCK_METRICS.queued, queue.size)
        await handle(event, to, own, signal)
        metrics.gauge(BLOCK_METRICS.parked, pending.size)
      }
    } finally {
      try {
        await save(own, signal)
      } catch (error) {
        logger.warn('executed blocks were not saved; they will be executed again', { error })
      }
      group = undefined
    }
  }

  async function handle(event: HeightEvent, to: Applier, own: Group, signal: AbortSignal): Promise<void> {
    const { height } = event.header.header
    if (height === event.height && height === nextHeight()) {
      await process(event, to, own, signal)
      return
    }
    // All others are judged by what is saved.
    await save(own, signal)
    if (height !== event.height) await reject(event, wrongHeight(event.height, height), signal)
    else if (height < nextHeight()) await late(event)
    else await park(event, signal)
  }

  async function process(event: HeightEvent, to: Applier, own: Group, signal: AbortSignal): Promise<void> {
    own.begin()
    try {
      const executed = await persistence.run(
        'executing a block',
        signal,
        async () =>
          await tracing.span(
            'BlockSyncer.SyncBlock',
            { 'block.height': event.height, source: event.source },
            async () => await to.execute(own.tip, event, { signal }),
          ),
      )
      own.add({ event, executed })
    } catch (error) {
      signal.throwIfAborted()
      if (verdictOf(error, 'halt') === 'halt') throw error
      // What was executed before it is good, and must not be saved into what its source removes.
      await save(own, signal)
      await reject(event, error, signal)
      return
    }
    const others = pending.takeAll(event.height)
    if (own.full || others.length > 0) await save(own, signal)
    for (const other of others) await late(other)
  }

  /** Saves what was executed, and tells of it. */
  async function save(own: Group, signal: AbortSignal): Promise<void> {
    const members = await own.save(signal)
    const last = members.at(-1)
    if (last === undefined) return
    highestSeen = Math.max(highestSeen, last.event.height)
    reportProgress(last.event, members.length)
    for (const { event, executed } of members) {
      watch.executed(event.height, executed.tip.state.lastHeaderHash)
      metrics.count(BLOCK_METRICS.blocksSynchronized, 1, { source: event.source })
    }
    nextHeights.tell(last.event.height + 1)
    for (const { event, executed } of members) {
      const { height, source } = event
      const { lastBlockTime: time, lastHeaderHash: hash, appHash: stateRoot } = executed.tip.state
      const txs = executed.block.data.txs.length
      logger.debug('block applied', { height, txs, source })
      blocks.tell({ height, txs, time, hash, stateRoot, source })
    }
  }

  function reportProgress({ height, source }: HeightEvent, count: number): void {
    progress.blocks += count
    const now = env.monotonic()
    if (now - progress.at < PROGRESS_EVERY) return
    const perSecond = Math.round((progress.blocks * 10_000) / (now - progress.at)) / 10
    logger.info('blocks applied', { height, blocks: progress.blocks, perSecond, source })
    progress = { at: now, blocks: 0 }
  }

  async function park(event: HeightEvent, signal: AbortSignal): Promise<void> {
    const { header } = event.header
    try {
      validateAlone(event, { skipSignature: event.stored && event.proven === true })
    } catch (error) {
      await reject(event, error, signal)
      return
    }
    const expected =
      header.chainId === genesis.chainId &&
      equalBytes(header.proposerAddress, proposers.expected(event.height))
    if (expected) highestSeen = Math.max(highestSeen, event.height)
    const facts = { key: toHex(headerHash(header)), expected, next: nextHeight() }
    for (const dropped of pending.park(event, facts)) {
      metrics.count(BLOCK_METRICS.blocksDropped)
      logger.debug('no room to park a block', { height: dropped.height, source: dropped.source })
      try {
        dropped.dropped?.()
      } catch (error) {
        logger.error('telling the source of a dropped block failed', { height: dropped.height, error })
      }
    }
  }

  /** Drops a wrong block. Waits until its source has forgotten it, so that nothing is saved into what it removes. */
  async function reject(event: HeightEvent, reason: unknown, signal: AbortSignal): Promise<void> {
    const { height, source } = event
    const code = reason instanceof EvolveError ? reason.code : 'UNKNOWN'
    metrics.count(BLOCK_METRICS.blocksRejected, 1, { code })
    logger.warn('a block is wrong and was dropped', { height, source, fault: faultOf(reason), error: reason })
    const tell = async (): Promise<void> => await event.rejected?.(reason)
    try {
      await abortable(tell(), signal)
    } catch (error) {
      signal.throwIfAborted()
      logger.error('telling the source of a wrong block failed', { height, source, error })
    }
  }

  /** A block of a height that is done: repeated, or a second one by the proposer. */
  async function late(event: HeightEvent): Promise<void> {
    if (watch.repeats(event)) return
    let proof: EvolveError | undefined
    try {
      proof = await watch.look(event)
    } catch (error) {
      logger.warn('comparing a late block failed', { height: event.height, error })
    }
    if (proof !== undefined && options.haltOnEquivocation === true) throw proof
  }

  function fail(error: unknown): void {
    const next = nextHeight()
    failure =
      error instanceof EvolveError
        ? error
        : new EvolveError('FOLLOWER_FAILED', `following ended at height ${next}: ${describeError(error)}`, {
            verdict: 'halt',
            cause: error,
            data: { height: next },
          })
    metrics.gauge(BLOCK_METRICS.halted, 1)
    logger.error('a critical error ended the following', { height: next, code: failure.code, error: failure })
    failed.resolve(failure)
  }

  function phase(): FollowerPhase {
    if (stage === 'stopped') return stage
    if (failure !== undefined) return 'halted'
    if (stage !== 'following') return stage
    return highestSeen - lastHeight() > followDistance ? 'catching-up' : 'following'
  }

  return {
    failed: failed.promise,
    get nextHeight() {
      return nextHeight()
    },
    onNextHeight: (listener) => nextHeights.add(listener),
    onBlock: (listener) => blocks.add(listener),
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        if (failure !== undefined) throw failure
        signal?.throwIfAborted()
        const tip = await loadTip(begin)
        if (tip !== undefined) {
          adopt(tip)
          proposers.name(tip.state.lastBlockHeight + 1, tip.state.nextProposerAddress)
          nextHeights.tell(nextHeight())
        }
        stage = 'replaying'
        run = {
          queue: new EventQueue(queueLimit, queueBytes),
          controller: new AbortController(),
          over: deferred(),
        }
        void work(run)
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        const { queue, controller, over } = run
        const abort = (): void => controller.abort(stopped())
        queue.close(stopped())
        // What waits for something outside is not worth waiting for.
        if (stage !== 'following' || persistence.lastError !== undefined || !patient.reachable) abort()
        const cancel = env.timer(drainTimeout, abort)
        await over.promise
        cancel()
        pending.clear()
        run = undefined
        stage = 'stopped'
      })
    },
    async offer(event, { signal }) {
      if (run === undefined) throw stopped(failure)
      if (event.height < nextHeight() && watch.repeats(event)) return
      if (event.stored) highestSeen = Math.max(highestSeen, event.height)
      await run.queue.push(event, signal)
      metrics.gauge(BLOCK_METRICS.queued, run?.queue.size ?? 0)
    },
    status() {
      const state = applier?.tip.state
      return {
        phase: phase(),
        height: lastHeight(),
        next: nextHeight(),
        highestSeen,
        queueSize: run?.queue.size ?? 0,
        queueBytes: run?.queue.bytes ?? 0,
        parked: pending.size,
        parkedBytes: pending.bytes,
        lastBlockTime: state === undefined || state.lastHeaderHash.length === 0 ? 0n : state.lastBlockTime,
        stateRoot: state?.appHash ?? EMPTY_BYTES,
        lastHeaderHash: state?.lastHeaderHash ?? EMPTY_BYTES,
        executorReachable: patient.reachable,
        lastError: failure === undefined ? persistence.lastError : describeError(failure),
      }
    },
  }
}

function wrongHeight(expected: number, found: number): EvolveError {
  return new EvolveError(
    'UNEXPECTED_HEIGHT',
    `expected a header of height ${expected}, got one of height ${found}`,
    { verdict: 'reject', data: { expected, found } },
  )
}
