import { createBackoff, type Env, sleep, withTimeout } from '../../core/env.ts'
import type { Executor } from '../../core/executor.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Sequencer } from '../../core/sequencer.ts'
import { createSerial, createWake, type Wake } from '../../util/async.ts'
import { isEvolveError, verdictOf } from '../../util/errors.ts'
import { type ListedTx, ListedTxs } from './listed-txs.ts'

/** Most transactions and bytes of one submission; a single larger transaction goes alone. */
const CHUNK_TXS = 5_000
const CHUNK_BYTES = 1024 * 1024

/** Shortest rest after a look at the list, in milliseconds: what comes meanwhile is handed over together. */
const SHORTEST_REST = 5

/** Rest for this many times as long as a look at the list took, so that a long list does not take up the process. */
const REST_FACTOR = 20

/** Longest pause in milliseconds while the queue is full or something fails. */
const LONGEST_PAUSE = 30_000

/** Milliseconds the executor has for its list. */
const LIST_TIMEOUT = 30_000

/** Names under which the reaper measures. */
export const REAPER_METRICS = {
  /** Gauge: transactions in the executor's list. */
  listed: 'sequencer_reaper_listed_txs',
  /** Counter: transactions handed to the sequencer. */
  handedOver: 'sequencer_reaper_txs_total',
  /** Counter: transactions that the sequencer refuses. */
  refused: 'sequencer_reaper_refused_total',
} as const

