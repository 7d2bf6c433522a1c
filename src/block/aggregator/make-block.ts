/*
 * What goes into a block: the transactions that fit, and a header that follows from the state before it.
 */
import type { Block } from '../../core/block-store.ts'
import type { Batch, Sequencer } from '../../core/sequencer.ts'
import { type Data, dataCommitment } from '../../types/data.ts'
import { type Header, signerOf } from '../../types/header.ts'
import { abortable } from '../../util/async.ts'
import { EMPTY_BYTES, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { varintLength } from '../../util/wire.ts'
import type { Tip } from '../validate-block.ts'

/** Bytes that metadata, signature, signer, and what carries a message between peers may take, chain ids apart. */
const ENVELOPE_ROOM = 1_024

/**
 * Bytes that the transactions of a block may take in its encoding, so that its data, signed as on DA or published to
 * peers, stays within `maxBlockBytes`. A chain id stands in the metadata and in the topic.
 */
export function roomForTxs(maxBlockBytes: number, chainId: string): number {
  return Math.max(0, maxBlockBytes - ENVELOPE_ROOM - 2 * utf8(chainId).length)
}

/** Bytes of the largest transaction that a block has room for: a larger one must not come into the sequencer. */
export function largestTx(maxBlockBytes: number, chainId: string): number {
  const room = roomForTxs(maxBlockBytes, chainId)
  return Math.max(0, room - 1 - varintLength(room))
}

/**
 * The next batch whose transactions take at most `room` bytes when encoded. A sequencer counts their bytes alone;
 * where what stands around them is too much, it is asked again for less. `after` as in `next` of {@link Sequencer}.
 */
export async function takeBatch(
  sequencer: Sequencer,
  room: number,
  options: { readonly after?: number; readonly signal: AbortSignal },
): Promise<Batch> {
  let maxBytes = room
  for (;;) {
    const batch = await abortable(sequencer.next({ ...options, maxBytes }), options.signal)
    const fitting = bytesThatFit(batch.txs, room)
    if (fitting === undefined) return batch
    if (maxBytes === 0) {
      throw new EvolveError(
        'BATCH_TOO_LARGE',
        `expected transactions of at most ${room} bytes, got ${batch.txs.length} that do not fit`,
        { verdict: 'halt', data: { room, txs: batch.txs.length } },
      )
    }
    maxBytes = Math.min(fitting, maxBytes - 1)
  }
}

/** Bytes of the transactions at the front that fit; undefined when all do. */
function bytesThatFit(txs: readonly Uint8Array[], room: number): number | undefined {
  let encoded = 0
  let bytes = 0
  for (const { length } of txs) {
    encoded += 1 + varintLength(length) + length
    if (encoded > room) return bytes
    bytes += length
  }
  return undefined
}

/** What a block is made of, besides the tip it follows. */
export interface BlockParts {
  readonly txs: readonly Uint8Array[]
  /** Unix nanoseconds. */
  readonly time: bigint
  /** Raw ed25519 key of the proposer. */
  readonly publicKey: Uint8Array
}

/**
 * The block that follows a tip, not signed yet. Throws `LAST_DATA_MISSING` (`halt`) when the data it must link to is not
 * known. Source: ev-node v1.2.3 block/internal/executing CreateBlock.
 */
export function makeBlock({ state, lastDataHash }: Tip, { txs, time, publicKey }: BlockParts): Block {
  const { chainId, lastBlockHeight } = state
  const height = lastBlockHeight + 1
  if (lastDataHash === undefined) {
    throw new EvolveError(
      'LAST_DATA_MISSING',
      `block ${height} must link to the data of height ${lastBlockHeight}, which is not in the store`,
      { verdict: 'halt', data: { height } },
    )
  }
  const data: Data = { metadata: { chainId, height, time, lastDataHash }, txs }
  const header: Header = {
    version: state.version,
    height,
    time,
    lastHeaderHash: state.lastHeaderHash,
    dataHash: dataCommitment(data),
    appHash: state.appHash,
    proposerAddress: state.nextProposerAddress,
    validatorHash: EMPTY_BYTES,
    chainId,
  }
  return { header: { header, signature: EMPTY_BYTES, signer: signerOf(publicKey) }, data }
}
