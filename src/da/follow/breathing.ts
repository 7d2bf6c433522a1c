import { type Env, sleep } from '../../core/env.ts'

/** Milliseconds of work in one go: gossip and RPC wait that long at most. */
const SLICE = 10

/** Makes a function to be awaited between pieces of work: it lets others run after so much of it. */
export function createBreathing(env: Env, signal: AbortSignal): () => Promise<void> {
  let since = env.monotonic()
  return async () => {
    if (env.monotonic() - since < SLICE) return
    await sleep(env, 0, signal)
    since = env.monotonic()
  }
}
