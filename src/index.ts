/*
 * The door of the package: a full node as a library. `evolve-node/header` is header synchronisation alone,
 * `evolve-node/types` the chain's types.
 */
export type { FollowerPhase } from './block/follower/status.ts'
export type { AppliedBlock } from './core/applied-block.ts'
export type { Block, BlockStore } from './core/block-store.ts'
export type { Blob, DaClient, DaEvent, DaHeader, DaSubmitOptions } from './core/da.ts'
export { type Env, systemEnv } from './core/env.ts'
export type {
  ExecuteRequest,
  ExecutionInfo,
  ExecutionResult,
  Executor,
  FilterStatus,
} from './core/executor.ts'
export type { HeaderStore } from './core/header.ts'
export type { Kv, KvOp, KvRange } from './core/kv.ts'
export type { Service } from './core/lifecycle.ts'
export { type Logger, noopLogger } from './core/logger.ts'
export { type LogLevel, type LogLevelControl } from './core/log-level.ts'
export { type Metrics, noopMetrics } from './core/metrics.ts'
export { noopTracing, type Tracing } from './core/tracing.ts'
export type { GossipMessage, GossipTopic, GossipVerdict, Network, PeerId } from './core/network.ts'
export { createProposers, type Proposers } from './core/proposers.ts'
export type { LedgerEntry, Signer, SignLedger } from './core/signer.ts'
export { type CelestiaClient, createDaClient } from './da/client/client.node.ts'
export type { DaClientOptions } from './da/client/settings.ts'
export { createLocalDa, type LocalDa, type LocalDaOptions } from './da/local/local-da.node.ts'
export {
  defineExecutor,
  type ExecutorDefinition,
  type ExecutorTools,
  type StateExecutor,
  type StateExecutorFactory,
  type StateExecutorOptions,
  type TxContext,
} from './execution/define-executor.ts'
export type { EntryExecutor, EntryExecutorOptions } from './execution/entry-executor.ts'
export { createKvExecutor } from './execution/kv-executor.ts'
export { formatState, type Frozen, type StateValue } from './execution/state-json.ts'
export { createTestappExecutor } from './execution/testapp-executor.ts'
export type { AggregatorKey, AggregatorOptions } from './node/aggregator.ts'
export {
  createNode,
  type CreateNodeOptions,
  type EvolveNode,
  type ExecutorMaker,
  type NodeAggregatorOptions,
  type NodeDaOptions,
} from './node/create-node.ts'
export type { DaOptions, SubmitOptions } from './node/da-parts.ts'
export { createFullNode, type FullNode, type FullNodeDeps, type FullNodeOptions } from './node/full-node.ts'
export { tuneProcess } from './node/process.node.ts'
export {
  createPruner,
  type PruneOptions,
  type Pruner,
  type PrunerDeps,
  type PruneRun,
} from './node/pruner.ts'
export { rollBack, type Rollback, type RollbackDeps, type RollbackOptions } from './node/rollback.ts'
export {
  exportSnapshot,
  type SnapshotExportDeps,
  type SnapshotExportOptions,
} from './node/snapshot-export.ts'
export {
  importSnapshot,
  type SnapshotImportDeps,
  type SnapshotImportOptions,
} from './node/snapshot-import.ts'
export type { DaStatus, NodePhase, NodeRates, NodeRole, NodeStatus } from './core/status.ts'
export { createHost, type Host, type HostOptions } from './p2p/host.node.ts'
export { formatNodeKey, generateNodeKey, type NodeKey, parseNodeKey, peerIdOf } from './p2p/identity.ts'
export {
  createSignerFile,
  openSignerFile,
  type SigningKey,
  signerOfKey,
  signingKeyOf,
} from './signer/file.node.ts'
export { createFileLedger, type FileLedgerOptions } from './signer/ledger.node.ts'
export { createLevelKv } from './store/kv-level.node.ts'
export { createMemoryKv } from './store/kv-memory.ts'
export { createDataSyncService, type DataSyncService } from './sync/data-service.ts'
export {
  type ChainSyncDeps,
  type ChainSyncOptions,
  createHeaderSyncService,
  type HeaderSyncOptions,
  type HeaderSyncService,
} from './sync/header-service.ts'
export {
  createSyncService,
  type SyncService,
  type SyncServiceDeps,
  type SyncServiceOptions,
} from './sync/service.ts'
export { createMetricsServer, type MetricsServerOptions } from './telemetry/metrics-server.node.ts'
export { createPrometheusMetrics, type PrometheusMetrics } from './telemetry/prometheus.node.ts'
export { createTracing } from './telemetry/tracing.node.ts'
export type { TracingOptions } from './telemetry/tracing-options.ts'
export { formatGenesis, type Genesis, parseGenesis } from './types/genesis.ts'
export { EvolveError, isEvolveError, type Verdict } from './util/errors.ts'
