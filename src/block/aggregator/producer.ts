/*
 * The producer: makes the blocks of the chain, one after the other, when they are due.
 */
import type { Block } from '../../core/block-store.ts'
import type { Service } from '../../core/lifecycle.ts'
import { createSerial, type Deferred, deferred } from '../../util/async.ts'
import { EMPTY_BYTES } from '../../util/bytes.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import { type Applier, createApplier } from '../apply.ts'
import { createPatientExecutor } from '../execute.ts'
import { createListeners } from '../../core/listeners.ts'
import type { AppliedBlock } from '../../core/applied-block.ts'
import { beginAtGenesis, loadTip, waitForGenesis } from '../initialise.ts'
import { BLOCK_METRICS } from '../metrics.ts'
import { createPersistence } from '../persistence.ts'
import { bringExecutorTo } from '../replay.ts'
import type { Tip } from '../validate-block.ts'
import { createBlockWork } from './block-work.ts'
import { createBlockClock, createBlockTimes } from './clock.ts'
import { assertLedger, assertProposer } from './guard.ts'
import { PRODUCER_METRICS } from './metrics.ts'
import type { ProducerDeps, ProducerOptions } from './options.ts'
import { createPendingRecord, fittingPending, type PendingBlock } from './pending-block.ts'
import { createOutbox } from './outbox.ts'
import { createProductionLog } from './production-log.ts'
import type { ProducerPhase, ProducerStatus } from './status.ts'

/**
 * Makes the blocks of the chain. No height is ever signed over two headers: a block is durable before it is signed, and
 * what may have been signed is known to the ledger. Whatever may pass is waited out, and production goes on by itself:
 * a disk or signer that fails, an executor that does not answer, too many blocks waiting for DA.
 *
 * `start` resolves when this node may make the next block; the executor is then brought to the chain's height in the
 * background. It rejects with `NOT_PROPOSER` when the next block is another's to make; with `LEDGER_AHEAD` or
 * `LEDGER_CONFLICT` when our key has signed what our chain does not have; with `PENDING_BLOCK_CORRUPT` or
 * `PENDING_BLOCK_MISFIT` when the block under way is damaged or not the next; with `GENESIS_MISMATCH` or
 * `STORE_INCONSISTENT`; and after a critical error with that error. After `stop` nothing is signed.
 * Source: ev-node v1.2.3 block/internal/executing.
 */
export interface Producer extends Service {
  /** Resolves, once, with the critical error that ended the production. Never rejects. */
  readonly failed: Promise<EvolveError>
  /** Ends the production because of something seen elsewhere: nothing more is signed. */
  halt(error: EvolveError): void
  /** Says that blocks came to rest on DA: a pause may be over. */
  wake(): void
  status(): ProducerStatus
  /** Calls `listener` after each saved block until the returned function is called. */
  onBlock(listener: (block: AppliedBlock) => void): () => void
}

/** One life between `start` and `stop`. */
interface Run {
  /** Ends waiting for the next block. */
  readonly waiting: AbortController
  /** Ends everything. */
  readonly working: AbortController
  readonly over: Deferred<void>
}

