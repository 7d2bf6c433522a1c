/*
 * Submissions that are not final yet: what DA said it took, until it was seen there and cannot go away any more.
 */
import { parseHeight } from '../../core/record-keys.ts'
import { concatBytes, uint64BigEndian } from '../../util/bytes.ts'

/** Headers or data from one height to another, posted together. What lies between may have been posted before. */
export interface Posted {
  readonly from: number
  readonly to: number
  /** DA height that holds them, as the DA node said. */
  readonly daHeight: number
  /** All of it was seen on DA. Known in memory only. */
  readonly found: boolean
}

/** Submissions remembered by one lane. Beyond, neighbours count as one, found when the later one is. */
export const MAX_OUTSTANDING = 256

const POSTED_BYTES = 24

/** Whether a height was posted and waits to be seen. */
export function covers(all: readonly Posted[], height: number): boolean {
  return all.some(({ from, to }) => from <= height && height <= to)
}

/** One more submission, in the order of heights and within the bound. */
export function withPosted(all: readonly Posted[], posted: Posted): readonly Posted[] {
  const sorted = [...all, posted].toSorted((a, b) => a.from - b.from)
  const [first, second, ...rest] = sorted
  if (sorted.length <= MAX_OUTSTANDING || first === undefined || second === undefined) return sorted
  const merged: Posted = {
    from: first.from,
    to: Math.max(first.to, second.to),
    daHeight: Math.max(first.daHeight, second.daHeight),
    found: first.found && second.found,
  }
  return [merged, ...rest]
}

/** What is left of submissions between two heights, both included. */
export function within(all: readonly Posted[], low: number, high: number): readonly Posted[] {
  if (all.every(({ from, to }) => from >= low && to <= high)) return all
  return all
    .map((posted) => ({ ...posted, from: Math.max(posted.from, low), to: Math.min(posted.to, high) }))
    .filter(({ from, to }) => from <= to)
}

/** For each submission its first and last height and its DA height, eight bytes big endian each. */
export function encodeOutstanding(all: readonly Posted[]): Uint8Array {
  return concatBytes(
    ...all.flatMap(({ from, to, daHeight }) => [from, to, daHeight].map((height) => uint64BigEndian(height))),
  )
}

/** The submissions in a record of {@link encodeOutstanding}; undefined when it is none. */
export function decodeOutstanding(bytes: Uint8Array): readonly Posted[] | undefined {
  if (bytes.length % POSTED_BYTES !== 0) return undefined
  const all: Posted[] = []
  for (let at = 0; at < bytes.length; at += POSTED_BYTES) {
    const [from, to, daHeight] = [0, 8, 16].map((offset) =>
      parseHeight(bytes.subarray(at + offset, at + offset + 8)),
    )
    if (from === undefined || to === undefined || daHeight === undefined || from > to) return undefined
    all.push({ from, to, daHeight, found: false })
  }
  return all
}
