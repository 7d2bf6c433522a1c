/*
 * Executor and database with their calls measured. What they are able to do stays what it is.
 */
import type { Env } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import type { Metrics } from '../core/metrics.ts'
import { isEvolveError } from '../util/errors.ts'
import { type Around, around } from './around.ts'

/** Where measurements go, and the clock of them. */
export interface MeasuredDeps {
  readonly env: Env
  readonly metrics: Metrics
}

/** The executor, with the time of each call reported. */
export function measuredExecutor(executor: Executor, { env, metrics }: MeasuredDeps): Executor {
  function timed<Input extends readonly unknown[], T>(
    method: keyof Executor,
  ): (inner: (...input: Input) => Promise<T>) => (...input: Input) => Promise<T> {
    return (inner) =>
      async (...input) => {
        const began = env.monotonic()
        let outcome = 'ok'
        try {
          return await inner(...input)
        } catch (error) {
          outcome = wasCancelled(input) ? 'cancelled' : isEvolveError(error) ? error.code : 'unknown'
          throw error
        } finally {
          metrics.observe('executor_call_duration_seconds', (env.monotonic() - began) / 1_000, {
            method,
            outcome,
          })
        }
      }
  }
  const methods: Around<Executor> = {
    initChain: timed('initChain'),
    getTxs: timed('getTxs'),
    executeTxs: timed('executeTxs'),
    setFinal: timed('setFinal'),
    getExecutionInfo: timed('getExecutionInfo'),
    filterTxs: timed('filterTxs'),
    latestHeight: timed('latestHeight'),
    rollback: timed('rollback'),
    prune: timed('prune'),
    submitTx: timed('submitTx'),
  }
  return around(executor, methods)
}

/** Whether the caller of a method, whose last argument carries its signal, gave up. */
function wasCancelled(input: readonly unknown[]): boolean {
  const options = input.at(-1)
  return (
    typeof options === 'object' &&
    options !== null &&
    'signal' in options &&
    options.signal instanceof AbortSignal &&
    options.signal.aborted
  )
}

/** The database, with its writes and reads measured. */
export function measuredKv(kv: Kv, { env, metrics }: MeasuredDeps): Kv {
  const since = (began: number): number => (env.monotonic() - began) / 1_000
  const methods: Around<Kv> = {
    batch: (inner) => async (ops, options) => {
      const began = env.monotonic()
      await inner(ops, options)
      metrics.observe('store_batch_duration_seconds', since(began), { sync: String(options?.sync === true) })
      metrics.observe('store_batch_operations', ops.length)
      metrics.count('store_written_bytes_total', bytesOf(ops))
    },
    get: (inner) => async (key) => {
      const began = env.monotonic()
      const value = await inner(key)
      metrics.observe('store_read_duration_seconds', since(began), { method: 'get' })
      return value
    },
    getMany: (inner) => async (keys) => {
      const began = env.monotonic()
      const values = await inner(keys)
      metrics.observe('store_read_duration_seconds', since(began), { method: 'getMany' })
      return values
    },
  }
  return around(kv, methods)
}

function bytesOf(ops: readonly KvOp[]): number {
  let bytes = 0
  for (const op of ops) bytes += op.key.length + (op.type === 'put' ? op.value.length : 0)
  return bytes
}
