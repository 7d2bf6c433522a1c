/*
 * A node in a few lines, for programs: what `evolve init` and `evolve start` do, with an executor of one's own.
 */
import { dirname, join } from 'node:path'
import { makeDirectory, readTextFile, writeFileAtomic } from '../config/atomic-file.node.ts'
import { readHomeConfig } from '../config/home-config.node.ts'
import { homeDirectory, type HomePaths, homePaths, signerFile } from '../config/home.ts'
import { loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { DaClient } from '../core/da.ts'
import { type Env, sleep, systemEnv } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { Kv } from '../core/kv.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { ExecutorTools } from '../execution/define-executor.ts'
import type { EntryExecutor } from '../execution/entry-executor.ts'
import { createKvExecutor } from '../execution/kv-executor.ts'
import { generateNodeKey } from '../p2p/identity.ts'
import { signerOfKey, signingKeyOf } from '../signer/file.node.ts'
import { createFileLedger } from '../signer/ledger.node.ts'
import { createMemoryLedger } from '../signer/memory-ledger.node.ts'
import { createMemoryKv } from '../store/kv-memory.ts'
import { type Genesis, parseGenesis } from '../types/genesis.ts'
import { equalBytes, toHex, utf8 } from '../util/bytes.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import { formatHostPort } from '../util/listen.node.ts'
import type { AggregatorKey } from './aggregator.ts'
import { type ConfiguredNode, fullNodeFromConfig } from './from-config.ts'
import { type GivenValues, givenConfig, milliseconds } from './given-config.ts'
import { DEFAULT_CHAIN_ID, newGenesis, newNamespace, prepareHome } from './home/prepare.ts'
import { requireSigner } from './home/signer-files.ts'

/** How a node of {@link createNode} makes blocks. Durations in milliseconds, defaults in brackets. */
export interface NodeAggregatorOptions {
  /**
   * File with the passphrase of the signing key [`config/passphrase` in the directory, which is made with a new
   * passphrase where there is neither the file nor a key]. Only with a directory.
   */
  readonly passphraseFile?: string
  /** The signing key, 32 secret bytes [a new one, gone with the process]. Only without a directory. */
  readonly seed?: Uint8Array
  /** Blocks only when there are transactions, or when `lazyInterval` [60,000] is over [false]. */
  readonly lazy?: boolean
  readonly lazyInterval?: number
  /** Blocks that may wait for DA before production pauses; 0 means any number [0]. */
  readonly maxPending?: number
}

/** The DA layer of a node of {@link createNode}. */
export interface NodeDaOptions {
  /** URL of a DA node's RPC, or a client that the node then starts and stops. */
  readonly address: string | DaClient
  /** Namespace of the chain's headers: any text [the file's; for a new chain a new one]. Followers must know it. */
  readonly namespace?: string
  /** Namespace of data [the same]. */
  readonly dataNamespace?: string
  readonly authToken?: string
  /** Milliseconds between DA blocks [6,000]. */
  readonly blockTime?: number
  /** First DA height to read when nothing was read yet [genesis's]. */
  readonly startHeight?: number
}

/** Makes an application over its part of the node's database. */
export type ExecutorMaker<E extends Executor> = (kv: Kv, tools: Required<ExecutorTools>) => E

/** Options of {@link createNode}; defaults in brackets. */
export interface CreateNodeOptions<E extends Executor = EntryExecutor> {
  /**
   * Home directory of the node, as `evolve init` makes it. What is missing is made; of a `config/evnode.yaml` that is
   * there the values given here change. `evolve start --home` runs the same node, where the executor is one of its own.
   * Without a directory everything is in memory, keys too, and gone with the process.
   */
  readonly directory?: string
  /** The chain: a genesis, or the text of a `genesis.json` [that in the directory; for an aggregator a new one]. */
  readonly genesis?: Genesis | string
  /** Name of a new chain, and check of one that is there [`ev-test`]. */
  readonly chainId?: string
  /** Whether this node makes the chain's blocks [false]. */
  readonly aggregator?: boolean | NodeAggregatorOptions
  /** The application [key=value, as `evolve start` has it]: one of `defineExecutor`, a function, or a ready executor. */
  readonly executor?: ExecutorMaker<E> | E
  /** Name of the database in the directory [`kv` for the default application, `app` for others]. */
  readonly database?: string
  /** Multiaddresses, with peer ids, of nodes that are kept connected. */
  readonly peers?: readonly string[]
  /**
   * Multiaddress to listen on, or false for none [the file's, which is /ip4/0.0.0.0/tcp/7676; without a directory a free
   * port of 127.0.0.1].
   */
  readonly listen?: string | false
  /** Look for peers in the DHT, and serve it [true; without a directory false]. */
  readonly discovery?: boolean
  /** The DA layer [the file's; none]. */
  readonly da?: NodeDaOptions
  /** `host:port` where the node can be asked, with port 0 for any that is free; false for nowhere [false]. */
  readonly rpc?: string | false
  /** Milliseconds between blocks; the same on all nodes of a chain [1,000]. */
  readonly blockTime?: number
  /** Any other key of the configuration by its path: `{ 'pruning.pruning_mode': 'all' }`. */
  readonly config?: GivenValues
  readonly env?: Env
  readonly logger?: Logger
  readonly metrics?: Metrics
}

/** A node of {@link createNode}. */
export interface EvolveNode<E extends Executor> extends Omit<ConfiguredNode, 'executor' | 'submit'> {
  readonly executor: E
  /** The configuration that holds. */
  readonly config: Config
  /** Where its files are; undefined for a node in memory. */
  readonly paths: HomePaths | undefined
  /** URL where it can be asked; undefined when it cannot, or does not run. */
  readonly rpc: string | undefined
  /**
   * Hands a transaction, bytes or a text, to the chain: to the executor of an aggregator, and from a follower on to it.
   * While no aggregator can be reached, or this one makes no blocks yet, it tries again for `patience` milliseconds
   * [10,000]. Resolves when it was taken, which says nothing about whether it gets into a block. Rejects with
   * `TX_REFUSED`, `TX_NO_ROOM` (`retry`), `TX_NOT_ACCEPTED` or `NO_AGGREGATOR` (`retry`).
   */
  submit(
    tx: Uint8Array | string,
    options?: { readonly signal?: AbortSignal; readonly patience?: number },
  ): Promise<void>
}

/** Milliseconds for which a transaction waits for an aggregator, and between two attempts. */
const PATIENCE = 10_000
const RETRY = 100

/** Name of the database of an application that is not one of the program's. */
const OWN_DATABASE = 'app'

const randomBytes = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))

