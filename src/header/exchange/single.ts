import type { PeerId } from '../../core/network.ts'
import { linkSignals } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'
import { type Answer, ask, type AskDeps, type Question } from './ask.ts'
import type { ClientLimits } from './limits.ts'
import type { PeerTracker, TrackedPeer } from './peer-tracker.ts'

/** Parts of {@link askFirst} and of `findHead`. */
export interface SingleDeps<H> extends AskDeps<H> {
  readonly tracker: PeerTracker
  /** Peers whose word the operator prefers. */
  readonly trusted: () => readonly PeerId[]
}

/** Options of {@link askFirst} and of `findHead`. */
export interface SingleOptions {
  readonly protocol: string
  readonly chainId: string
  readonly limits: ClientLimits
  readonly signal: AbortSignal
}

/** Connected trusted peers, and the best others up to `most`; those that rest only when nobody else is there. */
export function peersForSingle(
  deps: Pick<SingleDeps<never>, 'tracker' | 'trusted' | 'env'>,
  most: number,
): { readonly trusted: readonly PeerId[]; readonly others: readonly PeerId[] } {
  const now = deps.env.monotonic()
  const all = deps.tracker.peers()
  const rested = all.filter((peer) => peer.restUntil <= now)
  const candidates: readonly TrackedPeer[] = rested.length > 0 ? rested : all
  const names = new Set(deps.trusted())
  const trusted = candidates.filter((peer) => names.has(peer.id)).map((peer) => peer.id)
  const others = candidates.filter((peer) => !names.has(peer.id)).map((peer) => peer.id)
  return { trusted, others: others.slice(0, most) }
}

/** Asks one peer for one item, which must also be valid, and draws the conclusions. */
export async function askOne<H>(
  deps: SingleDeps<H>,
  peer: PeerId,
  question: Question,
  options: SingleOptions,
): Promise<Answer<H>> {
  const release = deps.tracker.occupy(peer)
  const answer = await ask(deps, peer, question, { ...options, validate: true })
  release()
  // What one height lacks says nothing of a range.
  const judged: Question =
    question.type === 'range' && answer.items.length === 0 ? { type: 'head' } : question
  deps.tracker.judge(peer, judged, answer)
  return answer
}

/**
 * The first good answer for one item: all trusted peers are asked at once, and when none of them has it, the best
 * others. Rejects with `NO_PEERS`, with `NOT_FOUND` when anybody said so, or with what went wrong last.
 */
export async function askFirst<H>(
  deps: SingleDeps<H>,
  question: Question,
  options: SingleOptions,
): Promise<H> {
  const { trusted, others } = peersForSingle(deps, options.limits.singlePeers)
  let last: EvolveError | undefined
  for (const peers of [trusted, others]) {
    const found = await raceFor(deps, peers, question, options)
    if (found.item !== undefined) return found.item
    options.signal.throwIfAborted()
    if (last?.code !== 'NOT_FOUND') last = found.error ?? last
  }
  throw last ?? new EvolveError('NO_PEERS', 'no peer is connected that could be asked', { verdict: 'retry' })
}

async function raceFor<H>(
  deps: SingleDeps<H>,
  peers: readonly PeerId[],
  question: Question,
  options: SingleOptions,
): Promise<{ readonly item?: H; readonly error?: EvolveError | undefined }> {
  const over = linkSignals(options.signal)
  let error: EvolveError | undefined
  try {
    const item = await Promise.any(
      peers.map(async (peer) => {
        const answer = await askOne(deps, peer, question, { ...options, signal: over.signal })
        const [first] = answer.items
        if (first !== undefined) return first
        if (error?.code !== 'NOT_FOUND') error = answer.error ?? error
        throw answer.error ?? new EvolveError('REQUEST_FAILED', 'no answer', { verdict: 'retry' })
      }),
    )
    return { item }
  } catch {
    return { error }
  } finally {
    over.abort()
  }
}
