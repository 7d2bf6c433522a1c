/*
 * The DA chain was not supposed to change below its head. When it does, what was read above the fork is read again.
 */
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { equalBytes } from '../../util/bytes.ts'
import { type EvolveError } from '../../util/errors.ts'
import { rewound } from './cursor.ts'
import { type Journal, REMEMBERED_BLOCKS } from './journal.ts'
import { FOLLOW_METRICS } from './metrics.ts'
import type { Retriever } from './retriever.ts'

/** What the way back needs. */
export interface ReorgDeps {
  readonly journal: Journal
  readonly retriever: Retriever
  readonly logger: Logger
  readonly metrics: Metrics
  /** First DA height that may hold something of our chain; 0 when it is not known. */
  readonly startHeight: number
}

/**
 * Goes back to where DA and what is remembered of it part, after a `DA_REORG`. Blocks stay, since they are proven by
 * themselves, and so does what is final; that the halves above the fork are on DA counts no longer.
 */
export async function goBackToFork(
  { journal, retriever, logger, metrics, startHeight }: ReorgDeps,
  error: EvolveError,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const { next, first } = journal.cursor
  const said = error.data['height']
  let fork = Math.min(typeof said === 'number' ? said : next, next)
  // A chain that ends below where reading began may hold anything from its first height on.
  const start = Math.max(1, startHeight, fork < first ? 1 : first)
  let remembered = true
  while (fork > start) {
    const before = journal.hashOf(fork - 1)
    if (before === undefined) {
      fork = start
      remembered = false
      break
    }
    const now = await retriever.hashAt(fork - 1, { signal })
    // A DA node that tells no hashes is believed.
    if (now !== undefined && (now.length === 0 || before.length === 0 || equalBytes(now, before))) break
    fork--
  }
  fork = Math.max(fork, start)
  metrics.count(FOLLOW_METRICS.rewinds, 1, { reason: 'reorg' })
  const facts = { from: next, to: fork, error }
  if (remembered && fork > start) {
    logger.warn('the DA chain has changed; reading it again from the fork', facts)
  } else {
    logger.error('the DA chain is another than the one read before; reading it from the start', {
      ...facts,
      remembered: REMEMBERED_BLOCKS,
    })
  }
  for (const candidate of journal.candidates.all()) {
    if (candidate.daHeight >= fork && !candidate.trusted) journal.candidates.remove(candidate)
  }
  journal.cursor = { ...rewound(journal.cursor, fork), next: fork, first: Math.min(first, start) }
  await journal.forgetFrom(fork)
}
