/*
 * Share commitments of blobs, as Celestia computes them.
 * Source: celestiaorg/go-square (shares, inclusion), celestiaorg/nmt, RFC 6962.
 */
import { sha256 } from '#crypto'
import { concatBytes } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'

const SHARE_BYTES = 512
const NAMESPACE_BYTES = 29
const INFO_BYTES = 1
const LENGTH_BYTES = 4
const FIRST_CONTENT = SHARE_BYTES - NAMESPACE_BYTES - INFO_BYTES - LENGTH_BYTES
const NEXT_CONTENT = SHARE_BYTES - NAMESPACE_BYTES - INFO_BYTES
const SUBTREE_ROOT_THRESHOLD = 64
const LEAF = 0
const INNER = 1

/** How many shares a blob of `length` bytes takes. */
export function shareCount(length: number): number {
  return length <= FIRST_CONTENT ? 1 : 1 + Math.ceil((length - FIRST_CONTENT) / NEXT_CONTENT)
}

/** A share of a blob as a leaf of the namespaced tree, not hashed yet: leaf prefix, namespace, share of version 0. */
export function shareLeaf(namespace: Uint8Array, data: Uint8Array, index: number): Uint8Array {
  const leaf = new Uint8Array(1 + NAMESPACE_BYTES + SHARE_BYTES)
  leaf[0] = LEAF
  leaf.set(namespace, 1)
  leaf.set(namespace, 1 + NAMESPACE_BYTES)
  const info = 1 + 2 * NAMESPACE_BYTES
  if (index === 0) {
    leaf[info] = 1
    new DataView(leaf.buffer).setUint32(info + INFO_BYTES, data.length)
    leaf.set(data.subarray(0, FIRST_CONTENT), info + INFO_BYTES + LENGTH_BYTES)
  } else {
    const start = FIRST_CONTENT + (index - 1) * NEXT_CONTENT
    leaf.set(data.subarray(start, start + NEXT_CONTENT), info + INFO_BYTES)
  }
  return leaf
}

function powerOfTwoFrom(value: number): number {
  let power = 1
  while (power < value) power *= 2
  return power
}

/** Most leaves of one subtree: never wider than the smallest square that holds the blob. */
function subtreeWidth(shares: number): number {
  return Math.min(
    powerOfTwoFrom(Math.ceil(shares / SUBTREE_ROOT_THRESHOLD)),
    powerOfTwoFrom(Math.ceil(Math.sqrt(shares))),
  )
}

/** Root of the namespaced tree over `size` shares (a power of two) from `first` on: namespace twice, then a hash. */
function subtreeRoot(namespace: Uint8Array, data: Uint8Array, first: number, size: number): Uint8Array {
  const hash =
    size === 1
      ? sha256(shareLeaf(namespace, data, first))
      : sha256(
          concatBytes(
            Uint8Array.of(INNER),
            subtreeRoot(namespace, data, first, size / 2),
            subtreeRoot(namespace, data, first + size / 2, size / 2),
          ),
        )
  return concatBytes(namespace, namespace, hash)
}

/** Root of the plain Merkle tree of RFC 6962. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves
  if (only === undefined) return sha256(new Uint8Array(0))
  if (leaves.length === 1) return sha256(concatBytes(Uint8Array.of(LEAF), only))
  const split = powerOfTwoFrom(leaves.length) / 2
  return sha256(
    concatBytes(Uint8Array.of(INNER), merkleRoot(leaves.slice(0, split)), merkleRoot(leaves.slice(split))),
  )
}

/**
 * Roots of the subtrees that a blob's shares are cut into, widest first (a Merkle mountain range): the namespace
 * twice, then a hash. The namespace has 29 bytes. Throws `INVALID_BLOB` for a namespace of another length and for a
 * blob without data, which Celestia refuses.
 */
export function subtreeRoots(namespace: Uint8Array, data: Uint8Array): Uint8Array[] {
  if (namespace.length !== NAMESPACE_BYTES) {
    throw new EvolveError(
      'INVALID_BLOB',
      `expected a namespace of ${NAMESPACE_BYTES} bytes, got ${namespace.length}`,
    )
  }
  if (data.length === 0) throw new EvolveError('INVALID_BLOB', 'expected a blob with data, got an empty one')
  const shares = shareCount(data.length)
  const width = subtreeWidth(shares)
  const roots: Uint8Array[] = []
  for (let first = 0; first < shares; ) {
    const left = shares - first
    const size = left >= width ? width : powerOfTwoFrom(left + 1) / 2
    roots.push(subtreeRoot(namespace, data, first, size))
    first += size
  }
  return roots
}

/**
 * The share commitment (32 bytes) of a blob of share version 0: the Merkle root over its {@link subtreeRoots}.
 * Throws `INVALID_BLOB` as they do.
 */
export function shareCommitment(namespace: Uint8Array, data: Uint8Array): Uint8Array {
  return merkleRoot(subtreeRoots(namespace, data))
}
