import type { Wake } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'

/** Ends a timer; safe to call twice and after it fired. */
export type CancelTimer = () => void

/**
 * Time, timers and chance. Everything that waits or measures takes one, so that whole nodes run under a virtual
 * clock in tests.
 */
export interface Env {
  /** Wall clock in unix nanoseconds. May step. */
  now(): bigint
  /** Milliseconds since some fixed moment; never steps back. */
  monotonic(): number
  /** Calls `fire` once after `ms` milliseconds. A pending timer keeps the process alive unless `background` is set. */
  timer(ms: number, fire: () => void, options?: { readonly background?: boolean }): CancelTimer
  /** Calls `fire` once everybody else had a turn: input and output that is ready comes first. */
  soon(fire: () => void): CancelTimer
  /** A number in [0, 1). Not for secrets. */
  random(): number
}

/** Milliseconds; what is longer than this setTimeout takes for 1. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

/** The real clock, timers and chance of this process. */
export const systemEnv: Env = {
  now: () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n,
  monotonic: () => performance.now(),
  timer(ms, fire, options) {
    let rest = ms
    let handle: (ReturnType<typeof setTimeout> & { unref?: () => void }) | undefined
    const arm = (): void => {
      const step = Math.min(rest, LONGEST_TIMEOUT)
      rest -= step
      handle = setTimeout(() => (rest > 0 ? arm() : fire()), step)
      if (options?.background === true) handle.unref?.()
    }
    arm()
    return () => clearTimeout(handle)
  },
  soon,
  random: () => Math.random(),
}

/** Browsers have nothing shorter than a timer. */
function soon(fire: () => void): CancelTimer {
  if (typeof setImmediate !== 'function') return systemEnv.timer(0, fire)
  const handle = setImmediate(fire)
  return () => clearImmediate(handle)
}

/** Resolves when everybody else had a turn, or rejects with the signal's reason when it is aborted then. */
export async function giveWay(env: Env, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const { promise, resolve } = Promise.withResolvers<void>()
  env.soon(resolve)
  await promise
  signal.throwIfAborted()
}

/** Resolves after `ms` milliseconds, or rejects with the signal's reason when it aborts. */
export async function sleep(env: Env, ms: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const cancel = env.timer(ms, resolve)
  const onAbort = (): void => reject(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await promise
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

/** Resolves at the next wake, or after `ms` milliseconds; rejects when the signal aborts. */
export async function wakeOrTimeout(env: Env, wake: Wake, ms: number, signal: AbortSignal): Promise<void> {
  const cancel = env.timer(ms, () => wake.wake())
  try {
    await wake.wait(signal)
  } finally {
    cancel()
  }
}

/**
 * Runs `task` with a signal that aborts with `TIMEOUT` after `ms` milliseconds, or when `signal` does.
 * The result is awaited only as long as that signal lives, whether or not the task heeds it.
 */
export async function withTimeout<T>(
  env: Env,
  ms: number,
  signal: AbortSignal | undefined,
  what: string,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const controller = new AbortController()
  const { promise: over, reject } = Promise.withResolvers<never>()
  const end = (reason: unknown): void => {
    controller.abort(reason)
    reject(reason)
  }
  const cancel = env.timer(ms, () =>
    end(new EvolveError('TIMEOUT', `${what} took longer than ${ms} ms`, { verdict: 'retry' })),
  )
  const onAbort = (): void => end(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  try {
    return await Promise.race([task(controller.signal), over])
  } finally {
    cancel()
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Waiting times that double from `first` to `last` milliseconds. */
export interface Backoff {
  /** The next waiting time in milliseconds. */
  next(): number
  /** Starts again from `first`. */
  reset(): void
}

/** Makes a {@link Backoff}. */
export function createBackoff(first: number, last: number): Backoff {
  let current = first
  return {
    next() {
      const value = current
      current = Math.min(current * 2, last)
      return value
    },
    reset() {
      current = first
    },
  }
}
