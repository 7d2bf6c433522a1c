import { type Env, sleep } from './env.ts'

/** Milliseconds of work in one go: gossip and RPC wait that long at most. */
const SLICE = 10

/** Gives way to others after so much work. Only work counts, not the waiting between its parts. */
export interface Breathing {
  /** Work begins, or goes on after a wait. */
  begin(): void
  /** Whether there was enough work since the last pause. */
  due(): boolean
  /** Lets others run. */
  pause(signal: AbortSignal): Promise<void>
}

/** Makes a {@link Breathing}. */
export function createBreathing(env: Env): Breathing {
  let worked = 0
  let mark = env.monotonic()
  return {
    begin() {
      mark = env.monotonic()
    },
    due() {
      const now = env.monotonic()
      worked += now - mark
      mark = now
      return worked >= SLICE
    },
    async pause(signal) {
      await sleep(env, 0, signal)
      worked = 0
      mark = env.monotonic()
    },
  }
}
