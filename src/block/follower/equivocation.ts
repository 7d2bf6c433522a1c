import type { HeightEvent } from '../../core/block-source.ts'
import type { BlockStore } from '../../core/block-store.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { encodeSignedHeader } from '../../types/codec.ts'
import { headerHash, type SignedHeader } from '../../types/header.ts'
import { validateHeader } from '../../types/validate.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { LruCache } from '../../util/lru.ts'
import { BLOCK_METRICS } from '../metrics.ts'

/** Looks at blocks of executed heights for a second header by the same proposer. */
export interface EquivocationWatch {
  /** Remembers the hash of an executed header. */
  executed(height: number, hash: Uint8Array): void
  /** Whether an event repeats a block that was executed a short while ago: nothing to look at. */
  repeats(event: HeightEvent): boolean
  /**
   * Two different headers of one height, both signed by who may sign it: the second is kept as evidence. Resolves with
   * the error that says so; undefined when there was evidence for the height before: whoever shows it again, also after
   * a restart, stops nobody a second time.
   */
  report(known: SignedHeader, other: SignedHeader, source: string): Promise<EvolveError | undefined>
  /**
   * Looks at a block of an executed height. If its header is another one than that which was executed, signed by
   * the same proposer, it is kept as evidence in the block store's metadata under {@link evidenceKey}, and the error
   * that says so (`EQUIVOCATION`, verdict `halt`) is returned.
   */
  look(event: HeightEvent): Promise<EvolveError | undefined>
}

/** Hashes of executed headers that are kept in memory. */
const RECENT = 1_024

/** Metadata key of the second header a proposer signed for a height, encoded as a signed header. */
export function evidenceKey(height: number): string {
  return `equivocation/${height}`
}

/** Makes an {@link EquivocationWatch}. */
export function createEquivocationWatch(deps: {
  readonly blockStore: BlockStore
  readonly logger: Logger
  readonly metrics: Metrics
}): EquivocationWatch {
  const { blockStore, logger, metrics } = deps
  const recent = new LruCache<number, Uint8Array>(RECENT)

  async function report(
    known: SignedHeader,
    other: SignedHeader,
    source: string,
  ): Promise<EvolveError | undefined> {
    const { height, proposerAddress } = known.header
    if ((await blockStore.metadata(evidenceKey(height))) !== undefined) return undefined
    const [first, second] = [known, other].map(({ header }) => toHex(headerHash(header)))
    const facts = { height, known: first, other: second, source }
    await blockStore.saveMetadata(evidenceKey(height), encodeSignedHeader(other))
    metrics.count(BLOCK_METRICS.equivocations)
    logger.error('the proposer signed two headers for one height; the second is kept as evidence', facts)
    return new EvolveError(
      'EQUIVOCATION',
      `the proposer ${toHex(proposerAddress)} signed two headers for height ${height}: ${first}, which is in the chain, and ${second}`,
      { verdict: 'halt', data: facts },
    )
  }

  return {
    report,
    executed: (height, hash) => recent.set(height, hash),
    repeats({ height, header }) {
      const known = recent.get(height)
      return known !== undefined && equalBytes(known, headerHash(header.header))
    },
    async look({ height, header, source }) {
      const executed = await blockStore.header(height)
      if (executed === undefined) return undefined
      if (equalBytes(headerHash(executed.header), headerHash(header.header))) return undefined
      if (!equalBytes(executed.header.proposerAddress, header.header.proposerAddress)) return undefined
      try {
        validateHeader(header)
      } catch {
        return undefined
      }
      return await report(executed, header, source)
    },
  }
}
