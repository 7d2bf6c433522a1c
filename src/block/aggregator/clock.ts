/*
 * When the next block is due, and what time it bears. Waiting goes by the monotonic clock, so that a step of the wall
 * clock neither stops nor hurries anything; the time in a header never goes back.
 */
import { type Env, giveWay, wakeOrTimeout } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import { createWake } from '../../util/async.ts'

/** When blocks are due. Milliseconds. */
export interface BlockClockOptions {
  readonly blockTime: number
  readonly lazyMode: boolean
  readonly lazyBlockInterval: number
  /** Whether transactions wait. Whoever gives some calls {@link BlockClock.wake}. */
  readonly txsWait: () => boolean
}

/** Tells when the next block is due. For one waiter. */
export interface BlockClock {
  /** Begins to count: the last block was made `sinceLast` milliseconds ago. */
  begin(sinceLast: number): void
  /**
   * Resolves when the next block is due, after the event loop had a turn. In normal mode that is one block time after
   * the last was. In lazy mode it is the first beat of the block time after transactions came, at the latest
   * `lazyBlockInterval` after the last block. Who comes late by less than a block time, or than {@link MAKE_GOOD},
   * makes it good with the next blocks, by more does not.
   */
  wait(options: { readonly signal: AbortSignal }): Promise<void>
  /** Resolves at the next {@link BlockClock.wake}. */
  waitForWake(options: { readonly signal: AbortSignal }): Promise<void>
  /** Something that was waited for may have happened. */
  wake(): void
}

/**
 * Milliseconds of lateness that are made good however short the block time is: what the machine does besides, reading
 * DA or collecting garbage, takes tens of them now and then.
 */
const MAKE_GOOD = 200

/** Makes a {@link BlockClock}. */
export function createBlockClock({ env }: { readonly env: Env }, options: BlockClockOptions): BlockClock {
  const { blockTime, lazyMode, txsWait } = options
  const longest = lazyMode ? Math.max(options.lazyBlockInterval, blockTime) : blockTime
  const bell = createWake()
  let last = 0

  /** The first beat at or after `now`, and at least one after the last block. */
  function beatAfter(now: number): number {
    if (blockTime === 0) return Math.max(now, last)
    return last + Math.max(1, Math.ceil((now - last) / blockTime)) * blockTime
  }

  return {
    begin(sinceLast) {
      last = env.monotonic() - Math.min(Math.max(sinceLast, 0), longest)
    },
    async wait({ signal }) {
      let beat: number | undefined
      let slept = false
      for (;;) {
        const now = env.monotonic()
        if (beat === undefined && lazyMode && txsWait()) beat = beatAfter(now)
        const due = Math.min(beat ?? Infinity, last + longest)
        if (now >= due) {
          if (!slept) await giveWay(env, signal)
          last = now - due < Math.max(blockTime, MAKE_GOOD) ? due : now
          return
        }
        await wakeOrTimeout(env, bell, due - now, signal)
        slept = true
      }
    },
    async waitForWake({ signal }) {
      await bell.wait(signal)
    },
    wake: () => bell.wake(),
  }
}

/** Gives blocks their times. */
export interface BlockTimes {
  /** The time of the block after one of time `last`, both in unix nanoseconds: now, but later than `last`. */
  after(last: bigint): bigint
}

/** Nanoseconds by which the wall clock may lie behind the last block before it is worth a warning. */
const BEHIND = 5_000_000_000n

/** Makes {@link BlockTimes}. */
export function createBlockTimes({
  env,
  logger,
}: {
  readonly env: Env
  readonly logger: Logger
}): BlockTimes {
  let warned = false
  return {
    after(last) {
      const now = env.now()
      if (now > last) {
        warned = false
        return now
      }
      if (!warned && last - now > BEHIND) {
        warned = true
        logger.warn('the clock is behind the last block; block times stand still until it has caught up', {
          milliseconds: Number((last - now) / 1_000_000n),
        })
      }
      return last + 1n
    },
  }
}
