/*
 * Which blobs of one DA height are worth keeping. Anybody may post as much as a DA block holds, and what is ours may
 * stand anywhere among it.
 */
import { sha256 } from '#crypto'
import type { Blob } from '../../core/da.ts'
import type { Proposers } from '../../core/proposers.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { type DropReason, decodeFound, type Found, type FoundData, type FoundHeader } from './found.ts'
import { isSignedAsFound, isSignedBy } from './signed.ts'

/** What a half weighs in memory beyond its bytes. */
const HALF_OVERHEAD = 1_024

/** What a {@link Sieve} goes by. */
export interface SieveOptions {
  /** Larger blobs are passed over. */
  readonly maxBlobBytes: number
  /** Those of other chains are passed over; all chains count when undefined. */
  readonly chainId: string | undefined
  /** With more than so many bytes kept, a half stays only when a proposer of its height has signed it. */
  readonly crowdedBytes: number
  /** Nothing counts as crowded when undefined. */
  readonly proposers: SieveProposers | undefined
  /** Bytes that others keep of the same DA height [0]. */
  readonly keptBeside?: () => number
}

/** What a sieve knows of proposers. */
export type SieveProposers = Pick<Proposers, 'expected' | 'provenUpTo'>

/** Sorts the blobs of one DA height, or of one namespace there. */
export interface Sieve {
  readonly headers: readonly FoundHeader[]
  readonly data: readonly FoundData[]
  /** How many were passed over, by reason. */
  readonly drops: ReadonlyMap<DropReason, number>
  /** Highest block height of halves that were passed over because the DA height was crowded, whoever they are by. */
  readonly crowdedOut: number | undefined
  /** What is kept, and what was looked at, in bytes of memory. */
  readonly keptBytes: number
  readonly seenBytes: number
  /** Whether a blob may matter. */
  readonly keep: (blob: Blob) => boolean
  /** Takes blobs in their order. Those that were not asked about before are now. */
  take(blobs: readonly Blob[]): void
}

/**
 * Whether `author` may be the proposer of a height. After a restart it is not known when the last proposer took over,
 * so below that the first and the last one may both be.
 */
function mayPropose(proposers: SieveProposers, height: number, author: Uint8Array): boolean {
  const expected = (at: number): boolean => equalBytes(author, proposers.expected(at))
  if (expected(height)) return true
  return height <= proposers.provenUpTo && (expected(0) || expected(Number.MAX_SAFE_INTEGER))
}

/** Makes a {@link Sieve}. An answer that broke off is read anew with another one. */
export function createSieve(options: SieveOptions): Sieve {
  const { maxBlobBytes, chainId, crowdedBytes, proposers, keptBeside = () => 0 } = options
  const headers: FoundHeader[] = []
  const data: FoundData[] = []
  const drops = new Map<DropReason, number>()
  const known = new WeakMap<Blob, Exclude<Found, { kind: 'dropped' }>>()
  /** Hashes of what was kept since it is crowded: what the proposer signed may be posted again by anybody. */
  const copies = new Set<string>()
  let crowdedOut: number | undefined
  let keptBytes = 0
  let seenBytes = 0

  /** Whether a half stays although it is crowded. */
  function matters(one: Exclude<Found, { kind: 'dropped' }>): boolean {
    const isHeader = one.kind === 'header'
    const height = isHeader ? one.found.header.header.height : one.found.height
    const author = isHeader ? one.found.header.header.proposerAddress : one.found.signer.address
    if (proposers === undefined) return true
    if (!mayPropose(proposers, height, author)) {
      crowdedOut = Math.max(height, crowdedOut ?? height)
      return false
    }
    const hash = toHex(sha256(one.found.bytes))
    if (copies.has(hash) || !(isHeader ? isSignedAsFound(one.found) : isSignedBy(one.found, author)))
      return false
    copies.add(hash)
    return true
  }

  function sort(bytes: Uint8Array): Found {
    const one = decodeFound(bytes, maxBlobBytes)
    if (one.kind === 'dropped') return one
    const chain = one.kind === 'header' ? one.found.header.header.chainId : one.found.chainId
    if (chainId !== undefined && chain !== chainId) return { kind: 'dropped', reason: 'other_chain' }
    if (keptBytes + keptBeside() <= crowdedBytes || matters(one)) return one
    return { kind: 'dropped', reason: 'crowded' }
  }

  function keep(blob: Blob): boolean {
    seenBytes += blob.data.length + HALF_OVERHEAD
    const one = sort(blob.data)
    if (one.kind === 'dropped') {
      drops.set(one.reason, (drops.get(one.reason) ?? 0) + 1)
      return false
    }
    keptBytes += one.found.bytes.length + HALF_OVERHEAD
    known.set(blob, one)
    return true
  }

  return {
    headers,
    data,
    drops,
    get crowdedOut() {
      return crowdedOut
    },
    get keptBytes() {
      return keptBytes
    },
    get seenBytes() {
      return seenBytes
    },
    keep,
    take(blobs) {
      for (const blob of blobs) {
        if (!known.has(blob)) keep(blob)
        const one = known.get(blob)
        if (one?.kind === 'header') headers.push(one.found)
        else if (one?.kind === 'data') data.push(one.found)
      }
    },
  }
}
