import type { Breathing } from '../../core/breathing.ts'
import type { Env } from '../../core/env.ts'
import type { Admit, ItemKind } from '../../core/header.ts'
import { EvolveError } from '../../util/errors.ts'
import { checkTime, verify } from '../verify.ts'

/** Parts of {@link checkItems}. */
export interface CheckDeps<H> {
  readonly kind: ItemKind<H>
  readonly admit: Admit<H>
  readonly env: Env
  readonly breathing: Breathing
}

/** How many items at the front are good, and what is wrong with the next. */
export interface Checked {
  readonly good: number
  readonly error?: unknown
}

/**
 * Checks items that are to follow `below` (undefined at the beginning of the chain), the first of height `from`:
 * heights, links, what each says of itself, and whether they may enter. Rejects only when the signal aborts.
 */
export async function checkItems<H>(
  deps: CheckDeps<H>,
  items: readonly H[],
  {
    below,
    from,
    now = deps.env.now(),
  }: {
    readonly below: H | undefined
    readonly from: number
    /** Unix nanoseconds; our clock's when left out. */
    readonly now?: bigint
  },
  { signal }: { readonly signal: AbortSignal },
): Promise<Checked> {
  const { kind, admit, breathing } = deps
  let previous = below
  let good = 0
  let failure: { readonly error: unknown } | undefined
  breathing.begin()
  for (const item of items) {
    try {
      if (kind.height(item) !== from + good) throw astray(kind.height(item), from + good)
      if (previous === undefined) checkTime(kind, item, now)
      else verify(kind, previous, item, now)
      kind.validate(item)
    } catch (error) {
      failure = { error }
      break
    }
    previous = item
    good++
    if (breathing.due()) await breathing.pause(signal)
  }
  if (good > 0) {
    try {
      await admit(good === items.length ? items : items.slice(0, good), below, { signal })
    } catch (error) {
      signal.throwIfAborted()
      return { good: Math.min(good, admittedOf(error)), error }
    }
  }
  if (items.length === 0) return { good, error: empty(from) }
  return failure === undefined ? { good } : { good, error: failure.error }
}

function admittedOf(error: unknown): number {
  const admitted = error instanceof EvolveError ? error.data['admitted'] : undefined
  return typeof admitted === 'number' ? admitted : 0
}

function astray(found: number, expected: number): EvolveError {
  return new EvolveError('NON_ADJACENT_RANGE', `expected item ${expected} next in the range, got ${found}`, {
    verdict: 'reject',
    data: { height: found, expected },
  })
}

function empty(from: number): EvolveError {
  return new EvolveError('EMPTY_RANGE', `expected items from ${from} on, got none`, {
    verdict: 'reject',
    data: { height: from },
  })
}
