/*
 * Signatures that should not exist: kept where an operator finds them, and the end of production when they are ours.
 */
import { createEquivocationWatch, evidenceKey } from '../block/follower/equivocation.ts'
import type { BlockStore } from '../core/block-store.ts'
import type { HeaderStore } from '../core/header.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import { encodeSignedHeader } from '../types/codec.ts'
import type { P2PSignedHeader, SignedHeader } from '../types/header.ts'
import { headerHash } from '../types/header.ts'
import { equalBytes } from '../util/bytes.ts'
import type { EvolveError } from '../util/errors.ts'

/** What {@link createEvidence} needs. */
export interface EvidenceDeps {
  readonly blocks: BlockStore
  readonly headers: Pick<HeaderStore<P2PSignedHeader>, 'at'>
  /** Address of our own key; undefined on a node that signs nothing. */
  readonly ours: Uint8Array | undefined
  /** Ends production: our key has signed two headers for one height. */
  readonly halt: (error: EvolveError) => void
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Keeps evidence. Nothing here throws or waits: what fails is logged. */
export interface Evidence {
  /** A header in the chain and another one for its height, by the same proposer. */
  conflict(stored: SignedHeader, other: SignedHeader, source: string): void
  /** A header by the proposer of its height: compared with our block of the height, if there is one. */
  conflictAtHeight(other: SignedHeader, source: string): void
  /** A header by our key for a height that our chain has no block of. */
  foreign(header: SignedHeader): void
}

/** Makes an {@link Evidence}. */
export function createEvidence({ blocks, headers, ours, halt, logger, metrics }: EvidenceDeps): Evidence {
  const watch = createEquivocationWatch({ blockStore: blocks, logger, metrics })

  async function report(stored: SignedHeader, other: SignedHeader, source: string): Promise<void> {
    const error = await watch.report(stored, other, source)
    if (error === undefined || ours === undefined) return
    // Somebody else's second signature is evidence too, but no reason for us to stop.
    if (equalBytes(ours, stored.header.proposerAddress)) halt(error)
  }

  function logged(work: Promise<void>, { header: { height } }: SignedHeader): void {
    work.catch((error: unknown) => logger.error('keeping evidence failed', { height, error }))
  }

  return {
    conflict: (stored, other, source) => logged(report(stored, other, source), other),
    conflictAtHeight(other, source) {
      const compare = async (): Promise<void> => {
        const { height } = other.header
        // What was just made may be published a moment later: the header store does not know it yet.
        const stored = (await blocks.header(height)) ?? (await headers.at(height))
        if (stored?.header.chainId !== other.header.chainId) return
        if (equalBytes(headerHash(stored.header), headerHash(other.header))) return
        await report(stored, other, source)
      }
      logged(compare(), other)
    },
    foreign(header) {
      const { height } = header.header
      logger.error('a header by our key that this node did not make is kept as evidence', { height })
      logged(blocks.saveMetadata(evidenceKey(height), encodeSignedHeader(header)), header)
    },
  }
}