/**
 * Makes a node, ready to be started: a follower of a chain, or with `aggregator` the one that makes its blocks. Calling
 * it again with the same directory gives the same node. Rejects with `INVALID_CONFIG` for values that are wrong, `USAGE`
 * for those that do not go together, and what the files of the directory say: `INVALID_GENESIS`, `INVALID_NODE_KEY`,
 * `FILE_NOT_PRIVATE`, `WRONG_PASSPHRASE`, `CORRUPT_SIGNER_FILE`, `FILE_FAILED`.
 */
export async function createNode(
  options?: CreateNodeOptions & { readonly executor?: undefined },
): Promise<EvolveNode<EntryExecutor>>
export async function createNode<E extends Executor>(
  options: CreateNodeOptions<E> & Required<Pick<CreateNodeOptions<E>, 'executor'>>,
): Promise<EvolveNode<E>>
export async function createNode(options: CreateNodeOptions<Executor> = {}): Promise<EvolveNode<Executor>> {
  const { env = systemEnv, logger = noopLogger } = options
  const prepared = options.directory === undefined ? inMemory(options, env) : await inDirectory(options, env)
  const { config, genesis, key } = prepared
  if (key !== undefined && options.executor === undefined) refuseOtherKey(genesis, key)
  let own: Executor | undefined
  const node = fullNodeFromConfig(config, {
    ...prepared,
    paths: prepared.paths ?? homePaths(homeDirectory('')),
    database: options.database ?? (options.executor === undefined ? 'kv' : OWN_DATABASE),
    executor(kv) {
      own = executorOf(options.executor, kv, logger)
      return own
    },
    rpc: typeof options.rpc === 'string',
    ...(typeof options.da?.address === 'object' ? { da: options.da.address } : {}),
    options: {
      discovery: options.discovery ?? options.directory !== undefined,
      ...(options.listen === false ? { listen: [] } : {}),
    },
    env,
    logger,
    ...(options.metrics === undefined ? {} : { metrics: options.metrics }),
  })
  return {
    ...node,
    executor: own ?? node.executor,
    config,
    paths: prepared.paths,
    get rpc() {
      const address = node.rpcAddress()
      return address === undefined ? undefined : `http://${formatHostPort(address)}`
    },
    async submit(tx, { signal = new AbortController().signal, patience = PATIENCE } = {}) {
      const bytes = typeof tx === 'string' ? utf8(tx) : tx
      const end = env.monotonic() + patience
      for (;;) {
        try {
          await node.submit(bytes, { signal })
          return
        } catch (error) {
          if (!isEvolveError(error, 'NO_AGGREGATOR') || env.monotonic() >= end) throw error
        }
        await sleep(env, RETRY, signal)
      }
    },
  }
}