/** What a reaper needs. */
export interface ReaperDeps {
  readonly executor: Pick<Executor, 'getTxs' | 'onTxs'>
  readonly sequencer: Pick<Sequencer, 'submit'>
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Options of {@link createReaper}; defaults in brackets. */
export interface ReaperOptions {
  /** Milliseconds between looks at the list of an executor that does not tell when transactions come. */
  readonly interval: number
  /** Listed transactions that are remembered [100,000]; those behind them wait. */
  readonly maxListed?: number
}

/** Brings transactions from the executor to the sequencer. */
export interface Reaper extends Service {
  /** These were committed in a block: seen again in the executor's list, they count as new. */
  committed(txs: readonly Uint8Array[]): void
}

/**
 * Makes a {@link Reaper}. Each stay of a transaction in the executor's list is handed over once, in the order of the
 * list. It looks when the executor says that transactions came, and every `interval`.
 *
 * While the sequencer is full it waits for a block to be committed, and tries again with pauses that double up to
 * 30 s; so the executor's own mempool fills up and refuses users. The same pauses apply while a call fails, which is
 * logged once. What the sequencer refuses for good is logged and not offered again while it is listed.
 */
export function createReaper(deps: ReaperDeps, options: ReaperOptions): Reaper {
  const { executor, sequencer, env, metrics } = deps
  const { interval, maxListed = 100_000 } = options
  const logger = deps.logger.child({ component: 'reaper' })
  const serial = createSerial()
  const listed = new ListedTxs(maxListed)
  const came = createWake()
  const room = createWake()
  let full = false
  let rest = SHORTEST_REST
  let trouble: string | undefined
  let run: { readonly controller: AbortController; readonly over: Promise<void> } | undefined

  function setTrouble(what: string | undefined, error?: unknown): void {
    if (what === trouble) return
    trouble = what
    if (what === undefined) logger.info('transactions are handed over again')
    else logger.warn('transactions wait at the executor', { reason: what, error })
  }

  /** Waits for `wake`, at most `ms` milliseconds. */
  async function waitFor(wake: Wake, ms: number, signal: AbortSignal): Promise<void> {
    const cancel = env.timer(ms, () => wake.wake())
    try {
      await wake.wait(signal)
    } finally {
      cancel()
    }
  }

  /** Hands over a chunk in halves, so that all that can be taken is, up to the first that has no room. */
  async function handOverHalves(chunk: readonly ListedTx[], signal: AbortSignal): Promise<void> {
    const half = Math.ceil(chunk.length / 2)
    await handOver(chunk.slice(0, half), signal)
    await handOver(chunk.slice(half), signal)
  }

  async function handOver(chunk: readonly ListedTx[], signal: AbortSignal): Promise<void> {
    const txs = chunk.filter((one) => !listed.isCommitted(one))
    if (txs.length === 0) return
    const mark = (handed: boolean): void => {
      for (const one of txs) one.handed = handed
    }
    // Before the answer: the block that holds them may be committed first.
    mark(true)
    try {
      await sequencer.submit(
        txs.map(({ tx }) => tx),
        { signal },
      )
      metrics.count(REAPER_METRICS.handedOver, txs.length)
    } catch (error) {
      mark(false)
      const refused = verdictOf(error, 'retry') === 'reject'
      if (!refused && !isEvolveError(error, 'QUEUE_FULL')) throw error
      if (txs.length > 1) return await handOverHalves(txs, signal)
      if (!refused) throw error
      mark(true)
      metrics.count(REAPER_METRICS.refused)
      logger.warn('the sequencer refuses a transaction', { error })
    }
  }

  async function look(signal: AbortSignal): Promise<void> {
    const began = env.monotonic()
    listed.begin()
    try {
      const txs = await withTimeout(
        env,
        LIST_TIMEOUT,
        signal,
        'listing the transactions of the executor',
        async (inTime) => await executor.getTxs({ signal: inTime }),
      )
      const fresh = listed.fresh(txs)
      rest = Math.min(interval, Math.max(SHORTEST_REST, REST_FACTOR * (env.monotonic() - began)))
      metrics.gauge(REAPER_METRICS.listed, txs.length)
      for (const chunk of chunksOf(fresh)) await handOver(chunk, signal)
    } finally {
      listed.end()
    }
  }

  async function reap(signal: AbortSignal): Promise<void> {
    const pauses = createBackoff(Math.min(interval, LONGEST_PAUSE), LONGEST_PAUSE)
    for (;;) {
      let [wake, pause] = [came, interval]
      try {
        await look(signal)
        setTrouble(undefined)
        pauses.reset()
      } catch (error) {
        signal.throwIfAborted()
        full = isEvolveError(error, 'QUEUE_FULL')
        setTrouble(full ? 'the sequencer is full' : 'a call failed', error)
        ;[wake, pause] = [room, pauses.next()]
      }
      await sleep(env, rest, signal)
      await waitFor(wake, Math.max(0, pause - rest), signal)
      full = false
    }
  }

  async function listen(signal: AbortSignal): Promise<void> {
    const leave = executor.onTxs?.(() => came.wake())
    try {
      await reap(signal)
    } finally {
      full = false
      leave?.()
    }
  }

  /** Failures of a look are waited out by `reap`: what comes here was not foreseen, and ends nothing either. */
  async function runUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await listen(signal)
      } catch (error) {
        if (signal.aborted) return
        logger.error('bringing transactions to the sequencer failed', { error })
        await sleep(env, LONGEST_PAUSE, signal).catch(() => undefined)
      }
    }
  }

  return {
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const controller = new AbortController()
        run = { controller, over: runUntil(controller.signal) }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.controller.abort(new DOMException('the reaper stops', 'AbortError'))
        await run.over
        run = undefined
      })
    },
    committed(txs) {
      listed.committed(txs)
      if (full && txs.length > 0) room.wake()
    },
  }
}

function* chunksOf(txs: readonly ListedTx[]): Generator<ListedTx[]> {
  let chunk: ListedTx[] = []
  let bytes = 0
  for (const one of txs) {
    if (chunk.length === CHUNK_TXS || (chunk.length > 0 && bytes + one.tx.length > CHUNK_BYTES)) {
      yield chunk
      chunk = []
      bytes = 0
    }
    chunk.push(one)
    bytes += one.tx.length
  }
  if (chunk.length > 0) yield chunk
}
