/*
 * What a test may ask to go wrong, and how a call comes to its end with it.
 */
import { type Env, sleep } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import { isEvolveError } from '../../util/errors.ts'
import { type Failure, failureOf } from './json-rpc.ts'
import type { Methods } from './methods.ts'
import type { Topic } from './subscriptions.ts'

/** What happens to a call. `delay` (milliseconds) comes before all else. */
export type Fault = { readonly delay?: number } & (
  | { readonly kind: 'none' }
  /** It fails with this text; the code is 1 when left out. */
  | { readonly kind: 'error'; readonly message: string; readonly code?: number }
  /** It is answered with this HTTP status and no JSON; a WebSocket is dropped. */
  | { readonly kind: 'status'; readonly status: number }
  /** The connection breaks; with `done`, after the call has had its effect. */
  | { readonly kind: 'drop'; readonly done?: boolean }
  /** No answer ever comes; with `done`, the call has had its effect. */
  | { readonly kind: 'silence'; readonly done?: boolean }
  /** A submission is carried out and answered with another height. */
  | { readonly kind: 'lie'; readonly height: number }
  /** A submission is answered with the height of the next block, and is in none. */
  | { readonly kind: 'swallow' }
)

/** The name under which a {@link FaultHook} is asked about the opening of a WebSocket, without parameters. */
export const CONNECT = 'websocket.connect'

/** Asked before each call; undefined lets it pass. */
export type FaultHook = (method: string, params: readonly unknown[]) => Fault | undefined

/** Options of {@link createCalls}. */
export interface FaultOptions {
  /** Milliseconds before each call is looked at, and up to so many more by chance. */
  readonly latency: { readonly fixed: number; readonly jitter: number }
  /** Part of the calls that fail, by chance: from 0 to 1. */
  readonly failRate: number
  readonly fault: FaultHook | undefined
}

/** How a call ends. */
export type Outcome =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'subscription'; readonly topic: Topic }
  | ({ readonly kind: 'failure' } & Failure)
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'drop' }
  | { readonly kind: 'silence' }

/** Carries out calls, whatever is to go wrong. Never rejects: also an abort is a failure. */
export interface Calls {
  call(method: string, params: readonly unknown[], signal: AbortSignal): Promise<Outcome>
  /** Whether a WebSocket may be opened: a value when it may. */
  connect(signal: AbortSignal): Promise<Outcome>
  /** Calls so far, and those that failed. */
  readonly counts: { readonly calls: number; readonly failures: number }
}

const NO_FAULT: Fault = { kind: 'none' }

/** Makes {@link Calls} to methods. */
export function createCalls(
  { env, logger, methods }: { readonly env: Env; readonly logger: Logger; readonly methods: Methods },
  { latency, failRate, fault }: FaultOptions,
): Calls {
  const counts = { calls: 0, failures: 0 }

  /** Waits, and says what is to happen. */
  const prepare = async (method: string, params: readonly unknown[], signal: AbortSignal): Promise<Fault> => {
    const wait = latency.fixed + latency.jitter * (latency.jitter > 0 ? env.random() : 0)
    if (wait > 0) await sleep(env, wait, signal)
    const chosen = fault?.(method, params) ?? NO_FAULT
    if (chosen.delay !== undefined && chosen.delay > 0) await sleep(env, chosen.delay, signal)
    if (failRate > 0 && chosen.kind === 'none' && env.random() < failRate) {
      return { kind: 'error', message: 'local DA: fails by chance, as it was told to' }
    }
    return chosen
  }

  const carryOut = async (
    method: string,
    params: readonly unknown[],
    signal: AbortSignal,
  ): Promise<Outcome> => {
    const chosen = await prepare(method, params, signal)
    const run = async (swallow = false): Promise<Outcome> =>
      await methods(method, params, { signal, swallow })
    const isSubmission = method === 'blob.Submit'
    switch (chosen.kind) {
      case 'none':
        return await run()
      case 'error':
        return { kind: 'failure', code: chosen.code ?? 1, message: chosen.message }
      case 'status':
        return { kind: 'status', status: chosen.status }
      case 'drop':
      case 'silence':
        if (chosen.done === true) await run()
        return { kind: chosen.kind }
      case 'lie': {
        const outcome = await run()
        return isSubmission && outcome.kind === 'value' ? { kind: 'value', value: chosen.height } : outcome
      }
      case 'swallow':
        return await run(isSubmission)
      default:
        return chosen satisfies never
    }
  }

  const guarded = async (work: () => Promise<Outcome>, signal: AbortSignal): Promise<Outcome> => {
    try {
      return await work()
    } catch (error) {
      if (error === signal.reason) return { kind: 'failure', code: 1, message: 'context canceled' }
      if (!isEvolveError(error)) logger.error('a call to the local DA failed', { error })
      return { kind: 'failure', ...failureOf(error) }
    }
  }

  return {
    async call(method, params, signal) {
      counts.calls++
      const outcome = await guarded(async () => await carryOut(method, params, signal), signal)
      if (outcome.kind !== 'value' && outcome.kind !== 'subscription') counts.failures++
      return outcome
    },
    async connect(signal) {
      return await guarded(async () => {
        const chosen = await prepare(CONNECT, [], signal)
        if (chosen.kind === 'drop' || chosen.kind === 'silence') return { kind: chosen.kind }
        if (chosen.kind === 'status') return { kind: 'status', status: chosen.status }
        if (chosen.kind === 'error') return { kind: 'status', status: 503 }
        return { kind: 'value', value: null }
      }, signal)
    },
    get counts() {
      return { ...counts }
    },
  }
}
