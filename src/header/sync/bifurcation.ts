import type { Exchange, ItemKind } from '../../core/header.ts'
import { EvolveError, verdictOf } from '../../util/errors.ts'
import { isSoftFailure, verify } from '../verify.ts'

/** Parts of {@link bifurcate}. */
export interface BifurcationDeps<H> {
  readonly kind: ItemKind<H>
  readonly exchange: Pick<Exchange<H>, 'at'>
  /** Unix nanoseconds. */
  readonly now: () => bigint
  /** Takes an item that was verified on the way as believed; throws when it may not be. */
  readonly believe: (item: H) => Promise<void>
}

/**
 * Verifies `head` against `trusted`, from which it cannot be judged directly, over items in between: each that is
 * verified is believed and becomes the next to judge from. Throws what {@link verify} says where it proves
 * something wrong, `BIFURCATION_FAILED` when `head` does not follow from the item right below it, and what the
 * exchange throws. Source: go-header sync (verifyBifurcating).
 */
export async function bifurcate<H>(
  { kind, exchange, now, believe }: BifurcationDeps<H>,
  trusted: H,
  head: H,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const headHeight = kind.height(head)
  let subjective = trusted
  let distance = headHeight - kind.height(subjective)
  while (distance > 1) {
    const from = kind.height(subjective)
    const step = Math.floor(distance / 2)
    const candidate = await exchange.at(from + step, { signal })
    if (fails(() => verify(kind, subjective, candidate, now()))) {
      // Too far away still; an item right above `subjective` never fails softly.
      distance = step
      continue
    }
    await believe(candidate)
    subjective = candidate
    distance = headHeight - kind.height(subjective)
    try {
      if (!fails(() => verify(kind, subjective, head, now()))) return
    } catch (cause) {
      throw failed(headHeight, cause)
    }
  }
  throw failed(headHeight)
}

function failed(height: number, cause?: unknown): EvolveError {
  return new EvolveError('BIFURCATION_FAILED', `item ${height} does not follow from those below it`, {
    verdict: verdictOf(cause, 'reject'),
    data: { height },
    cause,
  })
}

/** Whether a check fails softly; throws when it fails for good. */
function fails(check: () => void): boolean {
  try {
    check()
    return false
  } catch (error) {
    if (isSoftFailure(error)) return true
    throw error
  }
}
