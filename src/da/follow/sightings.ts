/*
 * How far proposers have come on DA, by the headers that were found there, also where the blocks below are missing.
 */
import type { Proposers } from '../../core/proposers.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'

/** Authors that are remembered; whoever was seen longest ago is forgotten first. */
export const MAX_AUTHORS = 4

/** Highest heights of which headers were found, by author. */
export interface Sightings {
  /** A header was found, validly signed by its author. It counts when that is the proposer expected of its height. */
  saw(height: number, author: Uint8Array): void
  /** Highest height that counts of an author's headers; 0 when there is none. */
  highestBy(author: Uint8Array): number
  /** Another proposer was named from a height on: what others have signed from there on counts no longer. */
  named(from: number, proposer: Uint8Array): void
}

/** Makes {@link Sightings}. */
export function createSightings(proposers: Pick<Proposers, 'expected'>): Sightings {
  /** By address in hexadecimal, in the order they were seen. */
  const highest = new Map<string, number>()
  return {
    saw(height, author) {
      if (!equalBytes(author, proposers.expected(height))) return
      const name = toHex(author)
      const before = highest.get(name) ?? 0
      highest.delete(name)
      highest.set(name, Math.max(height, before))
      const [oldest] = highest.keys()
      if (highest.size > MAX_AUTHORS && oldest !== undefined) highest.delete(oldest)
    },
    highestBy: (author) => highest.get(toHex(author)) ?? 0,
    named(from, proposer) {
      for (const [name, height] of highest) {
        if (name !== toHex(proposer)) highest.set(name, Math.min(height, from - 1))
      }
    },
  }
}
