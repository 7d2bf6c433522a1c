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
  /** What each says of itself was found right before. */
  readonly validated?: boolean
}

/** How many items at the front are good, and what is wrong with the next. */
export interface Checked {
  readonly good: number
  readonly error?: unknown
}

/** Where items are to stand. */
export interface Place<H> {
  /** The item below the first; undefined at the beginning of the chain. */
  readonly below: H | undefined
  /** Height of the first. */
  readonly from: number
  /** Unix nanoseconds; our clock's when left out. */
  readonly now?: bigint
}

/**
 * Checks items that are to follow `below` (undefined at the beginning of the chain), the first of height `from`:
 * heights, links, what each says of itself, and whether they may enter. Rejects only when the signal aborts.
 */
export async function checkItems<H>(
  deps: CheckDeps<H>,
  items: readonly H[],
  place: Place<H>,
  options: { readonly signal: AbortSignal },
): Promise<Checked> {
  return await admitChecked(deps, items, await checkAlone(deps, items, place, options), place, options)
}

/**
 * The part of {@link checkItems} that needs nothing but the items: heights and links, before it returns its promise, and
 * what each says of itself.
 */
export async function checkAlone<H>(
  deps: Omit<CheckDeps<H>, 'admit'>,
  items: readonly H[],
  place: Place<H>,
  { signal }: { readonly signal: AbortSignal },
): Promise<Checked> {
  if (items.length === 0) return { good: 0, error: empty(place.from) }
  const linked = checkLinks(deps, items, place)
  const valid = await validateFront(
    deps,
    linked.good === items.length ? items : items.slice(0, linked.good),
    signal,
  )
  return valid.error === undefined ? linked : valid
}

/** The part of {@link checkItems} that asks whether what was found good may enter. */
export async function admitChecked<H>(
  { admit }: Pick<CheckDeps<H>, 'admit'>,
  items: readonly H[],
  checked: Checked,
  { below }: Pick<Place<H>, 'below'>,
  { signal }: { readonly signal: AbortSignal },
): Promise<Checked> {
  const { good } = checked
  if (good === 0) return checked
  try {
    await admit(good === items.length ? items : items.slice(0, good), below, { signal })
    return checked
  } catch (error) {
    signal.throwIfAborted()
    return { good: Math.min(good, admittedOf(error)), error }
  }
}

function checkLinks<H>(
  { kind, env }: Pick<CheckDeps<H>, 'kind' | 'env'>,
  items: readonly H[],
  { below, from, now = env.now() }: Place<H>,
): Checked {
  let previous = below
  let good = 0
  try {
    for (const item of items) {
      if (kind.height(item) !== from + good) throw astray(kind.height(item), from + good)
      if (previous === undefined) checkTime(kind, item, now)
      else verify(kind, previous, item, now)
      previous = item
      good++
    }
    return { good }
  } catch (error) {
    return { good, error }
  }
}

async function validateFront<H>(
  { kind, breathing, validated = false }: Pick<CheckDeps<H>, 'kind' | 'breathing' | 'validated'>,
  items: readonly H[],
  signal: AbortSignal,
): Promise<Checked> {
  if (validated) return { good: items.length }
  if (kind.validateAll !== undefined) return await kind.validateAll(items)
  let good = 0
  breathing.begin()
  for (const item of items) {
    try {
      kind.validate(item)
    } catch (error) {
      return { good, error }
    }
    good++
    if (breathing.due()) await breathing.pause(signal)
  }
  return { good }
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
