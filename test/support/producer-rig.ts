/*
 * A producer over real store, executor and queue, in a world that outlives it: what is durable, what was signed, what
 * peers have seen. Every call that changes something passes a gate, where a test may break it.
 */
import type { ProducerOptions } from '../../src/block/aggregator/options.ts'
import { createProducer, type Producer } from '../../src/block/aggregator/producer.ts'
import type { Block, BlockStore } from '../../src/core/block-store.ts'
import type { Env } from '../../src/core/env.ts'
import type { Executor } from '../../src/core/executor.ts'
import type { Kv } from '../../src/core/kv.ts'
import { createProposers } from '../../src/core/proposers.ts'
import type { Sequencer } from '../../src/core/sequencer.ts'
import type { LedgerEntry, Signer, SignLedger } from '../../src/core/signer.ts'
import type { EntryExecutor } from '../../src/execution/entry-executor.ts'
import { createKvExecutor } from '../../src/execution/kv-executor.ts'
import { createSingleSequencer } from '../../src/sequencer/single.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { createHeldKv } from '../../src/store/held-kv.ts'
import { KEYS } from '../../src/store/keys.ts'
import { subKv } from '../../src/store/sub-kv.ts'
import { decodeHeader, encodeData, encodeSignedHeader } from '../../src/types/codec.ts'
import type { Genesis } from '../../src/types/genesis.ts'
import { headerHash, signerOfSeed } from '../../src/types/header.ts'
import { equalBytes, toHex } from '../../src/util/bytes.ts'
import { ed25519PublicKey, signEd25519 } from '../../src/util/crypto.node.ts'
import { EvolveError } from '../../src/util/errors.ts'
import { addressOf, SEEDS } from './executed-chain.ts'
import { createPowerKv, type PowerKv } from './power-kv.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { createVirtualEnv, type VirtualEnv } from './virtual-env.ts'

/** What outlives a process, and what the outside has seen of it. */
export interface World {
  readonly genesis: Genesis
  readonly seed: Uint8Array
  disk: PowerKv
  /** What the ledger keeps. */
  ledger: LedgerEntry | undefined
  /** Height of the header store. */
  headerHeight: number
  /** Unix nanoseconds at which the next life begins. */
  now: bigint
  /** Hashes of the headers that were signed, by height. */
  readonly signed: Map<number, Set<string>>
  /** Bytes of the blocks that peers were given, by height. */
  readonly published: Map<number, string>
  /** Rules that were broken, in words. Must stay empty. */
  readonly misuses: string[]
}

/** Time of genesis in a {@link World}, unless said otherwise. */
export const GENESIS_TIME = 1_700_000_000_000_000_000n

/** Makes a {@link World} in which nothing has happened yet. */
export function createWorld(
  options: { readonly initialHeight?: number; readonly startTime?: bigint } = {},
): World {
  const { initialHeight = 1, startTime = GENESIS_TIME } = options
  return {
    genesis: {
      chainId: 'produced-chain',
      startTime,
      initialHeight,
      proposerAddress: addressOf(SEEDS.first),
      daStartHeight: 0,
      daEpochForcedInclusion: 50,
    },
    seed: SEEDS.first,
    disk: createPowerKv(),
    ledger: undefined,
    headerHeight: initialHeight - 1,
    now: GENESIS_TIME,
    signed: new Map(),
    published: new Map(),
    misuses: [],
  }
}

/** How a call is broken: it fails, or the process ends; before it had its effect, or right after. */
export interface Fault {
  readonly kind: 'fail' | 'die'
  readonly when: 'before' | 'after'
}

/** Calls that pass the gate. */
export type GatedCall = 'batch' | 'reserve' | 'sign' | 'publish' | 'execute'

