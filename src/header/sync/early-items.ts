import type { CancelTimer, Env } from '../../core/env.ts'
import type { ItemKind } from '../../core/header.ts'
import { equalBytes } from '../../util/bytes.ts'
import { CLOCK_DRIFT } from '../verify.ts'

/** Admitted items whose time is a little ahead of our clock, until it is not. */
export interface EarlyItems<H> {
  readonly size: number
  /** Keeps an item until its time has come; says whether there was room. */
  keep(item: H): boolean
  clear(): void
}

/** Makes {@link EarlyItems} of at most `capacity`; `due` gets each item when its time has come, lowest first. */
export function createEarlyItems<H>(
  { kind, env }: { readonly kind: ItemKind<H>; readonly env: Env },
  { capacity, due }: { readonly capacity: number; readonly due: (item: H) => void },
): EarlyItems<H> {
  let items: H[] = []
  let cancel: CancelTimer | undefined

  /** Nanoseconds until an item is no longer too early; not positive when it is not. */
  const wait = (item: H): bigint => kind.time(item) - CLOCK_DRIFT - env.now()

  function arm(): void {
    cancel?.()
    cancel = undefined
    let soonest: bigint | undefined
    for (const item of items) {
      const left = wait(item)
      if (soonest === undefined || left < soonest) soonest = left
    }
    if (soonest === undefined) return
    const ms = soonest <= 0n ? 0 : Number(soonest / 1_000_000n) + 1
    cancel = env.timer(ms, release, { background: true })
  }

  function release(): void {
    const ripe = items.filter((item) => wait(item) <= 0n)
    items = items.filter((item) => !ripe.includes(item))
    arm()
    for (const item of ripe.toSorted((a, b) => kind.height(a) - kind.height(b))) due(item)
  }

  return {
    get size() {
      return items.length
    },
    keep(item) {
      const same = items.some(
        (kept) => kind.height(kept) === kind.height(item) && equalBytes(kind.hash(kept), kind.hash(item)),
      )
      if (same) return true
      if (items.length >= capacity) return false
      items.push(item)
      arm()
      return true
    },
    clear() {
      cancel?.()
      cancel = undefined
      items = []
    },
  }
}
