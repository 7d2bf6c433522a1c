/*
 * A full node: follows a chain, executes every block and serves what it has; as an aggregator it makes the blocks.
 * This file is the list of its parts in the order they start; they stop in the reverse order, at last the database,
 * then the ledger.
 */
import { createListeners } from '../core/listeners.ts'
import { createP2PSource } from '../block/follower/p2p-source.ts'
import { createFollower } from '../block/follower/syncer.ts'
import type { AppliedBlock } from '../core/applied-block.ts'
import type { DaClient } from '../core/da.ts'
import { type Env, systemEnv } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { Kv, KvPart } from '../core/kv.ts'
import { type Service, startAll, stopAll } from '../core/lifecycle.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import { type Metrics, noopMetrics } from '../core/metrics.ts'
import { createPace } from '../core/pace.ts'
import { noopTracing, type Tracing } from '../core/tracing.ts'
import { createProposers } from '../core/proposers.ts'
import { createHost, type Host, type HostOptions } from '../p2p/host.node.ts'
import { type NodeKey, peerIdOf } from '../p2p/identity.ts'
import { createBlockStore } from '../store/block-store.ts'
import { KEYS } from '../store/keys.ts'
import { createHeldKv } from '../store/held-kv.ts'
import { subKv } from '../store/sub-kv.ts'
import { createTxIndex } from '../store/tx-index.ts'
import { createSubmission } from '../submission/submission.ts'
import { createDataSyncService, type DataSyncService } from '../sync/data-service.ts'
import { createHeaderSyncService, type HeaderSyncService } from '../sync/header-service.ts'
import { createSignaturePool } from '../sync/signatures/pool.node.ts'
import type { Genesis } from '../types/genesis.ts'
import { submissionProtocol } from '../types/names.ts'
import { createSerial } from '../util/async.ts'
import type { NodeView } from '../core/node-view.ts'
import { equalBytes } from '../util/bytes.ts'
import type { EvolveError } from '../util/errors.ts'
import { type AggregatorKey, type AggregatorOptions, createAggregator } from './aggregator.ts'
import { createDaParts, type DaOptions } from './da-parts.ts'
import { createEvidence } from './evidence.ts'
import { createInstruments } from './instruments.ts'
import { createPruner, createPruning, type PruneOptions } from './pruner.ts'
import { createRateMeter } from './rates.ts'
import { nodeStatus } from './status.ts'

/** What a {@link FullNode} is made with. */
export interface FullNodeDeps {
  readonly genesis: Genesis
  /** The libp2p identity. */
  readonly nodeKey: NodeKey
  /** The node's database: on disk by `createLevelKv`, in memory by `createMemoryKv`. Started and stopped by the node. */
  readonly kv: Kv
  /** Makes the application; it may keep its state in the given part of the node's database. */
  readonly executor: (kv: Kv) => Executor
  /** The DA node, together with `options.da`; without it blocks come from peers alone. Started and stopped by the node. */
  readonly da?: DaClient
  /** The key of the chain's proposer: with it the node is the aggregator. */
  readonly key?: AggregatorKey
  readonly env?: Env
  readonly logger?: Logger
  readonly metrics?: Metrics
  readonly tracing?: Tracing
  /** Makes what answers those who ask the node. */
  readonly servers?: (node: NodeView) => readonly NodeServer[]
}

/**
 * A server of a node. Its listener starts right after the database, so that an address that is taken shows before a block
 * can be made; the server itself starts when everything else runs. Both are stopped in the reverse order.
 */
export interface NodeServer extends Service {
  readonly listener: Service
}

/** Options of a {@link FullNode}. */
export interface FullNodeOptions extends Omit<HostOptions, 'nodeKey' | 'chainId'> {
  /** Milliseconds between the chain's blocks. Default 1,000. */
  readonly blockTime?: number
  /** Where the chain lies on DA. */
  readonly da?: DaOptions
  /** How an aggregator makes blocks. */
  readonly aggregator?: AggregatorOptions
  /** Whether to keep an index that finds transactions by their hash. Default true. */
  readonly transactionIndex?: boolean
  /** Whether to take transactions, from `submit` and from peers, and pass them on. Default true. */
  readonly takeTransactions?: boolean
  /** What is removed of old blocks, and how many milliseconds after the last time. Nothing when left out. */
  readonly pruning?: PruneOptions & { readonly interval: number }
}

