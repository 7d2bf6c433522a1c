import type { PeerId } from '../../core/network.ts'
import { abortable, type Deferred, deferred } from '../../util/async.ts'

/** Places for work on behalf of peers, given in turn. */
export interface FairSlots {
  /**
   * Waits for a place. The function it gives returns the place; call it once. Rejects with the signal's reason
   * when it aborts first.
   */
  acquire(peer: PeerId, options: { readonly signal: AbortSignal }): Promise<() => void>
  /** Places taken now. */
  readonly taken: number
}

/** How many places there are. */
export interface FairSlotsOptions {
  readonly perPeer: number
  readonly total: number
  /** On top of `total`, for peers that `isConfigured` names. */
  readonly reserved: number
  readonly isConfigured: (peer: PeerId) => boolean
}

/**
 * Makes {@link FairSlots}. A free place goes to the next peer that waits, not to the next request: who asks for
 * much waits longer, the others do not.
 */
export function createFairSlots(options: FairSlotsOptions): FairSlots {
  const active = new Map<PeerId, number>()
  /** Who waits, in the order in which they are looked at. */
  const waiting = new Map<PeerId, Deferred<() => void>[]>()
  let ordinary = 0
  let reserved = 0

  /** Takes a place for `peer` if there is one; returns what gives it back. */
  function tryTake(peer: PeerId): (() => void) | undefined {
    const own = active.get(peer) ?? 0
    if (own >= options.perPeer) return undefined
    const useReserved = reserved < options.reserved && options.isConfigured(peer)
    if (!useReserved && ordinary >= options.total) return undefined
    if (useReserved) reserved++
    else ordinary++
    active.set(peer, own + 1)
    return () => {
      if (useReserved) reserved--
      else ordinary--
      const left = (active.get(peer) ?? 1) - 1
      if (left === 0) active.delete(peer)
      else active.set(peer, left)
      giveNext()
    }
  }

  /** Gives the place that came free to the first in line who may have it. */
  function giveNext(): void {
    for (const [peer, queue] of waiting) {
      const release = tryTake(peer)
      if (release === undefined) continue
      const [next] = queue.splice(0, 1)
      // To the back of the line, or out of it.
      waiting.delete(peer)
      if (queue.length > 0) waiting.set(peer, queue)
      next?.resolve(release)
      return
    }
  }

  return {
    async acquire(peer, { signal }) {
      signal.throwIfAborted()
      const release = waiting.has(peer) ? undefined : tryTake(peer)
      if (release !== undefined) return release
      const own = deferred<() => void>()
      const queue = waiting.get(peer)
      if (queue === undefined) waiting.set(peer, [own])
      else queue.push(own)
      try {
        return await abortable(own.promise, signal)
      } catch (error) {
        const line = waiting.get(peer)
        const index = line?.indexOf(own) ?? -1
        if (index >= 0) line?.splice(index, 1)
        // The place came together with the abort: it is for somebody else.
        else (await own.promise)()
        if (line?.length === 0) waiting.delete(peer)
        throw error
      }
    },
    get taken() {
      return ordinary + reserved
    },
  }
}
