import type { Follower, FollowerOptions } from '../../src/block/follower/follower.ts'
import { createFollower } from '../../src/block/follower/syncer.ts'
import type { HeightEvent } from '../../src/core/block-source.ts'
import type { BlockStore } from '../../src/core/block-store.ts'
import type { Kv } from '../../src/core/kv.ts'
import type { Service } from '../../src/core/lifecycle.ts'
import { createProposers, type Proposers } from '../../src/core/proposers.ts'
import { createBlockStore } from '../../src/store/block-store.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { type EvolveError, isEvolveError } from '../../src/util/errors.ts'
import type { ExecutedChain } from './executed-chain.ts'
import { createFaultyKv, type FaultyKv } from './faulty-kv.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { createStrictExecutor, type StrictExecutor } from './strict-executor.ts'
import { createVirtualEnv, type VirtualEnv } from './virtual-env.ts'

/** A follower over a real block store, with an executor, a database and a clock in the hand of the test. */
export interface FollowerRig {
  readonly follower: Follower
  readonly blockStore: BlockStore & Service
  readonly executor: StrictExecutor
  readonly proposers: Proposers
  readonly kv: FaultyKv
  readonly time: VirtualEnv
  readonly recorder: Recorder
  /** The critical error, once there is one. */
  readonly failure: EvolveError | undefined
  /** Offers events one after the other and lets what follows from them happen. */
  offer(...events: readonly HeightEvent[]): Promise<void>
  stop(): Promise<void>
}

/** What a {@link FollowerRig} begins with. */
export interface RigOptions extends FollowerOptions {
  /** Database and executor of an earlier life. */
  readonly disk?: Kv
  readonly executor?: StrictExecutor
  /** The wall clock, unix nanoseconds. */
  readonly now?: bigint
  /** Called before the follower starts. */
  readonly prepare?: (rig: FollowerRig) => void
}

/** Starts a {@link FollowerRig} of a chain. */
export async function startRig(chain: ExecutedChain, options: RigOptions = {}): Promise<FollowerRig> {
  const { genesis } = chain
  const time = createVirtualEnv(options.now)
  const recorder = createRecorder()
  const kv = createFaultyKv(options.disk ?? createMemoryKv())
  const blockStore = createBlockStore({ kv })
  const { initialHeight } = genesis
  const executor =
    options.executor ?? createStrictExecutor({ initialHeight, proposerAfter: chain.proposerAfter })
  const proposers = createProposers(initialHeight, genesis.proposerAddress)
  const { logger, metrics } = recorder
  const follower = createFollower(
    { blockStore, executor, proposers, genesis, env: time.env, logger, metrics },
    options,
  )
  let failure: EvolveError | undefined
  const watch = async (): Promise<void> => {
    failure = await follower.failed
  }
  void watch()
  const signal = new AbortController().signal
  const rig: FollowerRig = {
    follower,
    blockStore,
    executor,
    proposers,
    kv,
    time,
    recorder,
    get failure() {
      return failure
    },
    async offer(...events) {
      for (const event of events) {
        try {
          await follower.offer(event, { signal })
        } catch (error) {
          if (!isEvolveError(error, 'FOLLOWER_STOPPED')) throw error
        }
      }
      await time.settle()
    },
    async stop() {
      const stopped = follower.stop()
      await time.advance(10_000)
      await stopped
      await blockStore.stop()
      await kv.stop()
    },
  }
  await kv.start()
  await blockStore.start()
  options.prepare?.(rig)
  await follower.start()
  await time.settle()
  return rig
}
