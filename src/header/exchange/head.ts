import type { PeerId } from '../../core/network.ts'
import { deferred, linkSignals } from '../../util/async.ts'
import { toHex } from '../../util/bytes.ts'
import { verdictOf } from '../../util/errors.ts'
import { askOne, peersForSingle, type SingleDeps, type SingleOptions } from './single.ts'

/** Parts of {@link findHead}. */
export interface HeadDeps<H> extends SingleDeps<H> {
  /**
   * Throws unless an item is proven. Only proven items count as heads, however many peers agree on another.
   * A verdict `reject` is held against the peer.
   */
  readonly check: ((item: H, options: { readonly signal: AbortSignal }) => Promise<void>) | undefined
}

/** Peers that must agree for a head to be taken at once. Source: go-header v0.8.6 p2p/exchange.go. */
export function headQuorum(asked: number): number {
  return asked <= 2 ? asked : Math.ceil((2 * asked) / 3)
}

/** The others get this many times as long as the slowest answer so far. */
const GRACE_FACTOR = 3

/**
 * Asks several peers for their head: the trusted ones, and where heads can be proven, or no trusted peer is there,
 * the best others too. Gives the head on which a quorum agrees as soon as it does; without a quorum the highest,
 * once all have answered, or those that have not have had their time. Gives undefined when there is none.
 */
export async function findHead<H>(deps: HeadDeps<H>, options: SingleOptions): Promise<H | undefined> {
  const { kind, env } = deps
  const { limits } = options
  const peers = headPeers(deps, limits.singlePeers)
  if (peers.length === 0) return undefined
  const over = linkSignals(options.signal)
  const decided = deferred<void>()
  const votes = new Map<string, number>()
  const quorum = headQuorum(peers.length)
  const start = env.monotonic()
  let highest: H | undefined
  let agreed: H | undefined
  let open = peers.length
  let cancelGrace: (() => void) | undefined

  const count = (item: H): void => {
    if (highest === undefined || kind.height(item) > kind.height(highest)) highest = item
    const name = toHex(kind.hash(item))
    const number = (votes.get(name) ?? 0) + 1
    votes.set(name, number)
    if (number >= quorum) {
      agreed = item
      decided.resolve()
      return
    }
    const grace = Math.max(limits.headGrace, GRACE_FACTOR * (env.monotonic() - start))
    cancelGrace?.()
    cancelGrace = env.timer(grace, () => decided.resolve())
  }

  const askForHead = async (peer: PeerId): Promise<void> => {
    const item = await provenHead(deps, peer, { ...options, signal: over.signal })
    if (over.signal.aborted) return
    if (item !== undefined) count(item)
    if (--open === 0) decided.resolve()
  }

  // Whoever decides later than we wait decides nothing.
  decided.promise.catch(() => undefined)
  const onAbort = (): void => decided.reject(options.signal.reason)
  over.signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (const peer of peers) askForHead(peer).catch(decided.reject)
    options.signal.throwIfAborted()
    await decided.promise
    return agreed ?? highest
  } finally {
    over.signal.removeEventListener('abort', onAbort)
    cancelGrace?.()
    over.abort()
  }
}

function headPeers<H>(deps: HeadDeps<H>, most: number): readonly PeerId[] {
  const { trusted, others } = peersForSingle(deps, most)
  if (trusted.length === 0) return others
  if (deps.check === undefined) return trusted
  return [...trusted, ...others.slice(0, Math.max(0, most - trusted.length))]
}

/** A peer's head, if it has one and it is proven. */
async function provenHead<H>(
  deps: HeadDeps<H>,
  peer: PeerId,
  options: SingleOptions,
): Promise<H | undefined> {
  const answer = await askOne(deps, peer, { type: 'head' }, options)
  const [item] = answer.items
  if (item === undefined) return undefined
  try {
    await deps.check?.(item, { signal: options.signal })
    return item
  } catch (error) {
    if (!options.signal.aborted && verdictOf(error, 'ignore') === 'reject') deps.tracker.punish(peer, error)
    return undefined
  }
}
