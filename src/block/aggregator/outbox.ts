/*
 * Saved blocks on their way to the peers. The next block is made meanwhile: that a block is out is no condition for
 * the one after it, only that it is saved.
 */
import type { Block } from '../../core/block-store.ts'
import { type Env, sleep } from '../../core/env.ts'
import { type Deferred, deferred } from '../../util/async.ts'
import { blockBytes } from '../block-bytes.ts'

/** Blocks, and their bytes, that may wait; those that wait together go out together. */
const MAX_BLOCKS = 64
const MAX_BYTES = 16 * 1024 * 1024

/** Milliseconds from one publication to the next: what comes meanwhile goes out together, for hardly more work. */
const GATHER = 5

/** Publishes blocks in the order they are given, behind whoever makes them. */
export interface Outbox {
  /** Whether all that was given is out. */
  readonly empty: boolean
  /** Takes a block; resolves when there is room for another, or nothing more goes out. */
  push(block: Block): Promise<void>
  /** Resolves when all that was given is out, or nothing more goes out. */
  idle(): Promise<void>
}

/**
 * Makes an {@link Outbox} over `publish`, which is never called while it runs. When that rejects nothing more goes out,
 * and `failed` is told. So it is when `signal` aborts.
 */
export function createOutbox(
  {
    env,
    publish,
    failed,
  }: {
    readonly env: Env
    readonly publish: (blocks: readonly Block[]) => Promise<void>
    readonly failed: (error: unknown) => void
  },
  { signal }: { readonly signal: AbortSignal },
): Outbox {
  let waiting: Block[] = []
  let bytes = 0
  let running: Promise<void> | undefined
  let room: Deferred<void> | undefined
  let over = false
  let last = -GATHER

  function takeAll(): readonly Block[] {
    const blocks = waiting
    waiting = []
    bytes = 0
    room?.resolve()
    room = undefined
    return blocks
  }

  async function drain(): Promise<void> {
    try {
      while (waiting.length > 0) {
        const rest = last + GATHER - env.monotonic()
        if (rest > 0) await sleep(env, rest, signal)
        last = env.monotonic()
        await publish(takeAll())
      }
    } catch (error) {
      over = true
      takeAll()
      failed(error)
    } finally {
      running = undefined
    }
  }

  return {
    get empty() {
      return running === undefined
    },
    async push(block) {
      if (over) return
      waiting.push(block)
      bytes += blockBytes(block)
      running ??= drain()
      if (waiting.length < MAX_BLOCKS && bytes < MAX_BYTES) return
      room ??= deferred<void>()
      await room.promise
    },
    async idle() {
      await running
    },
  }
}