/** A running full node. */
export interface FullNode extends Service, NodeView {
  /** Connects to a peer now, besides those that are kept connected. Rejects with `PEER_UNREACHABLE`. */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Resolves when a critical error ended following, producing, or finality; the node should then be stopped. */
  readonly failed: Promise<EvolveError>
  readonly executor: Executor
}

/** Blocks that a node must be behind for what is not urgent to wait. */
const BEHIND = 64

/** Fewer than the header and data stores keep at hand, decoded: what runs further ahead is read and decoded again. */
const HEADERS_AHEAD = { lead: 1_024, patience: 1_000 }

/** Makes a {@link FullNode}. */
export function createFullNode(deps: FullNodeDeps, options: FullNodeOptions): FullNode {
  const { genesis, nodeKey, env = systemEnv, logger = noopLogger } = deps
  const { metrics = noopMetrics, tracing = noopTracing } = deps
  const blockTime = options.blockTime ?? 1_000
  const shared = { env, logger, metrics, tracing }
  const instruments = createInstruments(shared)
  const kv = instruments.kv(deps.kv)
  const part = (prefix: number): KvPart => subKv(kv, Uint8Array.of(prefix))

  const blocks = instruments.store(createBlockStore({ kv }))
  const executorKv = createHeldKv(part(KEYS.executor))
  const executor = instruments.executor(deps.executor(executorKv))
  const signatures = createSignaturePool(shared)
  const pace = createPace({ env }, HEADERS_AHEAD)
  const proposers = createProposers(genesis.initialHeight, genesis.proposerAddress)
  const host: Host = createHost(shared, { ...options, nodeKey, chainId: genesis.chainId })
  const othersUpTo = (): number => blocks.writtenUpTo
  const headerSync: HeaderSyncService = createHeaderSyncService(
    { ...shared, kv, network: host, genesis, othersUpTo, proposers, signatures },
    {
      blockTime,
      aggregator: deps.key !== undefined,
      pace,
      onConflict: (stored, other) => evidence.conflict(stored, other, 'p2p'),
      onSeen: (header) => {
        if (deps.key === undefined || header.header.chainId !== genesis.chainId) return
        if (!equalBytes(header.header.proposerAddress, deps.key.signer.address)) return
        if (aggregator?.saw(header) === true) evidence.foreign(header)
        else evidence.conflictAtHeight(header, 'p2p')
      },
    },
  )
  const dataSync: DataSyncService = createDataSyncService(
    { ...shared, kv, network: host, genesis, othersUpTo, headers: headerSync.store() },
    { blockTime, aggregator: deps.key !== undefined, making: () => aggregator?.producing === true },
  )
  const evidence = createEvidence({
    blocks,
    headers: headerSync.store(),
    ours: deps.key?.signer.address,
    halt: (error) => aggregator?.halt(error),
    logger,
    metrics,
  })
  const follower = createFollower(
    { ...shared, blockStore: blocks, executor, executorWrites: executorKv, proposers, genesis },
    {},
  )
  const da =
    deps.da === undefined || options.da === undefined
      ? undefined
      : createDaParts(
          {
            ...shared,
            client: instruments.da(deps.da),
            kv: part(KEYS.da),
            submittedKv: part(KEYS.submitted),
            blocks,
            executor,
            headers: headerSync,
            data: dataSync,
            proposers,
            signatures,
            genesis,
            signer: deps.key?.signer,
            conflict: (header, daHeight) => evidence.conflictAtHeight(header, `da ${daHeight}`),
          },
          options.da,
        )
  const source = createP2PSource({
    headers: headerSync.store(),
    data: dataSync.store(),
    sink: follower,
    env,
    logger,
    daHeightOf: (height) => da?.source.daHeightOf(height),
    evict: async (height, reason) => {
      // Headers first, so that no data is asked for again under a header that goes.
      await headerSync.evict(height, reason)
      await dataSync.evict(height, reason)
    },
  })
  const aggregator =
    deps.key === undefined
      ? undefined
      : createAggregator(
          {
            ...shared,
            key: deps.key,
            instruments,
            genesis,
            blocks,
            executor,
            executorWrites: executorKv,
            proposers,
            host,
            headerSync,
            dataSync,
            follower,
            source,
            da,
            producerKv: part(KEYS.producer),
            queueKv: part(KEYS.queue),
          },
          { ...options.aggregator, blockTime, configuredPeers: options.peers.length },
        )

  const pruning =
    options.pruning === undefined
      ? undefined
      : createPruning(
          {
            ...shared,
            pruner: createPruner(
              {
                ...shared,
                kv,
                blocks,
                headers: headerSync.store(),
                data: dataSync.store(),
                executor,
                limit: async () =>
                  // Whoever takes over still looks at what was followed.
                  aggregator?.producing === false
                    ? 0
                    : da === undefined
                      ? Infinity
                      : await blocks.daIncludedHeight(),
              },
              options.pruning,
            ),
          },
          options.pruning,
        )

  let transactionsApplied = 0
  const meter = createRateMeter({
    env,
    totals: () => ({
      blocks: tipOf(),
      transactions: transactionsApplied,
      headers: headerSync.height,
      daHeights: da?.source.next ?? 0,
    }),
  })
  /** Whether there are blocks to execute as fast as it goes. */
  function behind(): boolean {
    if (aggregator?.producing === true) return false
    const { phase, height } = follower.status()
    return phase === 'replaying' || headerSync.targetHeight - height > BEHIND
  }
  const transactions =
    options.transactionIndex === false ? undefined : createTxIndex({ ...shared, kv, blocks, behind })
  const submission = createSubmission(
    {
      ...shared,
      network: host,
      connections: () => host.connections(),
      ...(aggregator === undefined
        ? {}
        : { local: async (tx, how): Promise<void> => await aggregator.submit(tx, how) }),
    },
    { protocol: submissionProtocol(genesis.chainId), take: options.takeTransactions !== false },
  )
  const tipOf = (): number =>
    (aggregator?.producing === true ? aggregator.status() : follower.status()).height

  const applied = createListeners<AppliedBlock>(logger, 'block')
  const failed = Promise.race(
    [follower.failed, aggregator?.failed, da?.inclusion.failed].filter((one) => one !== undefined),
  )

  follower.onNextHeight((next) => {
    pace.reached(next - 1)
    // Headers that could not be judged before can be, once execution has named the proposer of their height.
    if (next > headerSync.height && headerSync.targetHeight > headerSync.height) headerSync.poke()
  })
  applied.add((block) => {
    transactionsApplied += block.txs
    transactions?.applied(block)
  })
  follower.onBlock((block) => {
    applied.tell(block)
    // What was found on DA before may be final now. A block that was just made cannot be on DA.
    da?.inclusion.poke()
  })
  aggregator?.onBlock((block) => applied.tell(block))

  const serial = createSerial()
  let running = false

  const node: FullNode = {
    async start(startOptions) {
      await serial.run(async () => {
        if (running) return
        await startAll(parts, startOptions)
        running = true
      })
    },
    async stop() {
      await serial.run(async () => {
        if (!running) return
        running = false
        await stopAll(parts)
      })
    },
    status: () =>
      nodeStatus({
        follower,
        aggregator,
        da,
        host,
        headerSync,
        dataSync,
        initialHeight: genesis.initialHeight,
        earliestHeight: Math.max(genesis.initialHeight, blocks.prunedUpTo + 1),
        rates: meter.rates(),
      }),
    genesis,
    blockTime,
    lazy: lazyOf(options.aggregator),
    peerId: peerIdOf(nodeKey),
    da: da?.view,
    transactions,
    submit: async (tx, how) => await submission.submit(tx, how),
    connections: () => host.connections(),
    addresses: () => host.addresses(),
    async dial(address, dialOptions) {
      await host.dial(address, dialOptions)
    },
    failed,
    onBlock: (listener) => applied.add(listener),
    onFinal: (listener) => da?.inclusion.onFinal(listener) ?? (() => {}),
    blocks,
    headers: headerSync.store(),
    data: dataSync.store(),
    executor,
  }
  const servers = deps.servers?.(node) ?? []
  // The follower comes before what judges headers: it says who the proven proposer is after a restart.
  const parts: readonly Service[] = [
    ...(deps.key === undefined ? [] : [deps.key.ledger]),
    kv,
    ...servers.map(({ listener }) => listener),
    blocks,
    follower,
    host,
    signatures,
    headerSync,
    dataSync,
    ...(da?.services ?? []),
    source,
    ...(transactions === undefined ? [] : [transactions]),
    ...(aggregator === undefined ? [] : [aggregator]),
    submission,
    ...(pruning === undefined ? [] : [pruning]),
    meter,
    ...servers,
  ]
  return node
}

function lazyOf(options: AggregatorOptions | undefined): { readonly interval: number } | undefined {
  return options?.lazyMode === true ? { interval: options.lazyBlockInterval ?? 60_000 } : undefined
}
