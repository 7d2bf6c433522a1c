/*
 * A full node: follows a chain, executes every block and serves what it has. This file is the list of its parts
 * in the order they start; they stop in the reverse order, the database last.
 */
import type { AppliedBlock } from '../block/follower/status.ts'
import { createP2PSource } from '../block/follower/p2p-source.ts'
import { createFollower } from '../block/follower/syncer.ts'
import type { BlockStore } from '../core/block-store.ts'
import { type Env, systemEnv } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { HeaderStore } from '../core/header.ts'
import type { Kv } from '../core/kv.ts'
import { type Service, startAll, stopAll } from '../core/lifecycle.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import { type Metrics, noopMetrics } from '../core/metrics.ts'
import { createProposers } from '../core/proposers.ts'
import { createHost, type Host, type HostOptions } from '../p2p/host.node.ts'
import type { NodeKey } from '../p2p/identity.ts'
import { createBlockStore } from '../store/block-store.ts'
import { KEYS } from '../store/keys.ts'
import { subKv } from '../store/sub-kv.ts'
import { createDataSyncService, type DataSyncService } from '../sync/data-service.ts'
import { createHeaderSyncService, type HeaderSyncService } from '../sync/header-service.ts'
import type { Genesis } from '../types/genesis.ts'
import type { P2PData } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { createSerial } from '../util/async.ts'
import type { EvolveError } from '../util/errors.ts'
import { nodePhase, type NodeStatus } from './status.ts'

/** What a {@link FullNode} is made with. */
export interface FullNodeDeps {
  readonly genesis: Genesis
  /** The libp2p identity. */
  readonly nodeKey: NodeKey
  /** The node's database: on disk by `createLevelKv`, in memory by `createMemoryKv`. Started and stopped by the node. */
  readonly kv: Kv
  /** Makes the application; it may keep its state in the given part of the node's database. */
  readonly executor: (kv: Kv) => Executor
  readonly env?: Env
  readonly logger?: Logger
  readonly metrics?: Metrics
}

/** Options of a {@link FullNode}. */
export interface FullNodeOptions extends Omit<HostOptions, 'nodeKey' | 'chainId'> {
  /** Milliseconds between the chain's blocks. Default 1,000. */
  readonly blockTime?: number
}

/** A running follower. */
export interface FullNode extends Service {
  status(): NodeStatus
  /** Multiaddresses it listens on, each with its peer id. */
  addresses(): string[]
  /** Connects to a peer now, besides those that are kept connected. Rejects with `PEER_UNREACHABLE`. */
  dial(address: string, options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Resolves when a critical error stopped the following; the node should then be stopped. */
  readonly failed: Promise<EvolveError>
  /** Calls `listener` after each executed block until the returned function is called. */
  onBlock(listener: (block: AppliedBlock) => void): () => void
  readonly blocks: BlockStore
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  readonly executor: Executor
}

/** Makes a {@link FullNode}. */
export function createFullNode(deps: FullNodeDeps, options: FullNodeOptions): FullNode {
  const { genesis, nodeKey, kv, env = systemEnv, logger = noopLogger, metrics = noopMetrics } = deps
  const blockTime = options.blockTime ?? 1_000
  const shared = { env, logger, metrics }

  const blocks = createBlockStore({ kv })
  const executor = deps.executor(subKv(kv, Uint8Array.of(KEYS.executor)))
  const proposers = createProposers(genesis.initialHeight, genesis.proposerAddress)
  const host: Host = createHost(shared, { ...options, nodeKey, chainId: genesis.chainId })
  const headerSync: HeaderSyncService = createHeaderSyncService(
    { ...shared, kv, network: host, genesis, proposers },
    { blockTime },
  )
  const dataSync: DataSyncService = createDataSyncService(
    { ...shared, kv, network: host, genesis, headers: headerSync.store() },
    { blockTime },
  )
  const follower = createFollower({ ...shared, blockStore: blocks, executor, proposers, genesis }, {})
  const source = createP2PSource({
    headers: headerSync.store(),
    data: dataSync.store(),
    sink: follower,
    env,
    logger,
    evict: async (height, reason) => {
      // Headers first, so that no data is asked for again under a header that goes.
      await headerSync.evict(height, reason)
      await dataSync.evict(height, reason)
    },
  })

  // Headers that could not be judged before can be, once execution has named the proposer of their height.
  follower.onNextHeight((next) => {
    if (next > headerSync.height && headerSync.targetHeight > headerSync.height) headerSync.poke()
  })

  const serial = createSerial()
  // The follower comes before what judges headers: it says who the proven proposer is after a restart.
  const parts: readonly Service[] = [kv, blocks, follower, host, headerSync, dataSync, source]
  let running = false

  return {
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
    status() {
      const { phase, height, lastBlockTime, stateRoot, lastHeaderHash } = follower.status()
      const targetHeight = Math.max(height, headerSync.targetHeight, dataSync.targetHeight)
      return {
        phase: nodePhase(phase, { height, targetHeight }),
        height,
        headerHeight: headerSync.height,
        dataHeight: dataSync.height,
        targetHeight,
        peers: host.peers().length,
        lastBlockTime,
        stateRoot,
        lastHeaderHash,
      }
    },
    addresses: () => host.addresses(),
    async dial(address, dialOptions) {
      await host.dial(address, dialOptions)
    },
    failed: follower.failed,
    onBlock: (listener) => follower.onBlock(listener),
    blocks,
    headers: headerSync.store(),
    data: dataSync.store(),
    executor,
  }
}
