/*
 * The namespaced Merkle tree over the shares of a block: its root stands in the header, and blobs are proven by it.
 * Source: celestiaorg/nmt. A block has one row, as wide as it must be, without the parity shares of a real square.
 */
import { sha256 } from '#crypto'
import type { Blob } from '../../core/da.ts'
import { compareBytes, concatBytes, EMPTY_BYTES } from '../../util/bytes.ts'
import { shareCount, shareLeaf } from '../commitment.ts'

const NAMESPACE_BYTES = 29
const INNER = Uint8Array.of(1)

/** Proof that leaves from `start` up to and without `end` are in a tree: the roots of the subtrees beside them. */
export interface RangeProof {
  readonly start: number
  readonly end: number
  /** From left to right: lowest namespace, highest namespace, hash; 90 bytes each. */
  readonly nodes: readonly Uint8Array[]
}

/** Blobs in the order of their namespaces, those of one namespace in the order given; the same blobs otherwise. */
export function inSquareOrder(blobs: readonly Blob[]): Blob[] {
  return blobs.toSorted((a, b) => compareBytes(a.namespace, b.namespace))
}

/** Where the first share of each blob of a block lies. */
export function shareOffsets(blobs: readonly Blob[]): number[] {
  let offset = 0
  return blobs.map(({ data }) => {
    const start = offset
    offset += shareCount(data.length)
    return start
  })
}

/** Leaves of the tree over a block's blobs, hashed. */
function leavesOf(blobs: readonly Blob[]): Uint8Array[] {
  return blobs.flatMap(({ namespace, data }) =>
    Array.from({ length: shareCount(data.length) }, (_, index) =>
      concatBytes(namespace, namespace, sha256(shareLeaf(namespace, data, index))),
    ),
  )
}

/** The largest power of two below `count`, which is 2 or more. */
function splitOf(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

function parentOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  const lowest = left.subarray(0, NAMESPACE_BYTES)
  const highest = right.subarray(NAMESPACE_BYTES, 2 * NAMESPACE_BYTES)
  return concatBytes(lowest, highest, sha256(concatBytes(INNER, left, right)))
}

function rootOf(leaves: readonly Uint8Array[], from: number, to: number): Uint8Array {
  if (to - from === 1) return leaves[from] ?? EMPTY_BYTES
  const middle = from + splitOf(to - from)
  return parentOf(rootOf(leaves, from, middle), rootOf(leaves, middle, to))
}

/** Root (90 bytes) of the tree over a block's blobs, which are in square order. Empty when there are none. */
export function namespacedRoot(blobs: readonly Blob[]): Uint8Array {
  const leaves = leavesOf(blobs)
  return leaves.length === 0 ? EMPTY_BYTES : rootOf(leaves, 0, leaves.length)
}

/** Proof of the shares of the blob at `index` among a block's blobs, which are in square order. */
export function proveBlob(blobs: readonly Blob[], index: number): RangeProof {
  const leaves = leavesOf(blobs)
  const start = shareOffsets(blobs)[index] ?? 0
  const end = start + shareCount(blobs[index]?.data.length ?? 0)
  const nodes: Uint8Array[] = []
  const walk = (from: number, to: number): void => {
    if (to <= start || from >= end) nodes.push(rootOf(leaves, from, to))
    else if (to - from > 1) {
      const middle = from + splitOf(to - from)
      walk(from, middle)
      walk(middle, to)
    }
  }
  walk(0, leaves.length)
  return { start, end, nodes }
}
