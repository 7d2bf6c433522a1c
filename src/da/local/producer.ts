/*
 * When blocks of the local DA are made, and what waits to be in the next one.
 */
import type { Blob } from '../../core/da.ts'
import type { CancelTimer, Env } from '../../core/env.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import { abortable, type Deferred, deferred } from '../../util/async.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import type { LocalBlock } from './block.ts'
import type { LocalChain } from './chain.ts'

/** Options of {@link createProducer}. */
export interface ProducerOptions {
  /** Milliseconds between blocks. 0: a block for each submission, at once. */
  readonly blockTime: number
  /** Most bytes of blobs that wait for a block. */
  readonly maxPendingBytes: number
}

/** Makes blocks, as long as it runs. */
export interface Producer extends Service {
  /**
   * Resolves with the height of the block that holds the blobs; with `swallow`, of the block that does not.
   * Aborting ends the waiting, not the submission. Rejects with `LOCAL_DA_BUSY` when too much waits,
   * `LOCAL_DA_STOPPED` when it stops first, or with why the block could not be kept.
   */
  submit(
    blobs: readonly Blob[],
    options: { readonly swallow?: boolean; readonly signal: AbortSignal },
  ): Promise<number>
  /** Makes a block of all that waits, now, also while paused. */
  produce(): Promise<LocalBlock>
  pause(): void
  resume(): void
  /** Bytes of blobs that wait. */
  readonly pendingBytes: number
}

interface Waiting {
  readonly blobs: readonly Blob[]
  readonly bytes: number
  readonly swallow: boolean
  readonly answer: Deferred<number>
}

/** Makes a {@link Producer}. */
export function createProducer(
  deps: { readonly env: Env; readonly logger: Logger; readonly chain: LocalChain },
  { blockTime, maxPendingBytes }: ProducerOptions,
): Producer {
  const { env, logger, chain } = deps
  let waiting: Waiting[] = []
  let running = false
  let paused = false
  let failing = false
  let cancel: CancelTimer | undefined
  let making: Promise<void> = Promise.resolve()

  const pendingBytes = (): number => waiting.reduce((sum, { bytes }) => sum + bytes, 0)

  const append = async (taken: readonly Waiting[]): Promise<LocalBlock> => {
    try {
      const block = await chain.append(taken.flatMap(({ blobs, swallow }) => (swallow ? [] : blobs)))
      if (failing) logger.info('local DA makes blocks again', { height: block.height })
      failing = false
      for (const { answer } of taken) answer.resolve(block.height)
      return block
    } catch (error) {
      for (const { answer } of taken) answer.reject(error)
      // Those who follow should see progress as long as there is room for empty blocks.
      if (taken.length > 0 && isEvolveError(error, 'LOCAL_DA_FULL')) return await append([])
      if (!failing) logger.error('local DA cannot make a block', { error })
      failing = true
      throw error
    }
  }
  /** Makes a block of the first `most` submissions. Who does not wait for it need not handle its failure. */
  const make = (most: number): Promise<LocalBlock> => {
    const taken = waiting.slice(0, most)
    waiting = waiting.slice(most)
    const made = append(taken)
    making = Promise.allSettled([making, made]).then(() => undefined)
    return made
  }
  const flush = (): void => {
    for (let left = waiting.length; left > 0; left--) void make(1)
  }
  const tick = async (due: number): Promise<void> => {
    if (!running) return
    if (!paused) void make(Infinity)
    // Blocks keep their rhythm; what a late timer has missed is not made up for.
    const next = Math.max(due + blockTime, env.monotonic())
    await making
    schedule(next)
  }
  const schedule = (due: number): void => {
    if (running) cancel = env.timer(Math.max(0, due - env.monotonic()), () => void tick(due))
  }
  return {
    async start() {
      if (running) return
      running = true
      if (blockTime > 0) schedule(env.monotonic() + blockTime)
    },
    async stop() {
      running = false
      cancel?.()
      const stopped = new EvolveError('LOCAL_DA_STOPPED', 'the local DA has stopped', { verdict: 'retry' })
      for (const { answer } of waiting) answer.reject(stopped)
      waiting = []
      await making
    },
    async submit(blobs, { swallow = false, signal }) {
      if (!running)
        throw new EvolveError('LOCAL_DA_STOPPED', 'the local DA does not run', { verdict: 'retry' })
      const bytes = blobs.reduce((sum, { data }) => sum + data.length, 0)
      if (pendingBytes() + bytes > maxPendingBytes) {
        throw new EvolveError(
          'LOCAL_DA_BUSY',
          `mempool is full: it takes ${maxPendingBytes} bytes and has ${pendingBytes()}, got ${bytes} more`,
          { verdict: 'retry' },
        )
      }
      const answer = deferred<number>()
      // Whoever asked may be gone when it settles.
      answer.promise.catch(() => undefined)
      waiting.push({ blobs, bytes, swallow, answer })
      if (blockTime === 0 && !paused) flush()
      return await abortable(answer.promise, signal)
    },
    produce: async () => await make(Infinity),
    pause() {
      paused = true
    },
    resume() {
      paused = false
      if (blockTime === 0 && running) flush()
    },
    get pendingBytes() {
      return pendingBytes()
    },
  }
}