/** Makes a {@link Producer}. */
export function createProducer(deps: ProducerDeps, options: ProducerOptions): Producer {
  const { blockStore, executor, proposers, genesis, sequencer, signer, ledger, env, metrics } = deps
  const { blockTime, lazyMode = false, lazyBlockInterval = 60_000 } = options
  const { maxPending = 0, stopTimeout = 5_000 } = options
  const logger = deps.logger.child({ component: 'producer' })
  const shared = { env, logger, metrics }
  const patient = createPatientExecutor(shared, options.execution)
  const persistence = createPersistence(shared, options)
  const record = createPendingRecord(deps)
  const times = createBlockTimes({ env, logger })
  const txsWait = (): boolean => sequencer.size > 0
  const clock = createBlockClock({ env }, { blockTime, lazyMode, lazyBlockInterval, txsWait })
  const work = createBlockWork({ ...deps, logger, record, persistence, times }, options)
  const log = createProductionLog(shared)
  /** Blocks follow one another without a rest: the next can be prepared while one is saved. */
  const restless = blockTime === 0 && !lazyMode
  const begin = { blockStore, executor, patient, genesis, logger }
  const blocks = createListeners<AppliedBlock>(logger, 'block')
  const failed = deferred<EvolveError>()
  const serial = createSerial()
  let run: Run | undefined
  let stage: Exclude<ProducerPhase, 'halted'> = 'stopped'
  /** Work is under way that is worth waiting for at a stop. */
  let busy: () => boolean = () => false
  let tip: Tip | undefined
  let failure: EvolveError | undefined

  const height = (): number => tip?.state.lastBlockHeight ?? genesis.initialHeight - 1

  async function produce(
    current: Run,
    begun: Tip | undefined,
    pending: PendingBlock | undefined,
  ): Promise<void> {
    const { waiting, working } = current
    const applier = await persistence.run('beginning', working.signal, async () => {
      const at = begun ?? (await beginAtGenesis(begin, working))
      await bringExecutorTo(at.state, begin, working)
      return createApplier({ ...begin, proposers, ...shared }, at)
    })
    ;({ tip } = applier)
    const { lastBlockHeight, lastBlockTime } = tip.state
    stage = 'waiting-genesis'
    await waitForGenesis({ env, genesis, logger }, waiting)
    stage = 'producing'
    await work.republish(blockStore, lastBlockHeight, working)
    clock.begin(Number(env.now() - lastBlockTime) / 1e6)
    const next = fittingPending(tip, pending)
    if (next !== undefined) logger.info('going on with the block under way', { height: lastBlockHeight + 1 })
    await makeBlocks(current, applier, next)
  }

  async function makeBlocks(current: Run, applier: Applier, known: PendingBlock | undefined): Promise<void> {
    const { waiting, working } = current
    const { signal } = working
    const outbox = createOutbox(
      {
        env,
        publish: async (made) => await work.publish(made, working),
        failed(error) {
          if (signal.aborted) return
          const critical = asFailure(error, height() + 1)
          fail(critical)
          end(current, critical)
        },
      },
      working,
    )
    const nextIsDue = (): boolean => restless && !waiting.signal.aborted && !full(1)
    let making = false
    let next = known
    /** It was prepared beside the block before it, and nothing was reserved for it. */
    let ahead = false
    busy = () => making || ahead || !outbox.empty
    try {
      while (!waiting.signal.aborted) {
        await waitForDa(waiting.signal)
        await clock.wait(waiting)
        making = true
        ahead = false
        const made = await work.make(applier, next, { signal, nextIsDue })
        ;({ next } = made)
        ahead = next !== undefined
        saved(applier, made.block)
        await outbox.push(made.block)
        making = false
      }
    } finally {
      making = false
      if (ahead && waiting.signal.aborted && !signal.aborted) {
        await persistence.run('removing the block under way', signal, async () => await record.remove())
      }
      ahead = false
      await outbox.idle()
    }
  }

  /** Whether too many blocks wait for DA, `more` added. */
  function full(more: number): boolean {
    return maxPending > 0 && deps.pendingDa() + more >= maxPending
  }

  async function waitForDa(signal: AbortSignal): Promise<void> {
    if (!full(0)) return
    stage = 'paused-da'
    metrics.gauge(PRODUCER_METRICS.paused, 1)
    logger.warn('production pauses: too many blocks wait for DA', { pending: deps.pendingDa(), maxPending })
    try {
      while (full(0)) await clock.waitForWake({ signal })
    } finally {
      stage = 'producing'
      metrics.gauge(PRODUCER_METRICS.paused, 0)
    }
    logger.info('production goes on', { pending: deps.pendingDa() })
  }

  function saved(applier: Applier, block: Block): void {
    ;({ tip } = applier)
    log.made(block)
    const { lastBlockHeight, lastBlockTime: time, lastHeaderHash: hash, appHash: stateRoot } = tip.state
    const txs = block.data.txs.length
    blocks.tell({ height: lastBlockHeight, txs, time, hash, stateRoot, source: 'producer' })
  }

  async function live(
    current: Run,
    begun: Tip | undefined,
    pending: PendingBlock | undefined,
  ): Promise<void> {
    const deaf = sequencer.onTxs(() => clock.wake())
    try {
      await produce(current, begun, pending)
    } catch (error) {
      // Whoever aborted knows why.
      const { waiting, working } = current
      if (!working.signal.aborted && error !== waiting.signal.reason) fail(asFailure(error, height() + 1))
    } finally {
      busy = () => false
      deaf()
      current.over.resolve()
    }
  }

  function fail(error: EvolveError): void {
    if (failure !== undefined) return
    failure = error
    metrics.gauge(BLOCK_METRICS.halted, 1)
    logger.error('a critical error ended the production', { height: height() + 1, code: error.code, error })
    failed.resolve(error)
  }

  function end({ waiting, working }: Run, reason: unknown): void {
    waiting.abort(reason)
    working.abort(reason)
  }

  function phase(): ProducerPhase {
    if (stage === 'stopped') return stage
    if (failure !== undefined) return 'halted'
    return stage === 'producing' && !patient.reachable ? 'waiting-executor' : stage
  }

  return {
    failed: failed.promise,
    halt(error) {
      fail(error)
      if (run !== undefined) end(run, error)
    },
    wake: () => clock.wake(),
    onBlock: (listener) => blocks.add(listener),
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        if (failure !== undefined) throw failure
        signal?.throwIfAborted()
        const begun = await loadTip(begin)
        const pending = await record.load()
        const lastBlockHeight = begun?.state.lastBlockHeight ?? genesis.initialHeight - 1
        const proposer = begun?.state.nextProposerAddress ?? genesis.proposerAddress
        assertProposer(signer.address, lastBlockHeight + 1, proposer)
        assertLedger(
          ledger.last,
          { lastBlockHeight, lastHeaderHash: begun?.state.lastHeaderHash ?? EMPTY_BYTES },
          pending,
        )
        if (begun !== undefined) fittingPending(begun, pending)
        tip = begun
        if (begun !== undefined) proposers.name(lastBlockHeight + 1, proposer)
        stage = 'waiting-executor'
        run = { waiting: new AbortController(), working: new AbortController(), over: deferred() }
        if (failure !== undefined) end(run, failure)
        void live(run, begun, pending)
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        const current = run
        const reason = new EvolveError('PRODUCER_STOPPED', 'the producer stops', { verdict: 'retry' })
        current.waiting.abort(reason)
        // What waits for something outside is not worth waiting for.
        if (!busy() || persistence.lastError !== undefined || !patient.reachable) end(current, reason)
        const cancel = env.timer(stopTimeout, () => end(current, reason))
        await current.over.promise
        cancel()
        run = undefined
        stage = 'stopped'
      })
    },
    status() {
      const state = tip?.state
      return {
        phase: phase(),
        height: height(),
        lastBlockTime: state === undefined || state.lastHeaderHash.length === 0 ? 0n : state.lastBlockTime,
        stateRoot: state?.appHash ?? EMPTY_BYTES,
        lastHeaderHash: state?.lastHeaderHash ?? EMPTY_BYTES,
        lastError: failure === undefined ? persistence.lastError : describeError(failure),
      }
    },
  }
}

function asFailure(error: unknown, height: number): EvolveError {
  if (error instanceof EvolveError) return error
  return new EvolveError('PRODUCER_FAILED', `production ended at height ${height}: ${describeError(error)}`, {
    verdict: 'halt',
    cause: error,
    data: { height },
  })
}
