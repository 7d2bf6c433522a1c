/*
 * Looks whether what DA said it took is there. A submission counts as lost when DA was read some heights past it and
 * something of it was not found: the DA node lied, or DA was reorganised.
 */
import type { Env } from '../../core/env.ts'
import type { HalfName } from '../records.ts'
import type { ItemKind } from './items.ts'
import type { Journal } from './journal.ts'
import { MAX_OUTSTANDING, type Posted, within } from './outstanding.ts'

/** What is known of DA inclusion. */
export interface InclusionPort {
  /** Highest final height. */
  readonly height: number
  /** Whether a half was found on DA, or its height is final. */
  included(name: HalfName): Promise<boolean>
}

/** A submission that is not there, from a block height on. */
export interface Lost {
  readonly posted: Posted
  readonly from: number
  /** What is there of it, before and between what is missing. */
  readonly there: readonly Posted[]
}

/** Follows the submissions of a lane until they are final. */
export interface Review {
  /** DA height up to which DA was read. */
  readonly consumed: number
  /** DA was read up to a height: again, from there on, when it is lower than before. */
  read(daHeight: number): void
  /** The next lost submission; else the milliseconds after which to look again, Infinity when DA must be read on. */
  next(signal: AbortSignal): Promise<Lost | number>
  /** Forgets a lost submission, for a lane that begins again above `last`. The next is looked for a DA block later. */
  giveUp(lost: Lost, last: number): Promise<void>
}

/** DA heights that are read behind a submission's own before it counts as lost. */
const PATIENCE = 2

/** Makes a {@link Review}. `blockTime` is that of DA in milliseconds: one submission in that time is posted again. */
export function createReview(
  deps: {
    readonly kind: ItemKind
    readonly journal: Journal
    readonly inclusion: InclusionPort
    readonly env: Env
  },
  { blockTime }: { readonly blockTime: number },
): Review {
  const { kind, journal, inclusion, env } = deps
  let consumed = 0
  let notBefore = 0
  let reorgs = 0

  /** What is missing of a submission; undefined when all of it is there. */
  async function lookFor(posted: Posted, signal: AbortSignal): Promise<Lost | undefined> {
    const there: Posted[] = []
    let first: number | undefined
    let begin = posted.from
    const partTo = (to: number): void => {
      if (to >= begin) there.push({ ...posted, from: begin, to, found: true })
    }
    for (let height = posted.from; height <= posted.to; height++) {
      signal.throwIfAborted()
      const name = await kind.name(height)
      if (name === undefined || (await inclusion.included(name))) continue
      partTo(height - 1)
      first ??= height
      begin = height + 1
    }
    partTo(posted.to)
    return first === undefined ? undefined : { posted, from: first, there }
  }

  return {
    get consumed() {
      return consumed
    },
    read(daHeight) {
      if (daHeight < consumed) {
        reorgs++
        journal.update((all) =>
          all.map((posted) => (posted.daHeight >= daHeight ? { ...posted, found: false } : posted)),
        )
      }
      consumed = daHeight
    },
    async next(signal) {
      journal.update((all) => within(all, inclusion.height + 1, Infinity))
      for (const posted of journal.outstanding) {
        if (posted.found || posted.daHeight + PATIENCE > consumed) continue
        const early = notBefore - env.monotonic()
        if (early > 0) return early
        const before = reorgs
        const lost = await lookFor(posted, signal)
        // What was found may be gone again.
        if (before !== reorgs) return 0
        if (lost !== undefined) return lost
        journal.update((all) => all.map((one) => (one === posted ? { ...one, found: true } : one)))
      }
      return Infinity
    },
    async giveUp({ posted: lost, there }, last) {
      await journal.goBack(last, (all) => {
        const kept = there.slice(0, Math.max(1, MAX_OUTSTANDING - all.length))
        return all.flatMap((posted) => (posted === lost ? kept : [posted]))
      })
      notBefore = env.monotonic() + blockTime
    },
  }
}
