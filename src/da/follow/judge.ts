/*
 * What a half that was found on DA is worth, as far as it is proven who may sign and what the header store holds.
 */
import type { HeaderStore } from '../../core/header.ts'
import type { Proposers } from '../../core/proposers.ts'
import type { Genesis } from '../../types/genesis.ts'
import { headerHash, type P2PSignedHeader, type SignedHeader } from '../../types/header.ts'
import { validateHeaderFields } from '../../types/validate.ts'
import { equalBytes } from '../../util/bytes.ts'
import type { FoundData, FoundHeader } from './found.ts'
import { isSignedAsFound, isSignedBy, passes } from './signed.ts'

/**
 * - `junk`: of another chain, wrongly signed, or by somebody who is known not to be the proposer
 * - `stranger`: by somebody who may still be named as the proposer, or data that a header may still vouch for
 * - `trusted`: validly signed by the expected proposer; data that a stored header commits to, by its proposer
 * - `vouched`: data that a stored header commits to, posted by somebody else: good to have, but not the blob that
 *   others need, so that it does not count as being on DA
 * - `stored`: what the stores hold already
 * - `conflict`: a second header for a stored height, validly signed by the proposer of the first
 */
export type Judgement = HeaderJudgement | DataJudgement
/** What a header can be worth. */
export type HeaderJudgement = 'junk' | 'stranger' | 'trusted' | 'stored' | 'conflict'
/** What data can be worth. */
export type DataJudgement = 'junk' | 'stranger' | 'trusted' | 'vouched'

/** What a {@link Judge} needs. */
export interface JudgeDeps {
  readonly genesis: Genesis
  readonly proposers: Proposers
  readonly headers: HeaderStore<P2PSignedHeader>
}

/** Judges halves. Rejects only with failures of the header store. */
export interface Judge {
  /** With `strict`, headers without an envelope are `junk`. `proven` ones were seen to be signed by who they name. */
  header(
    found: FoundHeader,
    options: { readonly strict: boolean; readonly proven: boolean },
  ): Promise<HeaderJudgement>
  data(found: FoundData): Promise<DataJudgement>
}

/** Makes a {@link Judge}. */
export function createJudge({ genesis, proposers, headers }: JudgeDeps): Judge {
  const ours = (chainId: string, height: number): boolean =>
    chainId === genesis.chainId && height >= genesis.initialHeight
  /** What becomes of a half whose author is not the one expected. */
  const strangers = (height: number): 'junk' | 'stranger' =>
    height <= proposers.provenUpTo ? 'junk' : 'stranger'

  function besideStored(found: FoundHeader, stored: SignedHeader, proven: boolean): HeaderJudgement {
    const { header } = found.header
    const same = equalBytes(headerHash(header), headerHash(stored.header))
    if (!same && !equalBytes(header.proposerAddress, stored.header.proposerAddress)) {
      return strangers(header.height)
    }
    if (!proven && !isSignedAsFound(found)) return 'junk'
    return same ? 'stored' : 'conflict'
  }

  return {
    async header(found, { strict, proven }) {
      const { header } = found.header
      const { height } = header
      if (!ours(header.chainId, height) || !passes(() => validateHeaderFields(header))) return 'junk'
      if (strict && found.envelopeSignature.length === 0) return 'junk'
      if (height <= headers.height) {
        const stored = await headers.at(height)
        if (stored !== undefined) return besideStored(found, stored, proven)
        // It lies below all that is stored; or the store was cut just now.
        if (height <= headers.height) return 'junk'
      }
      if (!equalBytes(header.proposerAddress, proposers.expected(height))) return strangers(height)
      return proven || isSignedAsFound(found) ? 'trusted' : 'junk'
    },
    async data(found) {
      const { height, commitment } = found
      if (!ours(found.chainId, height)) return 'junk'
      if (height <= headers.height) {
        const stored = await headers.at(height)
        if (stored === undefined && height <= headers.height) return 'junk'
        if (stored !== undefined) {
          if (!equalBytes(stored.header.dataHash, commitment)) return strangers(height)
          return isSignedBy(found, stored.header.proposerAddress) ? 'trusted' : 'vouched'
        }
      }
      // Whoever signed it, the header that comes may vouch for it.
      return isSignedBy(found, proposers.expected(height)) ? 'trusted' : 'stranger'
    },
  }
}