/** A process: from its start until it is stopped, or dies. */
export interface Life {
  readonly world: World
  /** The database, through the gate. */
  readonly kv: Kv
  readonly producer: Producer
  readonly blockStore: BlockStore
  readonly executor: EntryExecutor
  readonly sequencer: Sequencer
  readonly time: VirtualEnv
  readonly recorder: Recorder
  /** The critical error, once there is one. */
  readonly failure: EvolveError | undefined
  readonly dead: boolean
  /** Calls that passed the gate. */
  readonly calls: readonly GatedCall[]
  /** Asked before each gated call, with its number from 0. */
  fault: ((call: GatedCall, index: number) => Fault | undefined) | undefined
  /** Called before each gated call has its effect: may wait, or throw. */
  hold: ((call: GatedCall) => Promise<void> | void) | undefined
  /** Steps the wall clock by milliseconds; the monotonic clock stays as it is. */
  step(ms: number): void
  /** How many blocks wait for DA. */
  pendingDa: number
  /** Submits `key=value` for each text. */
  submit(...texts: readonly string[]): Promise<void>
  /** The blocks of the chain in order. */
  chain(): Promise<Block[]>
  /** Stops what runs, and lets the world go on from here. */
  stop(): Promise<void>
}

/** What a {@link Life} begins with. */
export interface LifeOptions extends Partial<ProducerOptions> {
  /** Called before the producer starts. */
  readonly prepare?: (life: Life) => Promise<void> | void
  /** Stands between producer and executor. */
  readonly executor?: (executor: EntryExecutor) => Executor
  readonly signer?: (signer: Signer) => Signer
  readonly committed?: (txs: readonly Uint8Array[]) => void
  /** Whether the executor's writes go into the batch of the block [false]. */
  readonly held?: boolean
  /** In place of a clock in the hand of the test. */
  readonly env?: Env
}

/** Begins a {@link Life} in a world. Rejects as the producer's `start` does. */
export async function beginLife(world: World, options: LifeOptions = {}): Promise<Life> {
  const time = createVirtualEnv(world.now)
  const recorder = createRecorder()
  const calls: GatedCall[] = []
  let dead = false
  let stepped = 0n
  let failure: EvolveError | undefined

  const silence = async (): Promise<never> => await Promise.withResolvers<never>().promise
  async function gate<T>(call: GatedCall, effect: () => Promise<T>): Promise<T> {
    if (dead) return await silence()
    const fault = life.fault?.(call, calls.length)
    calls.push(call)
    const strike = async (): Promise<never> => {
      if (fault?.kind === 'fail') {
        throw new EvolveError('STORE_IO', `${call} fails`, { verdict: 'retry' })
      }
      dead = true
      return await silence()
    }
    if (fault?.when === 'before') return await strike()
    await life.hold?.(call)
    const result = await effect()
    if (fault?.when === 'after') return await strike()
    return dead ? await silence() : result
  }

  const { disk, genesis } = world
  const kv: Kv = {
    start: async (startOptions) => await disk.start(startOptions),
    stop: async () => await disk.stop(),
    get: async (key) => await disk.get(key),
    getMany: async (keys) => await disk.getMany(keys),
    range: (range) => disk.range(range),
    keys: (range) => disk.keys(range),
    batch: async (ops, batchOptions) => await gate('batch', async () => await disk.batch(ops, batchOptions)),
  }
  const blockStore = createBlockStore({ kv })
  const executorPart = subKv(kv, Uint8Array.of(KEYS.executor))
  const executorWrites = options.held === true ? createHeldKv(executorPart) : undefined
  const kvExecutor = createKvExecutor({ kv: executorWrites ?? executorPart })
  const executor = options.executor?.(kvExecutor) ?? kvExecutor
  const signer = ownSigner(world, gate)
  const { logger, metrics } = recorder
  const env = options.env ?? { ...time.env, now: () => time.env.now() + stepped }
  const queue = { kv: subKv(kv, Uint8Array.of(KEYS.queue)), env, logger, metrics }
  const sequencer = createSingleSequencer(queue)
  const producer = createProducer(
    {
      blockStore,
      executor: gatedExecutor(executor, gate),
      executorWrites,
      proposers: createProposers(genesis.initialHeight, genesis.proposerAddress),
      genesis,
      sequencer,
      signer: options.signer?.(signer) ?? signer,
      ledger: ownLedger(world, gate),
      kv: subKv(kv, Uint8Array.of(KEYS.producer)),
      publish: async (blocks) =>
        await gate('publish', async () => {
          for (const block of blocks) await publish(world, blockStore, block)
        }),
      storedHeaderHeight: () => world.headerHeight,
      pendingDa: () => life.pendingDa,
      ...(options.committed && { committed: options.committed }),
      env,
      logger,
      metrics,
    },
    { blockTime: 1_000, ...options },
  )
  const watch = async (): Promise<void> => {
    failure = await producer.failed
  }
  void watch()

  const life: Life = {
    world,
    kv,
    producer,
    blockStore,
    executor: kvExecutor,
    sequencer,
    time,
    recorder,
    get failure() {
      return failure
    },
    get dead() {
      return dead
    },
    calls,
    fault: undefined,
    hold: undefined,
    step(ms) {
      stepped += BigInt(ms) * 1_000_000n
    },
    pendingDa: 0,
    async submit(...texts) {
      const { signal } = new AbortController()
      await sequencer.submit(
        texts.map((text) => new TextEncoder().encode(text)),
        { signal },
      )
    },
    async chain() {
      const blocks: Block[] = []
      for (let height = genesis.initialHeight; height <= (await blockStore.height()); height++) {
        const block = await blockStore.block(height)
        if (block !== undefined) blocks.push(block)
      }
      return blocks
    },
    async stop() {
      const stopped = producer.stop()
      await time.advance(10_000)
      await stopped
      await sequencer.stop()
      await blockStore.stop()
      await kv.stop()
      world.now = env.now()
    },
  }
  await kv.start()
  await blockStore.start()
  await sequencer.start()
  await options.prepare?.(life)
  await producer.start()
  await time.settle()
  return life
}

