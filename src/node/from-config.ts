import type { HomePaths } from '../config/home.ts'
import { databaseDirectory } from '../config/home.ts'
import type { Config } from '../config/schema.ts'
import type { DaClient, DaSubmitOptions } from '../core/da.ts'
import { systemEnv } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { Kv } from '../core/kv.ts'
import { startAll, stopAll } from '../core/lifecycle.ts'
import { noopLogger } from '../core/logger.ts'
import { createDaClient } from '../da/client/client.node.ts'
import { createLevelKv } from '../store/kv-level.node.ts'
import type { AggregatorOptions } from './aggregator.ts'
import type { DaOptions } from './da-parts.ts'
import type { BoundAddress } from '../util/listen.node.ts'
import type { RpcServer } from '../rpc/server.node.ts'
import { readinessOptions, type RpcDeps, rpcServerOf } from './rpc-parts.ts'
import { createFullNode, type FullNode, type FullNodeDeps, type FullNodeOptions } from './full-node.ts'
import { telemetryFromConfig } from './telemetry.ts'

/** What {@link fullNodeFromConfig} is given besides the configuration. */
export interface ConfiguredNodeDeps
  extends Omit<FullNodeDeps, 'kv' | 'executor' | 'da' | 'servers'>,
    Pick<RpcDeps, 'logLevel' | 'tracing'> {
  readonly paths: HomePaths
  /** Name of the database: one folder an application below `db_path`. */
  readonly database: string
  readonly executor: (kv: Kv) => Executor
  /** Instead of the database in the home directory. */
  readonly kv?: Kv
  /** Instead of the DA node that the configuration names. */
  readonly da?: DaClient
  /** Whether it can be asked. Default true. */
  readonly rpc?: boolean
  /** What is to be otherwise than the configuration says. */
  readonly options?: Partial<FullNodeOptions>
}

/** A full node that can be asked. */
export interface ConfiguredNode extends FullNode {
  /** Where it can be asked; undefined while it does not run. */
  rpcAddress(): BoundAddress | undefined
}

/** Makes the full node that a configuration describes, with its database in the home directory, and its RPC server. */
export function fullNodeFromConfig(config: Config, deps: ConfiguredNodeDeps): ConfiguredNode {
  const { paths, database, env = systemEnv, logger = noopLogger, ...others } = deps
  const { logLevel } = deps
  const { chainId } = deps.genesis
  const telemetry = telemetryFromConfig(config.instrumentation, {
    env,
    logger,
    chainId,
    ready: readinessOptions(config.node),
  })
  const { metrics = telemetry.metrics, tracing = telemetry.tracing } = deps
  const shared = { env, logger, metrics, tracing }
  let rpc: RpcServer | undefined
  const client = deps.da ?? daClientFromConfig(config, shared)
  const node = createFullNode(
    {
      ...others,
      ...shared,
      kv: deps.kv ?? createLevelKv({ path: databaseDirectory(paths.home, config, database) }),
      ...(client === undefined ? {} : { da: client }),
      servers(view) {
        if (deps.rpc === false) return []
        rpc = rpcServerOf(view, config, {
          ...shared,
          ...(logLevel === undefined ? {} : { logLevel }),
        })
        return [rpc]
      },
    },
    { ...fullNodeOptions(config), ...deps.options },
  )
  // They come first, so that an address that is taken shows before a block can be made, and go last.
  const services = [...telemetry.services(node), node]
  return {
    ...node,
    start: async (options) => await startAll(services, options),
    stop: async () => await stopAll(services),
    rpcAddress: () => rpc?.address,
  }
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
