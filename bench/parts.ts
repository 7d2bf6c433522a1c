import { catchup } from './catchup.ts'
import { da } from './da.ts'
import { explorer } from './explorer.ts'
import { headers } from './headers.ts'
import { micro } from './micro.ts'
import type { BenchPart } from './part.ts'
import { production } from './production.ts'
import { rpc } from './rpc.ts'
import { store } from './store.ts'
import { subscribers } from './subscribers.ts'
import { tip } from './tip.ts'

/** All benchmarks, in the order they run. */
export const PARTS: readonly BenchPart[] = [
  catchup,
  headers,
  tip,
  da,
  production,
  subscribers,
  store,
  rpc,
  explorer,
  micro,
]
