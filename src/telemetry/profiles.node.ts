/*
 * Profiles of this process, taken with the engine's own tools. One session a profile: whatever happens while it is
 * taken, nothing goes on being measured afterwards.
 */
import { Session } from 'node:inspector/promises'
import { type Env, sleep } from '../core/env.ts'

/** How long to look, and when to give up. */
export interface ProfileOptions {
  readonly seconds: number
  readonly signal: AbortSignal
}

/** Microseconds between two samples of the CPU. */
const CPU_INTERVAL = 1_000

/** Bytes that are allocated between two samples of the heap. */
const HEAP_INTERVAL = 64 * 1024

/** What the main thread does, sampled: the JSON of a `.cpuprofile`. */
export async function cpuProfile(env: Env, { seconds, signal }: ProfileOptions): Promise<string> {
  using session = openSession()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: CPU_INTERVAL })
  await session.post('Profiler.start')
  await sleep(env, seconds * 1_000, signal)
  const { profile } = await session.post('Profiler.stop')
  return JSON.stringify(profile)
}

/**
 * Where memory is allocated from now on, sampled: the JSON of a `.heapprofile`. As a rule of what is still held at the
 * end; with `all` of what was let go meanwhile, too.
 */
export async function heapProfile(
  env: Env,
  { seconds, signal, all }: ProfileOptions & { readonly all: boolean },
): Promise<string> {
  using session = openSession()
  await session.post('HeapProfiler.startSampling', {
    samplingInterval: HEAP_INTERVAL,
    includeObjectsCollectedByMajorGC: all,
    includeObjectsCollectedByMinorGC: all,
  })
  await sleep(env, seconds * 1_000, signal)
  const { profile } = await session.post('HeapProfiler.stopSampling')
  return JSON.stringify(profile)
}

/** Disconnecting ends what the session has begun. */
function openSession(): Session & Disposable {
  const session = new Session()
  session.connect()
  return Object.assign(session, { [Symbol.dispose]: () => session.disconnect() })
}
