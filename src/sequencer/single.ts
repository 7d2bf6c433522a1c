import { sha256Name } from '#crypto'
import type { Env } from '../core/env.ts'
import type { KvPart } from '../core/kv.ts'
import { createListeners } from '../core/listeners.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Sequencer } from '../core/sequencer.ts'
import { abortable, createSerial } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { type BatchFilter, createOutlet } from './batch.ts'
import { planDrop } from './drop.ts'
import { createIntake, type Intake } from './intake.ts'
import { SEQUENCER_METRICS } from './metrics.ts'
import type { TxQueue } from './queue.ts'
import { loadQueue, removalOps } from './records.ts'

/** What a sequencer needs. */
export interface SingleSequencerDeps {
  /** Its own part of the database, which somebody else starts and stops. */
  readonly kv: KvPart
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Options of {@link createSingleSequencer}; defaults in brackets. */
export interface SingleSequencerOptions {
  /** Bytes of all waiting transactions together [64 MiB]. */
  readonly maxBytes?: number
  /** Transactions waiting [1,000,000]. */
  readonly maxTxs?: number
  /** Bytes of one transaction [1 MiB]; at most what a block may hold, since a larger one would never leave. */
  readonly maxTxBytes?: number
  /**
   * Asked what to do with the transactions of a batch; one answer each. Those to be removed are left out of it and
   * leave with it; from the first to be postponed on, all wait for the next.
   */
  readonly filter?: BatchFilter
}

/** What there is between start and stop. */
interface Run {
  readonly queue: TxQueue
  readonly intake: Intake
  readonly next: Sequencer['next']
}

/**
 * Makes the sequencer of a chain with one aggregator: first come, first served.
 *
 * Submissions that come while one is being written are written together. `submit` also rejects with `TX_TOO_BIG`
 * (`reject`) when a transaction is over `maxTxBytes`, again with none taken, and with what the database says when it
 * does not write; they may then be submitted again. Until `start` and from `stop` on everything rejects with
 * `SEQUENCER_STOPPED`. `start` rejects with `STORE_CORRUPT` (`halt`) when the stored queue is damaged; one that is
 * larger than the bounds is taken as it is.
 *
 * A batch may be empty though transactions wait: when all that come next are to be dropped. They leave as in any
 * other batch, with the block that covers them. `removal` throws `UNKNOWN_BATCH` (`halt`) for what never was in a
 * batch, so that no transaction is lost by it. After a `drop` that the database did not write, everything rejects with
 * `SEQUENCER_STOPPED` until the next `start`.
 */
export function createSingleSequencer(
  { kv, env, metrics, ...deps }: SingleSequencerDeps,
  options: SingleSequencerOptions = {},
): Sequencer {
  const { maxBytes = 64 * 1024 * 1024, maxTxs = 1_000_000, maxTxBytes = 1024 * 1024, filter } = options
  const limits = { maxBytes, maxTxs, maxTxBytes: Math.min(maxTxBytes, maxBytes) }
  const logger = deps.logger.child({ component: 'sequencer' })
  const serial = createSerial()
  const listeners = createListeners<void>(logger, 'transactions')
  let run: Run | undefined

  function running(): Run {
    if (run !== undefined) return run
    throw new EvolveError('SEQUENCER_STOPPED', 'the sequencer does not run', { verdict: 'retry' })
  }

  function onTaken(): void {
    measure()
    listeners.tell()
  }

  function measure(): void {
    metrics.gauge(SEQUENCER_METRICS.waiting, run?.queue.size ?? 0)
    metrics.gauge(SEQUENCER_METRICS.waitingBytes, run?.queue.bytes ?? 0)
  }

  async function drop(
    holds: (tx: Uint8Array) => boolean,
    height: number,
    signal: AbortSignal,
  ): Promise<number> {
    const { queue, intake } = running()
    return await intake.alone(async () => {
      signal.throwIfAborted()
      const plan = planDrop(queue, holds, height)
      if (plan.ops.length === 0) return 0
      try {
        await kv.batch(plan.ops, { sync: true })
      } catch (error) {
        // It may have happened: what memory knows is then not what another write would come behind.
        run = undefined
        void intake.close()
        throw error
      }
      plan.apply()
      measure()
      const { count } = plan
      if (count > 0)
        logger.info('waiting transactions lie in blocks already: taken out', { txs: count, height })
      return count
    })
  }

  return {
    get size() {
      return run?.queue.size ?? 0
    },
    get bytes() {
      return run?.queue.bytes ?? 0
    },
    get settledHeight() {
      return run?.queue.settledHeight ?? 0
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const began = env.monotonic()
        const queue = await loadQueue(kv, signal)
        run = {
          queue,
          intake: createIntake({ kv, queue, metrics, onTaken }, limits),
          next: createOutlet({ queue, logger, metrics, filter }, limits),
        }
        measure()
        if (queue.size === 0) return
        const took = Math.round(env.monotonic() - began)
        logger.info('transactions are waiting from before', { txs: queue.size, bytes: queue.bytes, took })
      })
    },
    async stop() {
      await serial.run(async () => {
        await run?.intake.close()
        run = undefined
      })
    },
    async submit(txs, { signal }) {
      const { intake } = running()
      await intake.submit(
        txs.map((tx) => ({ tx, name: sha256Name(tx) })),
        signal,
      )
    },
    async next(request) {
      return await running().next(request)
    },
    removal(upTo, height) {
      const { queue } = running()
      if (upTo > queue.last || !Number.isSafeInteger(upTo)) {
        throw new EvolveError(
          'UNKNOWN_BATCH',
          `the last waiting transaction has number ${queue.last}: nothing up to ${upTo} can have been in a batch`,
          { verdict: 'halt', data: { last: queue.last, upTo } },
        )
      }
      return kv.whole(removalOps(queue, upTo, height))
    },
    committed(upTo, height) {
      run?.queue.leave(upTo, height)
      measure()
    },
    async drop(holds, height, { signal }) {
      signal.throwIfAborted()
      return await abortable(
        serial.run(async () => await drop(holds, height, signal)),
        signal,
      )
    },
    onTxs: (listener) => listeners.add(listener),
  }
}
