/*
 * The block under way: made, perhaps executed and signed, not saved yet. Whatever happens, it is this block and no
 * other that will be saved at its height.
 */
import type { Block } from '../../core/block-store.ts'
import type { KvOp, KvPart } from '../../core/kv.ts'
import { decodeData, decodeSignedHeader, encodeData, encodeSignedHeader } from '../../types/codec.ts'
import { headerHash } from '../../types/header.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { WireReader, WireWriter } from '../../util/wire.ts'
import type { Tip } from '../validate-block.ts'

/** A block under way. */
export interface PendingBlock {
  /** Without a signature. */
  readonly block: Block
  /** What leaves the sequencer with it. */
  readonly upTo: number
}

/** Keeps one {@link PendingBlock}. */
export interface PendingRecord {
  /** Rejects with `PENDING_BLOCK_CORRUPT` (`halt`) when what is there is no such record. */
  load(): Promise<PendingBlock | undefined>
  /** Resolves when it is durable; takes the place of the one before. */
  save(pending: PendingBlock): Promise<void>
  /** The changes that `save` makes, to be written in one batch with the block before it. */
  saving(pending: PendingBlock): KvOp[]
  /** The changes that remove it, to be written in one batch with the block. */
  removal(): KvOp[]
  /** Removes it, durably: a block that was never reserved in the ledger may be another one after all. */
  remove(): Promise<void>
}

const KEY = Uint8Array.of(0)

/** Makes a {@link PendingRecord} over its own part of the database. */
export function createPendingRecord({ kv }: { readonly kv: KvPart }): PendingRecord {
  const put = (pending: PendingBlock): KvOp => ({ type: 'put', key: KEY, value: encode(pending) })
  return {
    async load() {
      const bytes = await kv.get(KEY)
      return bytes === undefined ? undefined : decode(bytes)
    },
    async save(pending) {
      await kv.batch([put(pending)], { sync: true })
    },
    saving: (pending) => kv.whole([put(pending)]),
    removal: () => kv.whole([{ type: 'del', key: KEY }]),
    async remove() {
      await kv.batch([{ type: 'del', key: KEY }], { sync: true })
    },
  }
}

function encode({ block: { header, data }, upTo }: PendingBlock): Uint8Array {
  const encoded = encodeData(data)
  return new WireWriter(encoded.length + 1_024)
    .presentBytes(1, encodeSignedHeader(header))
    .presentBytes(2, encoded)
    .presentUint(3, upTo)
    .finish()
}

function decode(bytes: Uint8Array): PendingBlock {
  let header: Uint8Array | undefined
  let data: Uint8Array | undefined
  let upTo: number | undefined
  try {
    const reader = new WireReader(bytes)
    for (let field = reader.next(); field !== undefined; field = reader.next()) {
      if (field.number === 1) header = reader.bytes(field, 'header')
      else if (field.number === 2) data = reader.bytes(field, 'data')
      else if (field.number === 3) upTo = reader.uint(field, 'up_to')
      else reader.skip(field)
    }
    if (header !== undefined && data !== undefined && upTo !== undefined) {
      return { block: { header: decodeSignedHeader(header), data: decodeData(data) }, upTo }
    }
  } catch (cause) {
    throw corrupt('does not decode', cause)
  }
  throw corrupt('is incomplete')
}

function corrupt(what: string, cause?: unknown): EvolveError {
  return new EvolveError('PENDING_BLOCK_CORRUPT', `the record of the block under way ${what}`, {
    verdict: 'halt',
    cause,
  })
}

/**
 * The block under way, if the chain has not passed it. Throws `PENDING_BLOCK_MISFIT` (`halt`) when it is not the next
 * block of this chain: one that was signed perhaps must not be thrown away.
 */
export function fittingPending({ state }: Tip, pending: PendingBlock | undefined): PendingBlock | undefined {
  if (pending === undefined) return undefined
  const { header } = pending.block.header
  const next = state.lastBlockHeight + 1
  if (header.height < next) return undefined
  if (
    header.height === next &&
    header.chainId === state.chainId &&
    equalBytes(header.lastHeaderHash, state.lastHeaderHash) &&
    equalBytes(header.appHash, state.appHash)
  ) {
    return pending
  }
  throw new EvolveError(
    'PENDING_BLOCK_MISFIT',
    `the block under way has height ${header.height} and follows header ${shown(header.lastHeaderHash)} and state root ${shown(header.appHash)}, ` +
      `but our chain ends at height ${state.lastBlockHeight} with header ${shown(state.lastHeaderHash)} and state root ${shown(state.appHash)}`,
    { verdict: 'halt', data: { height: header.height, hash: toHex(headerHash(header)), next } },
  )
}

function shown(hash: Uint8Array): string {
  return hash.length === 0 ? 'none' : toHex(hash)
}
