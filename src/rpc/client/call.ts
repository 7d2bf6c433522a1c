import { type CallOptions as ConnectOptions, ConnectError } from '@connectrpc/connect'
import { createBackoff, type Env, sleep, withTimeout } from '../../core/env.ts'
import { isEvolveError } from '../../util/errors.ts'
import { clientError, timedOut } from './errors.ts'
import type { CallOptions } from './types.ts'

/** How calls are made. */
export interface CallRules {
  readonly url: string
  readonly env: Env
  /** Milliseconds for a call that names none. */
  readonly timeout: number
  /** How often a call that changes nothing is repeated when the node cannot be reached. */
  readonly retries: number
}

/** One request and its answer. */
export interface Call<T> {
  /** For messages. */
  readonly what: string
  /** Whether it may be repeated: it changes nothing. */
  readonly safe: boolean
  send(options: ConnectOptions): Promise<T>
}

/** Milliseconds before a call is repeated: doubled from first to last. */
const WAIT = { first: 100, last: 2_000 }

/**
 * Makes a call. Rejects with an error of `clientError`, `RPC_TIMEOUT`, or the signal's reason. A safe call is repeated
 * within its time when the node cannot be reached.
 */
export async function makeCall<T>(rules: CallRules, call: Call<T>, options: CallOptions): Promise<T> {
  const { url, env } = rules
  const timeout = options.timeout ?? rules.timeout
  try {
    return await withTimeout(env, timeout, options.signal, call.what, async (signal) => {
      const backoff = createBackoff(WAIT.first, WAIT.last)
      for (let left = call.safe ? rules.retries : 0; ; left--) {
        try {
          return await call.send({ signal })
        } catch (error) {
          signal.throwIfAborted()
          const failure = clientError(url, error)
          if (left <= 0 || !isEvolveError(failure, 'RPC_UNREACHABLE', 'RPC_BUSY')) throw failure
          await sleep(env, backoff.next(), signal)
        }
      }
    })
  } catch (error) {
    if (isEvolveError(error, 'TIMEOUT')) throw timedOut(url, call.what, timeout)
    throw error instanceof ConnectError ? clientError(url, error) : error
  }
}
