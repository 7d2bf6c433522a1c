/*
 * A whole network in one process, over real sockets and disks: a local DA, an aggregator with an endpoint for
 * transactions, a follower, and a follower that knows nothing but DA.
 */
import { join } from 'node:path'
import type { Env } from '../../core/env.ts'
import { type Service, startAll, stopAll } from '../../core/lifecycle.ts'
import type { LogLevelControl } from '../../core/log-level.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { LocalDa } from '../../da/local/local-da.node.ts'
import type { EntryExecutor } from '../../execution/entry-executor.ts'
import { createKvEndpoint, type KvEndpoint } from '../../execution/http/endpoint.node.ts'
import { createKvExecutor } from '../../execution/kv-executor.ts'
import { createFileLedger } from '../../signer/ledger.node.ts'
import { signerOfKey } from '../../signer/file.node.ts'
import { createSerial, deferred } from '../../util/async.ts'
import type { EvolveError } from '../../util/errors.ts'
import { type BoundAddress, formatHostPort } from '../../util/listen.node.ts'
import {
  DEVNET_NAMES,
  type DevnetHome,
  type DevnetHomes,
  type DevnetName,
  freePort,
  prepareHomes,
} from './homes.ts'
import { type ConfiguredNode, fullNodeFromConfig } from '../from-config.ts'
import { createLocalDaNode } from '../local-da.ts'
import type { NodeStatus } from '../../core/status.ts'

/** What a {@link Devnet} needs. */
export interface DevnetDeps {
  readonly env: Env
  readonly logger: Logger
  /** Lets the log level be changed by RPC. */
  readonly logLevel?: LogLevelControl
  readonly metrics: Metrics
}

/** Options of a {@link Devnet}. Durations in milliseconds, defaults in brackets. */
export interface DevnetOptions {
  /** Folder for everything the network keeps: a new one, or that of an earlier devnet, which then goes on. */
  readonly root: string
  /** Time between blocks [100], and between DA blocks [1,000]. */
  readonly blockTime?: number
  readonly daBlockTime?: number
  /** Ports of 127.0.0.1 for DA and for transactions [any that is free]. */
  readonly daPort?: number
  readonly kvPort?: number
  /** Port of 127.0.0.1 for the aggregator's RPC and its page [any that is free]. */
  readonly rpcPort?: number
}

/** One node of a devnet. */
export interface DevnetNode {
  readonly name: DevnetName
  readonly node: ConfiguredNode
  readonly executor: EntryExecutor
}

/** A network at one moment. */
export interface DevnetStatus {
  readonly da: { readonly address: string; readonly height: number }
  /** Where transactions go: `POST /tx`. */
  readonly endpoint: string
  /** Where the aggregator can be asked, and the page that shows the chain. */
  readonly rpc: string
  readonly nodes: readonly { readonly name: DevnetName; readonly status: NodeStatus }[]
  /** Transactions in blocks since the start. */
  readonly txs: number
}

/** A running network. */
export interface Devnet extends Service {
  /** After start. */
  readonly nodes: readonly DevnetNode[]
  status(): DevnetStatus
  /** Resolves with the first critical error of a node. */
  readonly failed: Promise<EvolveError>
}

interface Running {
  readonly da: LocalDa
  readonly endpoint: KvEndpoint
  readonly nodes: readonly DevnetNode[]
  readonly parts: readonly Service[]
}

/** Makes a {@link Devnet}. */
export function createDevnet(deps: DevnetDeps, options: DevnetOptions): Devnet {
  const { env, logger, logLevel, metrics } = deps
  const { root, blockTime = 100, daBlockTime = 1_000 } = options
  const failed = deferred<EvolveError>()
  const serial = createSerial()
  let running: Running | undefined
  let txs = 0

  function makeNode(homes: DevnetHomes, { name, paths, config, genesis, nodeKey }: DevnetHome): DevnetNode {
    const executors: EntryExecutor[] = []
    const ledger = createFileLedger({
      path: homes.ledgerFile,
      keyFingerprint: homes.key.address,
      env,
      logger,
    })
    const rpcPort = name === 'aggregator' ? (options.rpcPort ?? 0) : 0
    const rpc = { ...config.rpc, address: `127.0.0.1:${rpcPort}` }
    const node = fullNodeFromConfig(
      { ...config, rpc },
      {
        paths,
        genesis,
        nodeKey,
        database: 'kv',
        executor: (kv) => {
          const executor = createKvExecutor({ kv })
          executors.push(executor)
          return executor
        },
        ...(name === 'aggregator' ? { key: { signer: signerOfKey(homes.key), ledger } } : {}),
        env,
        logger: logger.child({ node: name }),
        ...(logLevel === undefined ? {} : { logLevel }),
        metrics,
      },
    )
    const [executor] = executors
    if (executor === undefined) throw new TypeError('a node makes its executor at once')
    return { name, node, executor }
  }

  async function start(signal: AbortSignal | undefined): Promise<Running> {
    const daPort = options.daPort ?? (await freePort())
    const shape = {
      chainId: 'devnet',
      startTime: env.now(),
      blockTime,
      daBlockTime,
      daAddress: `http://127.0.0.1:${daPort}`,
    }
    const homes = await prepareHomes(root, shape)
    const da = createLocalDaNode(
      { env, logger },
      { host: '127.0.0.1', port: daPort, blockTime: daBlockTime, data: join(root, 'da') },
    )
    const nodes = DEVNET_NAMES.map((name) => makeNode(homes, homes.homes[name]))
    const [aggregator] = nodes
    if (aggregator === undefined) throw new TypeError('a devnet has an aggregator')
    const endpoint = createKvEndpoint(
      { env, logger, executor: aggregator.executor },
      { address: `127.0.0.1:${options.kvPort ?? (await freePort())}` },
    )
    for (const { node } of nodes) void node.failed.then((error) => failed.resolve(error))
    aggregator.node.onBlock((block) => {
      txs += block.txs
    })
    const parts = [da, ...nodes.map(({ node }) => node), endpoint]
    await startAll(parts, signal === undefined ? {} : { signal })
    return { da, endpoint, nodes, parts }
  }

  return {
    failed: failed.promise,
    get nodes() {
      return running?.nodes ?? []
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        running ??= await start(signal)
      })
    },
    async stop() {
      await serial.run(async () => {
        if (running === undefined) return
        const { parts } = running
        running = undefined
        // Followers before the aggregator, and DA last.
        await stopAll(parts)
      })
    },
    status: () => ({
      da: { address: running?.da.address ?? '', height: running?.da.height ?? 0 },
      endpoint: running === undefined ? '' : `http://${running.endpoint.address}`,
      rpc: rpcUrl(running?.nodes[0]?.node.rpcAddress()),
      nodes: (running?.nodes ?? []).map(({ name, node }) => ({ name, status: node.status() })),
      txs,
    }),
  }
}

function rpcUrl(address: BoundAddress | undefined): string {
  return address === undefined ? '' : `http://${formatHostPort(address)}`
}