type Gate = <T>(call: GatedCall, effect: () => Promise<T>) => Promise<T>

function ownLedger(world: World, gate: Gate): SignLedger {
  return {
    async start() {},
    async stop() {},
    get last() {
      return world.ledger
    },
    async reserve(height, hash) {
      await gate('reserve', async () => {
        const { ledger: last } = world
        const taken =
          last !== undefined &&
          (height < last.height || (height === last.height && !equalBytes(hash, last.hash)))
        if (taken) throw new EvolveError('ALREADY_SIGNED', `${height}`, { verdict: 'halt' })
        world.ledger = { height, hash }
      })
    },
  }
}

function ownSigner(world: World, gate: Gate): Signer {
  const { address } = signerOfSeed(world.seed)
  return {
    publicKey: ed25519PublicKey(world.seed),
    address,
    async sign(message) {
      return await gate('sign', async () => {
        const header = decodeHeader(message)
        const hash = headerHash(header)
        if (world.ledger?.height !== header.height || !equalBytes(world.ledger.hash, hash)) {
          world.misuses.push(`header ${header.height} was signed and is not in the ledger`)
        }
        const before = world.signed.get(header.height) ?? new Set()
        world.signed.set(header.height, before.add(toHex(hash)))
        return signEd25519(world.seed, message)
      })
    },
  }
}

function gatedExecutor(executor: Executor, gate: Gate): Executor {
  return {
    initChain: executor.initChain.bind(executor),
    getTxs: executor.getTxs.bind(executor),
    executeTxs: async (request, options) =>
      await gate('execute', async () => await executor.executeTxs(request, options)),
    setFinal: executor.setFinal.bind(executor),
    getExecutionInfo: executor.getExecutionInfo.bind(executor),
    filterTxs: executor.filterTxs.bind(executor),
    ...(executor.latestHeight && { latestHeight: executor.latestHeight.bind(executor) }),
    ...(executor.rollback && { rollback: executor.rollback.bind(executor) }),
  }
}

/** Gives peers a block, and what they lack below it. */
async function publish(world: World, blockStore: BlockStore, block: Block): Promise<void> {
  const { height } = block.header.header
  for (let next = Math.min(world.headerHeight + 1, height); next < height; next++) {
    const below = await blockStore.block(next)
    if (below !== undefined) show(world, below)
  }
  show(world, block)
}

function show(world: World, { header, data }: Block): void {
  const { height } = header.header
  const bytes = toHex(encodeSignedHeader(header)) + toHex(encodeData(data))
  const before = world.published.get(height)
  if (before !== undefined && before !== bytes) world.misuses.push(`two blocks of height ${height} published`)
  world.published.set(height, bytes)
  world.headerHeight = Math.max(world.headerHeight, height)
}
