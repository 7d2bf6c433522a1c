import { reached } from './node-heights.ts'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DaClient } from '../../src/core/da.ts'
import { systemEnv } from '../../src/core/env.ts'
import type { Kv } from '../../src/core/kv.ts'
import type { LogFields } from '../../src/core/logger.ts'
import { noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { SignLedger } from '../../src/core/signer.ts'
import { createBlob } from '../../src/da/blob.ts'
import { type CelestiaClient, createDaClient } from '../../src/da/client/client.node.ts'
import type { DaClientOptions } from '../../src/da/client/settings.ts'
import { type Found, decodeFound } from '../../src/da/follow/found.ts'
import { createLocalDa, type FaultHook, type LocalDa } from '../../src/da/local/local-da.node.ts'
import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import type { AggregatorOptions } from '../../src/node/aggregator.ts'
import type { SubmitOptions } from '../../src/node/da-parts.ts'
import { createFullNode, type FullNode, type FullNodeOptions } from '../../src/node/full-node.ts'
import { generateNodeKey } from '../../src/p2p/identity.ts'
import { signerOfKey, type SigningKey, signingKeyOf } from '../../src/signer/file.node.ts'
import { createFileLedger } from '../../src/signer/ledger.node.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { decodeSignedData } from '../../src/types/codec.ts'
import type { Genesis } from '../../src/types/genesis.ts'
import { headerHash } from '../../src/types/header.ts'
import { namespaceBytes } from '../../src/types/namespace.ts'
import { validateEnvelope, validateSignedData } from '../../src/types/validate.ts'
import { deferred } from '../../src/util/async.ts'
import { equalBytes, toHex, utf8 } from '../../src/util/bytes.ts'
import { EvolveError } from '../../src/util/errors.ts'
import { createRecorder, type Recorder } from './recorder.ts'

/** Namespaces of these networks, as configured and as they are on DA. */
const NAMES = { header: 'trouble headers', data: 'trouble data' } as const
/** As blobs carry them. */
export const DA_NAMESPACES = {
  header: namespaceBytes(NAMES.header),
  data: namespaceBytes(NAMES.data),
} as const

const random = (length: number): Uint8Array => crypto.getRandomValues(new Uint8Array(length))
const never = new AbortController().signal

/** What strangers pass with a submission, so that faults can spare them. */
export const AS_STRANGER = { stranger: true } as const

/** A node of a {@link DaNetwork}. */
export interface NetworkNode {
  readonly node: FullNode
  readonly executor: EntryExecutor
  readonly recorder: Recorder
  /** What an aggregator has signed; undefined for others. */
  readonly ledger: SignLedger | undefined
  /** DA heights that were asked for by `getAll`, one entry a call, in order. */
  readonly reads: readonly { readonly height: number; readonly namespace: string }[]
  /** Resolves when the node has executed a height; throws what ended the node before. */
  executed(height: number): Promise<void>
  /** As {@link NetworkNode.executed}, for a height that is final. */
  final(height: number): Promise<void>
  /** Resolves when a line (`level: message`) is logged for the n-th time. */
  logged(line: string, times?: number): Promise<void>
  /** Hex of the state root after a height. */
  rootAt(height: number): Promise<string>
}

/** How a node is made; defaults in brackets. */
export interface NetworkNodeOptions {
  /** [one on disk, in a folder of its own] */
  readonly kv?: Kv
  /** Multiaddresses to keep connected to [none]. */
  readonly peers?: readonly string[]
  /** Whether it knows DA [true]. */
  readonly da?: boolean
  readonly client?: Partial<DaClientOptions>
  /** What it removes of old blocks [nothing]. */
  readonly pruning?: FullNodeOptions['pruning']
  /** Stands between the node and its client. */
  readonly wrap?: (client: DaClient) => DaClient
}

/** How an aggregator is made; defaults in brackets. */
export interface NetworkAggregatorOptions extends NetworkNodeOptions {
  readonly aggregator?: AggregatorOptions
  readonly submit?: SubmitOptions
  /** Sends a transaction after every second block [true]. */
  readonly busy?: boolean
}

/** A half that lies on DA. */
export interface PostedHalf {
  readonly height: number
  /** Hex of the header's hash, or of the data's commitment. */
  readonly hash: string
  readonly daHeight: number
}

/** A local DA whose process comes and goes, and nodes around it, over real sockets and disks. */
export interface DaNetwork {
  readonly genesis: Genesis
  /** The proposer's key. */
  readonly key: SigningKey
  /** Asked before each call to DA. */
  fault: FaultHook | undefined
  readonly da: LocalDa
  /** Ends the DA process. */
  daDown(): Promise<void>
  /** Starts it at the same address: over what it had kept, or with `anew` as another chain. */
  daUp(options?: { readonly anew?: boolean }): Promise<void>
  aggregator(options?: NetworkAggregatorOptions): Promise<NetworkNode>
  follower(options?: NetworkNodeOptions): Promise<NetworkNode>
  /** A client of somebody who is no node, started. */
  readonly stranger: CelestiaClient
  /** Posts bytes into a namespace as a stranger, with {@link AS_STRANGER}; resolves with the DA height. */
  post(kind: keyof typeof DA_NAMESPACES, bytes: readonly Uint8Array[]): Promise<number>
  /** Everything of the chain's proposer that lies on DA, in the order of DA. */
  posted(): Promise<{ readonly headers: PostedHalf[]; readonly data: PostedHalf[] }>
  stop(): Promise<void>
}

/** Times in milliseconds; defaults in brackets. */
export interface DaNetworkOptions {
  /** [20] */
  readonly blockTime?: number
  /** [100] */
  readonly daBlockTime?: number
  /** Part of the calls to DA that fail [0]. */
  readonly failRate?: number
}

/** Quick to open a WebSocket again, so that tests see both ways. */
const CLIENT = { upgradeFirst: 50, upgradeInterval: 500, requestTimeout: 2_000 } as const

/** Starts the DA of a {@link DaNetwork}; nodes are added by the test. */
export async function startDaNetwork(options: DaNetworkOptions = {}): Promise<DaNetwork> {
  const { blockTime = 20, daBlockTime = 100, failRate = 0 } = options
  const root = mkdtempSync(join(tmpdir(), 'evolve-da-trouble-'))
  const key = signingKeyOf(random(32))
  const genesis: Genesis = {
    chainId: `trouble-${toHex(random(4))}`,
    startTime: systemEnv.now(),
    initialHeight: 1,
    proposerAddress: key.address,
    daStartHeight: 0,
    daEpochForcedInclusion: 50,
  }
  const shared = { env: systemEnv, logger: noopLogger, metrics: noopMetrics }
  const stops: (() => Promise<void>)[] = []
  let daKv = createMemoryKv()
  let port = 0
  let homes = 0

  function makeDa(): LocalDa {
    return createLocalDa(
      { ...shared, kv: daKv },
      { port, blockTime: daBlockTime, failRate, fault: (method, params) => network.fault?.(method, params) },
    )
  }

  function home(): string {
    return mkdtempSync(join(root, `home-${homes++}-`))
  }

  await daKv.start()
  let da = makeDa()
  await da.start()
  port = Number(new URL(da.address).port)
  const { address } = da
  const stranger = createDaClient(shared, {
    ...CLIENT,
    address,
    requestTimeout: 60_000,
    maxBodyBytes: 128 * 1024 * 1024,
  })
  await stranger.start()

  async function makeNode(
    {
      kv = createLevelKv({ path: join(home(), 'db') }),
      peers = [],
      da: withDa = true,
      client,
      pruning,
      wrap = (it) => it,
    }: NetworkNodeOptions,
    own: NetworkAggregatorOptions | undefined,
  ): Promise<NetworkNode> {
    const recorder = createRecorder()
    const { logger, logged } = listening(recorder)
    const reads: { height: number; namespace: string }[] = []
    const executors: EntryExecutor[] = []
    const ledger =
      own === undefined
        ? undefined
        : createFileLedger({ path: join(home(), 'ledger'), keyFingerprint: key.address })
    const node = createFullNode(
      {
        genesis,
        nodeKey: generateNodeKey(random),
        kv,
        executor: (part) => {
          const executor = createKvExecutor({ kv: part })
          executors.push(executor)
          return executor
        },
        env: systemEnv,
        logger,
        metrics: recorder.metrics,
        ...(withDa
          ? {
              da: counting(
                wrap(
                  createDaClient(
                    { env: systemEnv, logger, metrics: recorder.metrics },
                    { ...CLIENT, address, ...client },
                  ),
                ),
                reads,
              ),
            }
          : {}),
        ...(ledger === undefined ? {} : { key: { signer: signerOfKey(key), ledger } }),
      },
      {
        listen: ['/ip4/127.0.0.1/tcp/0'],
        peers: [...peers],
        discovery: false,
        blockTime,
        da: {
          namespace: NAMES.header,
          dataNamespace: NAMES.data,
          blockTime: daBlockTime,
          ...(own?.submit === undefined ? {} : { submit: own.submit }),
        },
        ...(own?.aggregator === undefined ? {} : { aggregator: own.aggregator }),
        ...(pruning === undefined ? {} : { pruning }),
      },
    )
    const [executor] = executors
    if (executor === undefined) throw new Error('a node makes its executor at once')
    if (own !== undefined && own.busy !== false) {
      node.onBlock(({ height }) => {
        if (height % 2 === 0) void executor.submitTx(utf8(`key ${height % 40}=value ${height}`))
      })
    }
    await node.start()
    stops.push(async () => await node.stop())
    return {
      node,
      executor,
      recorder,
      ledger,
      reads,
      logged,
      executed: async (height) =>
        await reached(node, height, {
          now: () => node.status().height,
          on: (tell) => node.onBlock((b) => tell(b.height)),
        }),
      final: async (height) =>
        await reached(node, height, {
          now: () => node.status().finalHeight,
          on: (tell) => node.onFinal(tell),
        }),
      async rootAt(height) {
        const state = await node.blocks.stateAt(height)
        if (state === undefined) throw new Error(`no state after height ${height}`)
        return toHex(state.appHash)
      },
    }
  }

  const network: DaNetwork = {
    genesis,
    key,
    fault: undefined,
    get da() {
      return da
    },
    async daDown() {
      await da.stop()
    },
    async daUp({ anew = false } = {}) {
      if (anew) {
        daKv = createMemoryKv()
        await daKv.start()
      }
      da = makeDa()
      await da.start()
    },
    aggregator: async (own = {}) => await makeNode(own, own),
    follower: async (how = {}) => await makeNode(how, undefined),
    stranger,
    async post(kind, bytes) {
      const blobs = bytes.map((one) => createBlob(DA_NAMESPACES[kind], one))
      return await stranger.submit(blobs, { signal: never, submit: AS_STRANGER })
    },
    async posted() {
      const headers: PostedHalf[] = []
      const data: PostedHalf[] = []
      const { height: newest } = da
      const read = async (daHeight: number, kind: keyof typeof DA_NAMESPACES): Promise<Found[]> => {
        const blobs = await stranger.getAll(daHeight, [DA_NAMESPACES[kind]], { signal: never })
        return blobs.map((blob) => decodeFound(blob.data, blob.data.length))
      }
      for (let daHeight = 1; daHeight <= newest; daHeight++) {
        for (const one of await read(daHeight, 'header')) {
          if (one.kind !== 'header' || !isValid(() => validateEnvelope(one.found))) continue
          const { header } = one.found.header
          if (!equalBytes(header.proposerAddress, key.address)) continue
          headers.push({ height: header.height, hash: toHex(headerHash(header)), daHeight })
        }
        for (const one of await read(daHeight, 'data')) {
          if (one.kind !== 'data' || !equalBytes(one.found.signer.address, key.address)) continue
          if (!isValid(() => validateSignedData(decodeSignedData(one.found.bytes)))) continue
          data.push({ height: one.found.height, hash: toHex(one.found.commitment), daHeight })
        }
      }
      return { headers, data }
    },
    async stop() {
      network.fault = undefined
      for (const stop of stops.splice(0).toReversed()) await stop()
      await stranger.stop()
      await da.stop()
      await daKv.stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
  return network
}

function isValid(check: () => void): boolean {
  try {
    check()
    return true
  } catch {
    return false
  }
}

/** A client whose every second call reaches a DA node that is some heights behind `newest`. */
export function laggingPool(behind: number, newest: () => number): (client: DaClient) => DaClient {
  return (client) => {
    let calls = 0
    const late = (height: number): boolean => calls++ % 2 === 1 && height > newest() - behind
    const fromFuture = (height: number): Error =>
      new EvolveError('DA_FROM_FUTURE', `height ${height} is from the future`, { verdict: 'retry' })
    return {
      ...forwarding(client),
      get reachable() {
        return client.reachable
      },
      async getAll(height, namespaces, how) {
        if (late(height)) throw fromFuture(height)
        return await client.getAll(height, namespaces, how)
      },
      async header(height, how) {
        if (late(height)) throw fromFuture(height)
        return await client.header(height, how)
      },
      async head(how) {
        const head = await client.head(how)
        return late(head.height) ? { ...head, height: Math.max(1, head.height - behind) } : head
      },
    }
  }
}

function forwarding(client: DaClient): DaClient {
  return {
    get reachable() {
      return client.reachable
    },
    start: async (how) => await client.start(how),
    stop: async () => await client.stop(),
    submit: async (blobs, how) => await client.submit(blobs, how),
    getAll: async (height, namespaces, how) => await client.getAll(height, namespaces, how),
    header: async (height, how) => await client.header(height, how),
    head: async (how) => await client.head(how),
    subscribe: (namespace, how) => client.subscribe(namespace, how),
  }
}

/** A client that notes what is read. */
function counting(client: DaClient, reads: { height: number; namespace: string }[]): DaClient {
  return {
    ...forwarding(client),
    get reachable() {
      return client.reachable
    },
    async getAll(height, namespaces, how) {
      for (const namespace of namespaces) reads.push({ height, namespace: toHex(namespace) })
      return await client.getAll(height, namespaces, how)
    },
  }
}

/** The recorder's logger, with a way to wait for a line. */
function listening(recorder: Recorder): {
  readonly logger: Recorder['logger']
  readonly logged: NetworkNode['logged']
} {
  const waiting = new Set<() => void>()
  const verbose = process.env['DA_TROUBLE_LOG'] !== undefined
  const tell =
    (level: 'trace' | 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: LogFields): void => {
      recorder.logger[level](message, fields)
      if (verbose) console.log(level, message, fields)
      for (const look of waiting) look()
    }
  const logger: Recorder['logger'] = {
    trace: tell('trace'),
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
    child: () => logger,
  }
  return {
    logger,
    async logged(line, times = 1) {
      const there = deferred<void>()
      const look = (): void => {
        if (recorder.times(line) >= times) there.resolve()
      }
      waiting.add(look)
      look()
      await there.promise
      waiting.delete(look)
    },
  }
}
