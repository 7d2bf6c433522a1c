import { type Env, withTimeout } from '../core/env.ts'
import type { HeaderStore } from '../core/header.ts'
import type { PeerId } from '../core/network.ts'
import { dataMemory, type P2PData } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { EvolveError } from '../util/errors.ts'
import { dataKind } from './kinds.ts'

/** Limits of a {@link WaitingRoom}. */
export interface WaitingRoomOptions {
  /** Items of one sender that may wait. Default 64. */
  readonly perSender?: number
  /** Bytes of memory that may wait in all. Default 16 MiB. */
  readonly maxBytes?: number
  /** Milliseconds one item may wait. Default 10,000. */
  readonly patience?: number
  /** Heights above the headers for which waiting makes sense. Default 64. */
  readonly ahead?: number
}

/** Where gossiped data waits, bounded, for the header that vouches for it. */
export interface WaitingRoom {
  /** Resolves when the header of `item` is there. Throws `HEADER_UNKNOWN` (`ignore`) when there is no place or no time. */
  headerOf(item: P2PData, context: { readonly from: PeerId; readonly signal: AbortSignal }): Promise<void>
}

/** Makes a {@link WaitingRoom}. */
export function createWaitingRoom(
  { headers, env }: { readonly headers: HeaderStore<P2PSignedHeader>; readonly env: Env },
  options: WaitingRoomOptions = {},
): WaitingRoom {
  const { perSender = 64, maxBytes = 16 * 1024 * 1024, patience = 10_000, ahead = 64 } = options
  const places = new Map<PeerId, number>()
  let bytes = 0
  return {
    async headerOf(item, { from, signal }) {
      const height = dataKind.height(item)
      if (height <= headers.height) return
      const size = dataMemory(item)
      const taken = places.get(from) ?? 0
      const refused =
        height > headers.height + ahead
          ? 'too far ahead'
          : taken >= perSender
            ? 'too many of this sender wait'
            : bytes + size > maxBytes
              ? 'too many bytes wait'
              : undefined
      if (refused !== undefined) throw unknownHeader(height, refused)
      places.set(from, taken + 1)
      bytes += size
      try {
        await withTimeout(env, patience, signal, 'waiting for a header', async (waiting) => {
          await headers.waitFor(height, { signal: waiting })
        })
      } catch (error) {
        throw unknownHeader(height, 'it did not come', error)
      } finally {
        bytes -= size
        const left = (places.get(from) ?? 1) - 1
        if (left === 0) places.delete(from)
        else places.set(from, left)
      }
    },
  }
}

function unknownHeader(height: number, why: string, cause?: unknown): EvolveError {
  return new EvolveError('HEADER_UNKNOWN', `data ${height} came before its header: ${why}`, {
    verdict: 'ignore',
    data: { height },
    cause,
  })
}
