/*
 * A block of the local DA and its record in the log.
 */
import { sha256 } from '#crypto'
import type { Blob } from '../../core/da.ts'
import { EMPTY_BYTES } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { WireReader, WireWriter } from '../../util/wire.ts'
import { merkleRoot } from '../commitment.ts'
import { inSquareOrder, namespacedRoot, shareOffsets } from './namespaced-tree.ts'

/** Chain id in the headers of the local DA. */
export const LOCAL_CHAIN_ID = 'local-da'

/** A block of the local DA. */
export interface LocalBlock {
  /** The first block, which is empty, has height 0. */
  readonly height: number
  /** Unix nanoseconds; later than the block below. */
  readonly time: bigint
  /** Hash of the block below, empty at height 0. */
  readonly previousHash: Uint8Array
  /** Root of the namespaced tree over its shares; empty when it has none. */
  readonly rowRoot: Uint8Array
  /** Covers everything in the block, and by `previousHash` the whole chain below. */
  readonly hash: Uint8Array
  /** In the order of their namespaces. */
  readonly blobs: readonly Blob[]
}

/** Merkle root over the rows of a block, which its hash covers. */
export function dataHash({ rowRoot }: Pick<LocalBlock, 'rowRoot'>): Uint8Array {
  return merkleRoot(rowRoot.length === 0 ? [] : [rowRoot])
}

function withHash(block: Omit<LocalBlock, 'hash'>): LocalBlock {
  const writer = new WireWriter()
    .string(1, LOCAL_CHAIN_ID)
    .presentUint(2, block.height)
    .presentUint64(3, block.time)
    .presentBytes(4, block.previousHash)
    .presentBytes(5, dataHash(block))
  return { ...block, hash: sha256(writer.view()) }
}

/** The block above `previous`. Blobs get the place of their first share, or keep the one they have with `keepIndex`. */
export function blockAbove(
  previous: LocalBlock | undefined,
  {
    now,
    blobs,
    keepIndex = false,
  }: { readonly now: bigint; readonly blobs: readonly Blob[]; readonly keepIndex?: boolean },
): LocalBlock {
  const ordered = inSquareOrder(blobs)
  const offsets = shareOffsets(ordered)
  return withHash({
    height: previous === undefined ? 0 : previous.height + 1,
    // The clock may stand still or step back; a chain's time does not.
    time: previous === undefined || now > previous.time ? now : previous.time + 1n,
    previousHash: previous?.hash ?? EMPTY_BYTES,
    rowRoot: namespacedRoot(ordered),
    blobs: keepIndex ? ordered : ordered.map((blob, i) => ({ ...blob, index: offsets[i] ?? 0 })),
  })
}

function encodeBlob({ namespace, data, shareVersion, commitment, index }: Blob): Uint8Array {
  return new WireWriter(data.length + 128)
    .bytes(1, namespace)
    .bytes(2, data)
    .uint(3, shareVersion)
    .bytes(4, commitment)
    .uint(5, index + 1)
    .finish()
}

function decodeBlob(record: Uint8Array): Blob {
  const reader = new WireReader(record)
  let blob: Blob = {
    namespace: EMPTY_BYTES,
    data: EMPTY_BYTES,
    shareVersion: 0,
    commitment: EMPTY_BYTES,
    index: -1,
  }
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 1) blob = { ...blob, namespace: reader.bytes(field, 'namespace') }
    else if (field.number === 2) blob = { ...blob, data: reader.bytes(field, 'data') }
    else if (field.number === 3) blob = { ...blob, shareVersion: reader.uint(field, 'share version') }
    else if (field.number === 4) blob = { ...blob, commitment: reader.bytes(field, 'commitment') }
    else if (field.number === 5) blob = { ...blob, index: reader.uint(field, 'index') - 1 }
    else reader.skip(field)
  }
  return blob
}

/** The record of a block. */
export function encodeBlock(block: LocalBlock): Uint8Array {
  const blobs = block.blobs.map(encodeBlob)
  const writer = new WireWriter(blobs.reduce((sum, { length }) => sum + length + 8, 256))
    .uint(1, block.height)
    .uint64(2, block.time)
    .bytes(3, block.previousHash)
    .bytes(4, block.rowRoot)
  for (const blob of blobs) writer.presentBytes(5, blob)
  return writer.finish()
}

/** The block of a record; its bytes are views of it. Throws `STORE_CORRUPT` when it is not that of `height`. */
export function decodeBlock(height: number, record: Uint8Array): LocalBlock {
  const reader = new WireReader(record)
  const blobs: Blob[] = []
  let block = { height: 0, time: 0n, previousHash: EMPTY_BYTES, rowRoot: EMPTY_BYTES, blobs }
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field.number === 1) block = { ...block, height: reader.uint(field, 'height') }
    else if (field.number === 2) block = { ...block, time: reader.uint64(field, 'time') }
    else if (field.number === 3) block = { ...block, previousHash: reader.bytes(field, 'previous hash') }
    else if (field.number === 4) block = { ...block, rowRoot: reader.bytes(field, 'row root') }
    else if (field.number === 5) blobs.push(decodeBlob(reader.bytes(field, 'blob')))
    else reader.skip(field)
  }
  if (block.height !== height) {
    throw new EvolveError('STORE_CORRUPT', `expected DA block ${height} in its record, got ${block.height}`, {
      data: { height },
      verdict: 'halt',
    })
  }
  return withHash(block)
}