/** What a node is made of besides its executor. */
interface Prepared {
  readonly config: Config
  readonly genesis: Genesis
  readonly nodeKey: ReturnType<typeof generateNodeKey>
  readonly key?: AggregatorKey
  readonly paths: HomePaths | undefined
  /** The database, where it is not in the directory. */
  readonly kv?: Kv
}

function inMemory(options: CreateNodeOptions<Executor>, env: Env): Prepared {
  if (aggregatorOf(options)?.passphraseFile !== undefined) {
    throw usage('aggregator.passphraseFile is for nodes with a directory; without one, give aggregator.seed')
  }
  const values = valuesOf(options)
  const { chainId = DEFAULT_CHAIN_ID } = options
  const config = loadConfig([
    newNamespace(chainId, 'createNode'),
    givenConfig({ 'p2p.listen_address': '/ip4/127.0.0.1/tcp/0' }),
    givenConfig(values),
  ])
  const signing = config.node.aggregator
    ? signingKeyOf(aggregatorOf(options)?.seed ?? randomBytes(32))
    : undefined
  const genesis = genesisOf(options) ?? newGenesis(chainId, signing?.address, env)
  if (genesis === undefined) throw noGenesis()
  if (options.chainId !== undefined && options.chainId !== genesis.chainId) {
    throw usage(`the genesis is that of chain ${genesis.chainId}, not ${options.chainId}`)
  }
  return {
    config,
    genesis,
    nodeKey: generateNodeKey(randomBytes),
    paths: undefined,
    kv: createMemoryKv(),
    ...(signing === undefined
      ? {}
      : {
          key: {
            signer: signerOfKey(signing),
            ledger: createMemoryLedger({ ...loggerOf(options), keyFingerprint: signing.address, env }),
          },
        }),
  }
}

async function inDirectory(options: CreateNodeOptions<Executor>, env: Env): Promise<Prepared> {
  const home = homeDirectory(options.directory)
  const aggregator = aggregatorOf(options)
  if (aggregator?.seed !== undefined) {
    throw usage('aggregator.seed is for nodes without a directory; here the key lies in config/signer.json')
  }
  const paths = homePaths(home)
  const passphraseFile = aggregator?.passphraseFile ?? join(paths.configDirectory, 'passphrase')
  const given = givenConfig({
    ...valuesOf(options),
    'signer.passphrase_file': passphraseFile,
  })
  const genesis = genesisOf(options)
  const fallback = newNamespace(options.chainId ?? genesis?.chainId ?? DEFAULT_CHAIN_ID, 'createNode')
  const read = await readHomeConfig({
    home,
    variables: {},
    flags: given,
    ...(aggregator === undefined ? {} : { fallback }),
  })
  if (aggregator !== undefined && aggregator.passphraseFile === undefined) {
    await makePassphrase(signerFile(home, read.config), passphraseFile)
  }
  const made = await prepareHome(
    { env },
    { read, given, chainId: options.chainId, ...(genesis === undefined ? {} : { genesis }) },
  )
  if (made.genesis === undefined) throw noGenesis(paths.genesisFile)
  return {
    config: read.config,
    genesis: made.genesis.genesis,
    nodeKey: made.nodeKey.key,
    paths,
    ...(read.config.node.aggregator ? { key: await keyIn(read, options, env) } : {}),
  }
}

