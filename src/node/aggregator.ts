/*
 * The aggregator's own parts, over those of a full node: it follows the chain to its end, takes over, and from then
 * on makes the blocks: transactions from the executor to the sequencer, blocks to peers and to DA.
 */
import { largestTx } from '../block/aggregator/make-block.ts'
import { createProducer, type Producer } from '../block/aggregator/producer.ts'
import { createReaper } from '../block/aggregator/reaper.ts'
import { createPatientExecutor } from '../block/execute.ts'
import type { Follower } from '../block/follower/follower.ts'
import type { AppliedBlock } from '../core/applied-block.ts'
import type { BlockSource } from '../core/block-source.ts'
import type { BlockStore } from '../core/block-store.ts'
import type { Env } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { HeldWrites, KvPart } from '../core/kv.ts'
import { type Service, stopAll } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import { noopTracing, type Tracing } from '../core/tracing.ts'
import type { Proposers } from '../core/proposers.ts'
import type { Signer, SignLedger } from '../core/signer.ts'
import type { Host } from '../p2p/host.node.ts'
import { createSingleSequencer } from '../sequencer/single.ts'
import type { DataSyncService } from '../sync/data-service.ts'
import type { HeaderSyncService } from '../sync/header-service.ts'
import type { Genesis } from '../types/genesis.ts'
import type { SignedHeader } from '../types/header.ts'
import { createSerial, deferred } from '../util/async.ts'
import { equalBytes } from '../util/bytes.ts'
import { describeError, EvolveError, isEvolveError } from '../util/errors.ts'
import type { DaParts } from './da-parts.ts'
import { dropFollowedTxs } from './followed-txs.ts'
import type { Instruments } from './instruments.ts'
import { createPublish, foreignBlock } from './publish.ts'
import { showLastBlock } from './show-last-block.ts'
import { followToTheEnd, type TakeoverOptions } from './takeover.ts'

/** The key of an aggregator, and what was signed with it. */
export interface AggregatorKey {
  readonly signer: Signer
  /** Started and stopped by the node. */
  readonly ledger: SignLedger
}

/** How blocks are made. Durations in milliseconds, defaults in brackets. */
export interface AggregatorOptions extends TakeoverOptions {
  /** Blocks only when there are transactions, or when `lazyBlockInterval` [60,000] is over [false]. */
  readonly lazyMode?: boolean
  readonly lazyBlockInterval?: number
  /** Blocks that may wait for DA before production pauses; 0 means any number [0]. */
  readonly maxPending?: number
  /** Time between questions to the executor for transactions [1,000]; one that says when they come is asked at once. */
  readonly scrapeInterval?: number
}

/** What an {@link Aggregator} is made of. */
export interface AggregatorDeps {
  readonly key: AggregatorKey
  readonly genesis: Genesis
  readonly blocks: BlockStore
  readonly executor: Executor
  readonly executorWrites?: HeldWrites | undefined
  readonly proposers: Proposers
  readonly host: Host
  readonly headerSync: HeaderSyncService
  readonly dataSync: DataSyncService
  readonly follower: Follower
  readonly source: BlockSource
  readonly da: DaParts | undefined
  /** The parts of the database for the block under way, and for waiting transactions. */
  readonly producerKv: KvPart
  readonly queueKv: KvPart
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracing?: Tracing
  /** Watches the sequencer. */
  readonly instruments?: Pick<Instruments, 'sequencer'>
}

