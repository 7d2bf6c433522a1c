import { EvolveError } from '../util/errors.ts'
import { equalBytes, toHex } from '../util/bytes.ts'

/** Who may sign which height, as far as it is proven. */
export interface Proposers {
  /** Address of the proven proposer of a height: the one named last at or below it. */
  expected(height: number): Uint8Array
  /** Highest height whose proposer is certain: execution has named it. Above it, `expected` is the best guess. */
  readonly provenUpTo: number
  /** Execution of the block below `height` named the signer of `height` and of those after it. */
  name(height: number, address: Uint8Array): void
  /** Calls `listener` when a different proposer was named, until the returned function is called. */
  onChange(listener: (height: number, address: Uint8Array) => void): () => void
}

/** Makes {@link Proposers} that begin with `address` from `height` on: genesis's, or the stored state's. */
export function createProposers(height: number, address: Uint8Array): Proposers {
  const terms: { from: number; address: Uint8Array }[] = [{ from: height, address }]
  let provenUpTo = height
  const listeners = new Set<(height: number, address: Uint8Array) => void>()
  const expected = (at: number): Uint8Array => {
    for (const term of terms.toReversed()) if (term.from <= at) return term.address
    return terms[0]?.address ?? address
  }
  return {
    expected,
    get provenUpTo() {
      return provenUpTo
    },
    name(from, next) {
      const last = terms.at(-1)
      if (last !== undefined && from < last.from) {
        throw new EvolveError(
          'PROPOSER_ORDER',
          `proposer of height ${from} named after that of ${last.from}`,
          {
            data: { height: from, address: toHex(next) },
          },
        )
      }
      provenUpTo = Math.max(provenUpTo, from)
      if (equalBytes(expected(from), next)) return
      terms.push({ from, address: next })
      for (const listener of listeners) listener(from, next)
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