async function keyIn(
  read: Parameters<typeof requireSigner>[0],
  options: CreateNodeOptions<Executor>,
  env: Env,
): Promise<AggregatorKey> {
  const { signer, ledgerFile } = await requireSigner(read)
  const ledger = { path: ledgerFile, keyFingerprint: signer.address, env, ...loggerOf(options) }
  return { signer, ledger: createFileLedger(ledger) }
}

/** A passphrase for a key that is about to be made; nothing where there is one, or a key whose passphrase is elsewhere. */
async function makePassphrase(signer: string, file: string): Promise<void> {
  if ((await readTextFile(signer)) !== undefined || (await readTextFile(file)) !== undefined) return
  await makeDirectory(dirname(file))
  await writeFileAtomic(file, `${toHex(randomBytes(16))}\n`, { exclusive: true })
}

function valuesOf(options: CreateNodeOptions<Executor>): GivenValues {
  const { da, listen, rpc, aggregator } = options
  const { lazy, lazyInterval, maxPending } = aggregatorOf(options) ?? {}
  return {
    'p2p.listen_address': listen === false ? undefined : listen,
    'p2p.peers': options.peers,
    'node.aggregator': aggregator === undefined ? undefined : aggregator !== false,
    'node.block_time': milliseconds(options.blockTime),
    'node.lazy_mode': lazy,
    'node.lazy_block_interval': milliseconds(lazyInterval),
    'node.max_pending_headers_and_data': maxPending,
    'da.address': typeof da?.address === 'object' ? undefined : da?.address,
    'da.auth_token': da?.authToken,
    'da.namespace': da?.namespace,
    'da.data_namespace': da?.dataNamespace,
    'da.block_time': milliseconds(da?.blockTime),
    'da.start_height': da?.startHeight,
    'rpc.address': rpc === false ? undefined : rpc,
    ...options.config,
  }
}

/** How blocks are made; undefined when this call does not ask for that. */
function aggregatorOf({ aggregator }: CreateNodeOptions<Executor>): NodeAggregatorOptions | undefined {
  return aggregator === true ? {} : aggregator === false ? undefined : aggregator
}

function genesisOf({ genesis }: CreateNodeOptions<Executor>): Genesis | undefined {
  return typeof genesis === 'string' ? parseGenesis(genesis) : genesis
}

function loggerOf({ logger }: CreateNodeOptions<Executor>): { readonly logger?: Logger } {
  return logger === undefined ? {} : { logger }
}

function executorOf(given: CreateNodeOptions<Executor>['executor'], kv: Kv, logger: Logger): Executor {
  if (given === undefined) return createKvExecutor({ kv })
  return typeof given === 'function' ? given(kv, { logger }) : given
}

/** The default application never names another proposer than genesis does. */
function refuseOtherKey({ proposerAddress }: Genesis, { signer }: AggregatorKey): void {
  if (equalBytes(signer.address, proposerAddress)) return
  throw usage(
    `the genesis names the proposer ${toHex(proposerAddress)}, but the key of this node has address ${toHex(signer.address)}:` +
      ' give the key of the proposer, or follow the chain without aggregator',
  )
}

function noGenesis(file?: string): EvolveError {
  const where = file === undefined ? '' : `, or put it at ${file}`
  return usage(
    `a node that follows a chain needs its genesis: give genesis, the text of its genesis.json${where}`,
  )
}

function usage(message: string): EvolveError {
  return new EvolveError('USAGE', `createNode: ${message}`)
}