/** Takes over from the follower, and makes blocks. */
export interface Aggregator extends Service {
  readonly failed: Promise<EvolveError>
  /** Whether it has taken over. */
  readonly producing: boolean
  status(): ReturnType<Producer['status']>
  /**
   * Takes a transaction for the blocks to come: into the executor's mempool, or, when the executor takes none, into the
   * sequencer. Rejects with `NO_AGGREGATOR` (`retry`) while it makes no blocks, or with what they say.
   */
  submit(tx: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>
  /** Calls `listener` after each block of ours until the returned function is called. */
  onBlock(listener: (block: AppliedBlock) => void): () => void
  /** Ends production before the next signature. */
  halt(error: EvolveError): void
  /**
   * Takes a validly signed header that somebody showed, whether or not it fits onto the chain. One by our key above
   * what we made ends production; that is then told by true.
   */
  saw(header: SignedHeader): boolean
}

/** Bytes of the largest block, as it travels and lies on DA, and of the largest transaction. */
const MAX_BLOCK_BYTES = 5_242_880
const MAX_TX_BYTES = 1_048_576

/** Makes an {@link Aggregator}. Its `start` does not wait for the takeover. */
export function createAggregator(
  deps: AggregatorDeps,
  options: AggregatorOptions & { readonly blockTime: number; readonly configuredPeers: number },
): Aggregator {
  const { key, genesis, blocks, executor, proposers, host, headerSync, dataSync, follower, source, da } = deps
  const { env, metrics } = deps
  const logger = deps.logger.child({ component: 'aggregator' })
  const shared = { env, logger: deps.logger, metrics, tracing: deps.tracing ?? noopTracing }
  const { blockTime, maxPending = 0 } = options
  const failed = deferred<EvolveError>()
  const serial = createSerial()
  let producing = false
  let ended = false
  /** From before the first block of ours can be made until the stop. */
  let taken = false
  let run: { readonly stopping: AbortController; readonly over: Promise<void> } | undefined

  const patient = createPatientExecutor(shared)
  const ordering = createSingleSequencer(
    { ...shared, kv: deps.queueKv },
    {
      maxTxBytes: Math.min(MAX_TX_BYTES, largestTx(MAX_BLOCK_BYTES, genesis.chainId)),
      filter: async (txs, maxBytes, { signal }) =>
        await patient.call({
          what: 'asking which transactions to take',
          height: producer.status().height + 1,
          signal,
          async task(inner) {
            const { maxGas } = await executor.getExecutionInfo({ signal: inner })
            const request = { txs, maxBytes, maxGas, hasForcedTransactions: false }
            return await executor.filterTxs(request, { signal: inner })
          },
        }),
    },
  )
  const sequencer = deps.instruments?.sequencer(ordering) ?? ordering
  const reaper = createReaper(
    { ...shared, executor, sequencer },
    { interval: options.scrapeInterval ?? 1_000 },
  )
  const producer = createProducer(
    {
      ...shared,
      blockStore: blocks,
      executor,
      executorWrites: deps.executorWrites,
      proposers,
      genesis,
      sequencer,
      signer: key.signer,
      ledger: key.ledger,
      kv: deps.producerKv,
      publish: createPublish({
        blocks,
        headers: headerSync,
        data: dataSync,
        initialHeight: genesis.initialHeight,
      }),
      storedHeaderHeight: () => headerSync.height,
      pendingDa: () => da?.submitter?.pending() ?? 0,
      committed: (txs) => reaper.committed(txs),
    },
    {
      blockTime,
      lazyMode: options.lazyMode ?? false,
      lazyBlockInterval: options.lazyBlockInterval ?? 60_000,
      maxPending: da === undefined ? 0 : maxPending,
      maxBlockBytes: MAX_BLOCK_BYTES,
    },
  )
  const maker: readonly Service[] = [
    sequencer,
    ...(da?.submitter === undefined ? [] : [da.submitter]),
    producer,
    reaper,
  ]

  function fail(error: unknown): void {
    failed.resolve(
      error instanceof EvolveError
        ? error
        : new EvolveError('AGGREGATOR_FAILED', `making blocks ended: ${describeError(error)}`, {
            verdict: 'halt',
            cause: error,
          }),
    )
  }

  async function takeOver(signal: AbortSignal): Promise<void> {
    const witnesses = {
      da:
        da === undefined
          ? undefined
          : {
              caughtUp: async (how: { readonly signal: AbortSignal }) => await da.source.caughtUp(how),
              get reachable() {
                // One that takes calls and answers none is not there either.
                return da.source.head > 0 && da.source.status().reachable
              },
            },
      peers: {
        configured: options.configuredPeers,
        ask: async (how: { readonly signal: AbortSignal }) => await headerSync.askPeers(how),
        onConnected: (listener: () => void) => host.watchPeers({ connected: listener, disconnected() {} }),
      },
    }
    for (;;) {
      await followToTheEnd(
        {
          witnesses,
          follower,
          headers: headerSync.store(),
          known,
          ledger: key.ledger,
          env,
          logger,
        },
        options,
        { signal },
      )
      await source.stop()
      await follower.stop()
      // From here on a block by our key that comes from elsewhere is not ours. One may have come in the very moment.
      taken = true
      if (known() < follower.nextHeight) break
      taken = false
      await follower.start({ signal })
      await source.start({ signal })
    }
    signal.throwIfAborted()
    logger.info('taking over: this node makes the blocks', { height: follower.nextHeight })
    await sequencer.start({ signal })
    const { initialHeight } = genesis
    const tip = follower.nextHeight - 1
    const dropped = await dropFollowedTxs({ sequencer, blocks }, { initialHeight, tip }, { signal })
    if (dropped > 0) logger.info('transactions that wait lie in followed blocks', { dropped })
    for (const part of maker) await part.start({ signal })
    producing = true
  }

  /** Highest height that a header was seen of by who may sign it, as far as that is known. */
  function known(): number {
    return Math.max(headerSync.height, headerSync.targetHeight, da?.source.highestBy(key.signer.address) ?? 0)
  }

  /** Whether our chain has no block of this height, which others say is signed with our key. */
  function isForeign(height: number): boolean {
    return taken && height > Math.max(producer.status().height, follower.nextHeight - 1)
  }

  function haltIfForeign(height: number): void {
    if (isForeign(height)) producer.halt(foreignBlock(height))
  }

  /** Whoever connects may show blocks by our key that we did not make. One question at a time, however many come. */
  function askWhoConnects(signal: AbortSignal): () => void {
    let asking = false
    return host.watchPeers({
      connected() {
        if (asking || !taken) return
        asking = true
        headerSync
          .askPeers({ signal })
          .catch((error: unknown) => logger.debug('no head of a new peer', { error }))
          .finally(() => {
            asking = false
          })
      },
      disconnected() {},
    })
  }

  /**
   * Whoever else signs with our key must hear of it too. The block that we ended on may not have got to him, and no more
   * blocks of ours come: so it is shown until we are stopped.
   */
  async function showWhenHalted(): Promise<void> {
    const error = await producer.failed
    if (run === undefined || !isEvolveError(error, 'FOREIGN_BLOCK', 'EQUIVOCATION')) return
    const { signal } = run.stopping
    const broadcast = async (header: SignedHeader): Promise<unknown> => await headerSync.broadcast(header)
    await showLastBlock({ blocks, broadcast, env, logger }, { signal }).catch(() => undefined)
  }

  void failed.promise.then(() => (ended = true))
  void showWhenHalted()
  headerSync.store().onHeight(haltIfForeign)
  // On DA it shows even where blocks between are missing, which keeps it out of the header store.
  da?.source.onConsumed(() => haltIfForeign(da.source.highestBy(key.signer.address)))
  for (const failure of [producer.failed, ...(da?.submitter === undefined ? [] : [da.submitter.failed])]) {
    void failure.then((error) => failed.resolve(error))
  }
  producer.onBlock(() => da?.submitter?.poke())
  da?.submitter?.onMoved(() => producer.wake())

  return {
    failed: failed.promise,
    get producing() {
      return producing
    },
    status: () => producer.status(),
    async submit(tx, { signal }) {
      if (ended || !producing) {
        const message = ended
          ? 'this node has stopped making blocks; its log says why'
          : 'this node makes no blocks yet: it follows the chain to its end first'
        throw new EvolveError('NO_AGGREGATOR', message, { verdict: 'retry' })
      }
      if (executor.submitTx === undefined) await sequencer.submit([tx], { signal })
      else await executor.submitTx(tx, { signal })
    },
    onBlock: (listener) => producer.onBlock(listener),
    halt: (error) => producer.halt(error),
    saw({ header: { height, chainId, proposerAddress } }) {
      const ours = chainId === genesis.chainId && equalBytes(proposerAddress, key.signer.address)
      if (!ours || !isForeign(height)) return false
      producer.halt(foreignBlock(height))
      return true
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const stopping = new AbortController()
        const unwatch = askWhoConnects(stopping.signal)
        stopping.signal.addEventListener('abort', unwatch, { once: true })
        const over = takeOver(stopping.signal).catch((error: unknown) => {
          if (!stopping.signal.aborted) fail(error)
        })
        run = { stopping, over }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.stopping.abort(new DOMException('the aggregator stops', 'AbortError'))
        await run.over
        run = undefined
        producing = false
        taken = false
        await stopAll(maker)
      })
    },
  }
}
