import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { NodeRates } from '../core/status.ts'

/** What only grows while a node runs. */
export interface Totals {
  readonly blocks: number
  readonly transactions: number
  readonly headers: number
  readonly daHeights: number
}

/** Measures {@link NodeRates} while it runs. */
export interface RateMeter extends Service {
  /** Over the last seconds; all 0 at the start. */
  rates(): NodeRates
}

const NONE: NodeRates = { blocks: 0, transactions: 0, headers: 0, daHeights: 0 }

/** Milliseconds between two looks at the totals. */
const EVERY = 1_000

/** Looks that rates are taken over. */
const LOOKS = 6

interface Look {
  readonly at: number
  readonly totals: Totals
}

/** Makes a {@link RateMeter} over `totals`. */
export function createRateMeter({
  env,
  totals,
}: {
  readonly env: Env
  readonly totals: () => Totals
}): RateMeter {
  let looks: readonly Look[] = []
  let cancel: (() => void) | undefined

  function look(): void {
    looks = [...looks.slice(1 - LOOKS), { at: env.monotonic(), totals: totals() }]
    cancel = env.timer(EVERY, look, { background: true })
  }

  return {
    rates() {
      const [first] = looks
      if (first === undefined) return NONE
      const now = totals()
      const seconds = (env.monotonic() - first.at) / 1_000
      if (seconds <= 0) return NONE
      // What a part says may go back when it starts over; nothing goes at less than no pace.
      const rate = (name: keyof Totals): number => Math.max(0, now[name] - first.totals[name]) / seconds
      return {
        blocks: rate('blocks'),
        transactions: rate('transactions'),
        headers: rate('headers'),
        daHeights: rate('daHeights'),
      }
    },
    async start() {
      if (cancel === undefined) look()
    },
    async stop() {
      cancel?.()
      cancel = undefined
      looks = []
    },
  }
}
