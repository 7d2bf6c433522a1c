/*
 * The rules by which one item is believed because of another (go-header verify.go), for any kind of item.
 */
import type { ItemKind } from '../core/header.ts'
import { describeError, EvolveError, isEvolveError } from '../util/errors.ts'

const SECOND = 1_000_000_000n

/** How far ahead of our clock an item may be, in nanoseconds: honest clocks differ by less. */
export const CLOCK_DRIFT: bigint = 10n * SECOND

/** From here on, in nanoseconds ahead of our clock, no honest sender's clock can be the reason. */
export const MAX_FUTURE: bigint = 60n * SECOND

/**
 * Throws `FROM_FUTURE` for an item more than 10 s ahead of `now` (unix nanoseconds): with verdict `ignore` up to
 * 60 s, since its time will come, with `reject` above. `data.aheadNs` says how far.
 */
export function checkTime<H>(kind: ItemKind<H>, item: H, now: bigint): void {
  const ahead = kind.time(item) - now
  if (ahead <= CLOCK_DRIFT) return
  throw new EvolveError(
    'FROM_FUTURE',
    `item ${kind.height(item)} is ${ahead / 1_000_000n} ms ahead of our clock, expected at most ${CLOCK_DRIFT / 1_000_000n} ms`,
    {
      verdict: ahead <= MAX_FUTURE ? 'ignore' : 'reject',
      data: { height: kind.height(item), aheadNs: ahead },
    },
  )
}

/**
 * Checks `untrusted` against `trusted`, an item below it that is believed; `now` in unix nanoseconds. Throws, in
 * this order, `WRONG_CHAIN_ID`, `KNOWN_HEADER` (not above the trusted one; verdict `ignore`), `UNORDERED_TIME`,
 * `FROM_FUTURE`, and `VERIFY_FAILED` with the kind's own reason as cause. The last is soft (`data.soft`, verdict
 * `ignore`) unless the two are adjacent: with items missing between them nothing is proven wrong.
 */
export function verify<H>(kind: ItemKind<H>, trusted: H, untrusted: H, now: bigint): void {
  const height = kind.height(untrusted)
  const trustedHeight = kind.height(trusted)
  const chainId = kind.chainId(trusted)
  if (kind.chainId(untrusted) !== chainId) {
    throw new EvolveError(
      'WRONG_CHAIN_ID',
      `item ${height} is of chain '${kind.chainId(untrusted)}', expected '${chainId}'`,
      { verdict: 'reject', data: { height } },
    )
  }
  if (height <= trustedHeight) {
    throw new EvolveError('KNOWN_HEADER', `item ${height} is not above the trusted height ${trustedHeight}`, {
      verdict: 'ignore',
      data: { height, trustedHeight },
    })
  }
  if (kind.time(untrusted) < kind.time(trusted)) {
    throw new EvolveError(
      'UNORDERED_TIME',
      `item ${height} has time ${kind.time(untrusted)}, expected at least ${kind.time(trusted)} of item ${trustedHeight}`,
      { verdict: 'reject', data: { height, trustedHeight } },
    )
  }
  checkTime(kind, untrusted, now)
  const adjacent = height === trustedHeight + 1
  try {
    if (adjacent) kind.verifyAdjacent(trusted, untrusted)
    else kind.verifyNonAdjacent?.(trusted, untrusted)
  } catch (cause) {
    throw new EvolveError(
      'VERIFY_FAILED',
      `item ${height} does not follow from the trusted item ${trustedHeight}: ${describeError(cause)}`,
      { verdict: adjacent ? 'reject' : 'ignore', data: { height, trustedHeight, soft: !adjacent }, cause },
    )
  }
}

/** Whether {@link verify} failed without proving anything: items between the two are missing. */
export function isSoftFailure(error: unknown): boolean {
  return isEvolveError(error, 'VERIFY_FAILED') && error.data['soft'] === true
}

/** What {@link verifyRange} found: how many items at the front are good, and what is wrong with the next. */
export interface VerifiedRange {
  readonly verified: number
  readonly error?: EvolveError
}

/**
 * Verifies items that ascend without gap, each against the one below it and the first against `trusted`, from
 * which it may be apart. The error is what {@link verify} throws, `EMPTY_RANGE` or `NON_ADJACENT_RANGE`; the items
 * before it are good. Never throws.
 */
export function verifyRange<H>(
  kind: ItemKind<H>,
  trusted: H,
  items: readonly H[],
  now: bigint,
): VerifiedRange {
  if (items.length === 0) {
    return {
      verified: 0,
      error: new EvolveError('EMPTY_RANGE', 'expected at least one item, got an empty range', {
        verdict: 'reject',
      }),
    }
  }
  let below = trusted
  for (const [index, item] of items.entries()) {
    try {
      verify(kind, below, item, now)
      if (index > 0 && kind.height(item) !== kind.height(below) + 1) throw nonAdjacent(kind, below, item)
    } catch (error) {
      return { verified: index, error: asEvolveError(error) }
    }
    below = item
  }
  return { verified: items.length }
}

function nonAdjacent<H>(kind: ItemKind<H>, below: H, item: H): EvolveError {
  const expected = kind.height(below) + 1
  return new EvolveError(
    'NON_ADJACENT_RANGE',
    `expected item ${expected} next in the range, got ${kind.height(item)}`,
    { verdict: 'reject', data: { height: kind.height(item), expected } },
  )
}

function asEvolveError(error: unknown): EvolveError {
  if (isEvolveError(error)) return error
  return new EvolveError('VERIFY_FAILED', describeError(error), { verdict: 'reject', cause: error })
}
