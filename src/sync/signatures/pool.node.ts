/*
 * Threads that check signatures. They start with the first batch and end when there was none for a while: a node that
 * has caught up does not carry them along.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { CancelTimer, Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { SignatureChecker } from '../../core/signatures.ts'
import { createSerial, type Deferred, deferred } from '../../util/async.ts'

/** Options of {@link createSignaturePool}; defaults in brackets. */
export interface SignaturePoolOptions {
  /** Threads [one fewer than there are cores, from 1 to 8]. */
  readonly threads?: number
  /** Milliseconds without a batch after which the threads end [10,000]. */
  readonly idleAfter?: number
}

/** A thread, and the batches it has not answered. */
interface Thread {
  readonly worker: Worker
  readonly ended: Promise<unknown>
  readonly waiting: Map<number, { readonly size: number; readonly answer: Deferred<Uint8Array> }>
}

/** MiB of each thread's heap; the batches lie outside of it. */
const HEAP = { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 }
// Built, the file beside this one has the other ending.
const SCRIPT = new URL(`./worker.node.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)

/**
 * Makes a {@link SignatureChecker} of threads. Where a thread cannot start or dies, its batches are answered with zeros
 * and a warning, and the next batch starts another one.
 */
export function createSignaturePool(
  { env, logger: parent }: { readonly env: Env; readonly logger: Logger },
  { threads = defaultThreads(), idleAfter = 10_000 }: SignaturePoolOptions = {},
): SignatureChecker {
  const logger = parent.child({ component: 'signatures' })
  const serial = createSerial()
  const pool = new Set<Thread>()
  let running = false
  let nextId = 0
  let cancelIdle: CancelTimer = () => {}

  function begin(): Thread {
    const worker = new Worker(SCRIPT, { execArgv: [], resourceLimits: HEAP })
    // What it does is waited for; that it is there keeps no process alive.
    worker.unref()
    const { promise: ended, resolve } = deferred<void>()
    const thread: Thread = { worker, ended, waiting: new Map() }
    worker.on('message', ({ id, results }: { readonly id: number; readonly results: Uint8Array }) => {
      const asked = thread.waiting.get(id)
      thread.waiting.delete(id)
      if (thread.waiting.size === 0) worker.unref()
      asked?.answer.resolve(results)
    })
    worker.on('error', (error: unknown) => logger.warn('a thread that checks signatures failed', { error }))
    worker.once('exit', () => {
      pool.delete(thread)
      for (const { size, answer } of thread.waiting.values()) answer.resolve(new Uint8Array(size))
      thread.waiting.clear()
      resolve()
    })
    pool.add(thread)
    return thread
  }

  /** The one with the least to do; a new one while all have something to do and there may be more. */
  function choose(): Thread | undefined {
    let best: Thread | undefined
    for (const thread of pool)
      if (best === undefined || thread.waiting.size < best.waiting.size) best = thread
    if (best !== undefined && (best.waiting.size === 0 || pool.size >= threads)) return best
    try {
      return begin()
    } catch (error) {
      logger.warn('a thread that checks signatures cannot start', { error })
      return best
    }
  }

  async function end(): Promise<void> {
    cancelIdle()
    const ending = [...pool]
    pool.clear()
    await Promise.all(ending.map(async ({ worker }) => await worker.terminate()))
    await Promise.all(ending.map(async ({ ended }) => await ended))
  }

  function watchIdle(): void {
    cancelIdle()
    cancelIdle = env.timer(
      idleAfter,
      () => {
        if ([...pool].some(({ waiting }) => waiting.size > 0)) watchIdle()
        else {
          const ended = end()
          // Whoever stops it meanwhile waits for these threads too.
          void serial.run(async () => await ended)
        }
      },
      { background: true },
    )
  }

  return {
    async start() {
      // In its turn: a stop that was asked for before must not end what was started after.
      await serial.run(async () => {
        running = true
      })
    },
    async stop() {
      await serial.run(async () => {
        running = false
        await end()
      })
    },
    async check(batch) {
      const { size } = batch
      if (!running || size === 0) return new Uint8Array(size)
      const thread = choose()
      if (thread === undefined) return new Uint8Array(size)
      const id = nextId++
      const answer = deferred<Uint8Array>()
      thread.waiting.set(id, { size, answer })
      thread.worker.ref()
      const bytes = batch.finish()
      thread.worker.postMessage({ id, size, bytes }, [bytes.buffer])
      watchIdle()
      return await answer.promise
    },
  }
}

function defaultThreads(): number {
  return Math.min(Math.max(availableParallelism() - 1, 1), 8)
}
