import type { HomePaths } from '../config/home.ts'
import { databaseDirectory } from '../config/home.ts'
import type { Config } from '../config/schema.ts'
import type { DaClient, DaSubmitOptions } from '../core/da.ts'
import { systemEnv } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { Kv } from '../core/kv.ts'
import { noopLogger } from '../core/logger.ts'
import { noopMetrics } from '../core/metrics.ts'
import { createDaClient } from '../da/client/client.node.ts'
import { createLevelKv } from '../store/kv-level.node.ts'
import type { AggregatorOptions } from './aggregator.ts'
import type { DaOptions } from './da-parts.ts'
import { createFullNode, type FullNode, type FullNodeDeps, type FullNodeOptions } from './full-node.ts'

/** What {@link fullNodeFromConfig} is given besides the configuration. */
export interface ConfiguredNodeDeps extends Omit<FullNodeDeps, 'kv' | 'executor' | 'da'> {
  readonly paths: HomePaths
  /** Name of the database: one folder an application below `db_path`. */
  readonly database: string
  readonly executor: (kv: Kv) => Executor
}

/** Makes the full node that a configuration describes, with its database in the home directory. */
export function fullNodeFromConfig(config: Config, deps: ConfiguredNodeDeps): FullNode {
  const { paths, database, env = systemEnv, logger = noopLogger, metrics = noopMetrics, ...others } = deps
  const shared = { env, logger, metrics }
  const client = daClientFromConfig(config, shared)
  return createFullNode(
    {
      ...others,
      ...shared,
      kv: createLevelKv({ path: databaseDirectory(paths.home, config, database) }),
      ...(client === undefined ? {} : { da: client }),
    },
    fullNodeOptions(config),
  )
}

/** The DA client that a configuration describes; undefined when it names no DA node. */
export function daClientFromConfig(
  { da }: Config,
  shared: Required<Pick<FullNodeDeps, 'env' | 'logger' | 'metrics'>>,
): DaClient | undefined {
  const { authToken, requestTimeout } = da
  const address = da.address.trim()
  return address === '' ? undefined : createDaClient(shared, { address, authToken, requestTimeout })
}

/** The options of a full node as a configuration gives them. */
export function fullNodeOptions(config: Config): FullNodeOptions {
  const { p2p, node } = config
  const gated = !p2p.disableConnectionGater
  return {
    listen: [p2p.listenAddress],
    peers: p2p.peers,
    blockedPeers: gated ? p2p.blockedPeers : [],
    allowedPeers: gated ? p2p.allowedPeers : [],
    blockTime: node.blockTime,
    da: daOptions(config),
    aggregator: aggregatorOptions(config),
    transactionIndex: config.rpc.transactionIndex,
    takeTransactions: config.rpc.takeTransactions,
    ...pruningOptions(config),
  }
}

function pruningOptions({ pruning }: Config): Pick<FullNodeOptions, 'pruning'> {
  const { pruningMode: mode, pruningKeepRecent: keepRecent, pruningInterval: interval } = pruning
  return mode === 'disabled' ? {} : { pruning: { mode, keepRecent, interval } }
}

function daOptions({ da }: Config): DaOptions {
  return {
    namespace: da.namespace,
    dataNamespace: da.dataNamespace === '' ? da.namespace : da.dataNamespace,
    blockTime: da.blockTime,
    ...(da.startHeight === 0 ? {} : { startHeight: da.startHeight }),
    submit: {
      strategy: da.batchingStrategy,
      sizeThreshold: da.batchSizeThreshold,
      maxDelay: da.batchMaxDelay,
      minItems: da.batchMinItems,
      maxAttempts: da.maxSubmitAttempts,
      submitOptions: submitOptions(da.submitOptions),
      signingAddresses: da.signingAddresses,
    },
  }
}

/** The configuration has checked that it is a JSON object. */
function submitOptions(text: string): DaSubmitOptions {
  const parsed: unknown = text.trim() === '' ? {} : JSON.parse(text)
  return typeof parsed === 'object' && parsed !== null ? Object.fromEntries(Object.entries(parsed)) : {}
}

function aggregatorOptions({ node }: Config): AggregatorOptions {
  const { lazyMode, lazyBlockInterval, maxPendingHeadersAndData, scrapeInterval, catchupTimeout } = node
  return {
    lazyMode,
    lazyBlockInterval,
    maxPending: maxPendingHeadersAndData,
    scrapeInterval,
    // Whoever asks for a catch-up wants others to be waited for.
    ...(catchupTimeout === 0
      ? {}
      : { daPatience: catchupTimeout, peerPatience: catchupTimeout, ledgerPatience: catchupTimeout }),
  }
}
