import type { Env } from '../../src/core/env.ts'

/** An {@link Env} whose time stands still until the test moves it. */
export interface VirtualEnv {
  readonly env: Env
  /** Moves time, firing due timers in order and letting promises settle after each. */
  readonly advance: (ms: number) => Promise<void>
  /** Lets pending promises settle without moving time. */
  readonly settle: () => Promise<void>
  /** Pending timers. */
  readonly timers: number
}

/** Makes a {@link VirtualEnv} that starts at `start` (unix nanoseconds). */
export function createVirtualEnv(start: bigint = 1_700_000_000_000_000_000n): VirtualEnv {
  let elapsed = 0
  let sequence = 0
  let seed = 0x9e3779b9
  const pending = new Map<number, { at: number; fire: () => void }>()
  const settle = async (): Promise<void> => {
    for (let round = 0; round < 5; round++) await new Promise<void>((resolve) => setImmediate(resolve))
  }
  const due = (until: number): [number, { at: number; fire: () => void }] | undefined => {
    let found: [number, { at: number; fire: () => void }] | undefined
    for (const entry of pending)
      if (entry[1].at <= until && (found === undefined || entry[1].at < found[1].at)) found = entry
    return found
  }
  const timer: Env['timer'] = (ms, fire) => {
    const id = sequence++
    pending.set(id, { at: elapsed + ms, fire })
    return () => pending.delete(id)
  }
  return {
    env: {
      now: () => start + BigInt(Math.round(elapsed * 1e6)),
      monotonic: () => elapsed,
      timer,
      // It takes a millisecond, so that who only ever gives way does not stop the clock.
      soon: (fire) => timer(1, fire),
      random() {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
        return seed / 2 ** 32
      },
    },
    async advance(ms) {
      const until = elapsed + ms
      await settle()
      for (let next = due(until); next !== undefined; next = due(until)) {
        pending.delete(next[0])
        elapsed = Math.max(elapsed, next[1].at)
        next[1].fire()
        await settle()
      }
      elapsed = until
      await settle()
    },
    settle,
    get timers() {
      return pending.size
    },
  }
}
