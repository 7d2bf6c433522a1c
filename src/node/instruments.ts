/*
 * What is put around the parts of a node so that it can be measured and traced: nothing where nobody looks.
 */
import type { BlockStore } from '../core/block-store.ts'
import type { DaClient } from '../core/da.ts'
import type { Env } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { Kv } from '../core/kv.ts'
import { type Metrics, noopMetrics } from '../core/metrics.ts'
import type { Sequencer } from '../core/sequencer.ts'
import type { Tracing } from '../core/tracing.ts'
import { measuredExecutor, measuredKv } from '../telemetry/measured.ts'
import { tracedDa, tracedExecutor, tracedSequencer, tracedStore } from '../telemetry/traced.ts'

/** Gives the parts of a node back with what watches them around them. */
export interface Instruments {
  kv(kv: Kv): Kv
  executor(executor: Executor): Executor
  store<T extends BlockStore>(store: T): T
  da(client: DaClient): DaClient
  sequencer(sequencer: Sequencer): Sequencer
}

/** Makes {@link Instruments} for where a node reports to. */
export function createInstruments(deps: {
  readonly env: Env
  readonly metrics: Metrics
  readonly tracing: Tracing
}): Instruments {
  const { metrics, tracing } = deps
  const measured = metrics !== noopMetrics
  return {
    kv: (kv) => (measured ? measuredKv(kv, deps) : kv),
    executor(executor) {
      const inner = measured ? measuredExecutor(executor, deps) : executor
      return tracing.enabled ? tracedExecutor(inner, tracing) : inner
    },
    store: (store) => (tracing.enabled ? tracedStore(store, tracing) : store),
    da: (client) => (tracing.enabled ? tracedDa(client, tracing) : client),
    sequencer: (sequencer) => (tracing.enabled ? tracedSequencer(sequencer, tracing) : sequencer),
  }
}
