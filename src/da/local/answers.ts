/*
 * Blocks and proofs as celestia-node's JSON-RPC has them.
 */
import { formatTimestamp } from '../../types/timestamp.ts'
import { equalBytes, toBase64, toHex } from '../../util/bytes.ts'
import { type BlobJson, blobToJson } from '../blob.ts'
import { subtreeRoots } from '../commitment.ts'
import { dataHash, LOCAL_CHAIN_ID, type LocalBlock } from './block.ts'
import { proveBlob } from './namespaced-tree.ts'

function upperHex(bytes: Uint8Array): string {
  return toHex(bytes).toUpperCase()
}

function rawHeader(block: LocalBlock): Record<string, unknown> {
  return {
    chain_id: LOCAL_CHAIN_ID,
    height: block.height,
    time: formatTimestamp(block.time),
    last_block_id: { hash: upperHex(block.previousHash) },
    data_hash: upperHex(dataHash(block)),
  }
}

/**
 * The header of a block. The height is a number under `header` and a text beside it, because readers exist for
 * either; the hash stands where celestia-node has it, in the commit.
 */
export function headerJson(block: LocalBlock): Record<string, unknown> {
  const { height, hash, previousHash, rowRoot } = block
  const header = rawHeader(block)
  return {
    header,
    commit: { height, block_id: { hash: upperHex(hash) } },
    dah: { row_roots: rowRoot.length === 0 ? [] : [toBase64(rowRoot)], column_roots: [] },
    height: String(height),
    last_header_hash: toBase64(previousHash),
    chain_id: LOCAL_CHAIN_ID,
    time: header['time'],
  }
}

/**
 * Blobs of some namespaces, in the order of `namespaces`, or all when none are given; null when there are none,
 * as celestia-node says it.
 */
export function blobsJson(block: LocalBlock, namespaces: readonly Uint8Array[]): BlobJson[] | null {
  const found =
    namespaces.length === 0
      ? block.blobs
      : namespaces.flatMap((wanted) => block.blobs.filter(({ namespace }) => equalBytes(namespace, wanted)))
  return found.length === 0 ? null : found.map(blobToJson)
}

/** What a subscriber to a namespace gets of a block. */
export function blobEventJson(block: LocalBlock, namespace: Uint8Array): Record<string, unknown> {
  return { blobs: blobsJson(block, [namespace]), height: block.height, header: rawHeader(block) }
}

/** Proof of a blob of a block, of one row; it can be checked against the row root in the header. */
export function proofJson(block: LocalBlock, index: number): readonly Record<string, unknown>[] {
  const { start, end, nodes } = proveBlob(block.blobs, index)
  return [{ start, end, nodes: nodes.map(toBase64) }]
}

/**
 * What leads from a blob to its share commitment, which is the Merkle root over the subtree roots. Where the subtrees
 * lie in a square is not told: this DA has none.
 */
export function commitmentProofJson(namespace: Uint8Array, data: Uint8Array): Record<string, unknown> {
  return {
    subtree_roots: subtreeRoots(namespace, data).map(toBase64),
    namespace_id: toBase64(namespace.subarray(1)),
    namespace_version: namespace[0] ?? 0,
  }
}

/** Whether a proof that somebody sends is the one of {@link proofJson}; fields that are zero or empty may be left out. */
export function isSameProof(given: unknown, own: readonly Record<string, unknown>[]): boolean {
  const plain = (one: unknown): unknown => {
    const get = (name: string, fallback: unknown): unknown =>
      typeof one === 'object' && one !== null ? (Reflect.get(one, name) ?? fallback) : fallback
    return [
      get('start', 0),
      get('end', 0),
      get('nodes', []),
      get('leaf_hash', ''),
      get('is_max_namespace_ignored', false),
    ]
  }
  return Array.isArray(given) && JSON.stringify(given.map(plain)) === JSON.stringify(own.map(plain))
}
