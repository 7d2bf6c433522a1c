/*
 * Records of the block store: how they lie under their keys, and what is said when one is not as it was written.
 */
import type { Kv, KvOp } from '../core/kv.ts'
import type { BlockSave } from '../core/block-store.ts'
import {
  decodeP2PData,
  decodeP2PSignedHeader,
  decodeState,
  encodeP2PData,
  encodeP2PSignedHeader,
  encodeState,
} from '../types/codec.ts'
import { dataHash, type P2PData } from '../types/data.ts'
import { headerHash, type P2PSignedHeader } from '../types/header.ts'
import type { State } from '../types/state.ts'
import { toHex, uint64BigEndian } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { hashKey, heightKey, KEYS, METADATA, nameKey } from './keys.ts'

/** A kind of record that lies under a height. */
export interface RecordKind<T> {
  /** For messages. */
  readonly name: string
  readonly prefix: number
  decode(bytes: Uint8Array): T
  heightOf(record: T): number | undefined
}

/** Signed headers. */
export const HEADER_RECORD: RecordKind<P2PSignedHeader> = {
  name: 'header',
  prefix: KEYS.headers,
  decode: decodeP2PSignedHeader,
  heightOf: (record) => record.header.height,
}

/** Data. */
export const DATA_RECORD: RecordKind<P2PData> = {
  name: 'data',
  prefix: KEYS.data,
  decode: decodeP2PData,
  heightOf: (record) => record.metadata?.height,
}

/** States. */
export const STATE_RECORD: RecordKind<State> = {
  name: 'state',
  prefix: KEYS.states,
  decode: decodeState,
  heightOf: (record) => record.lastBlockHeight,
}

/** Key of the pointer to the last saved height. */
export const HEIGHT_KEY: Uint8Array = nameKey(KEYS.metadata, METADATA.height)

/** The record that `bytes` of a height must be. Throws `STORE_CORRUPT` when they are something else. */
export function decodeRecord<T>(kind: RecordKind<T>, height: number, bytes: Uint8Array): T {
  let record: T
  try {
    record = kind.decode(bytes)
  } catch (error) {
    throw corrupt(kind, height, 'does not decode', error)
  }
  const found = kind.heightOf(record)
  if (found !== height) throw corrupt(kind, height, `is one of height ${found}`)
  return record
}

/** The error of a record that is not what was written. */
export function corrupt(
  kind: Pick<RecordKind<unknown>, 'name' | 'prefix'>,
  height: number,
  what: string,
  cause?: unknown,
): EvolveError {
  const key = toHex(heightKey(kind.prefix, height))
  return new EvolveError('STORE_CORRUPT', `the ${kind.name} of height ${height} (key ${key}) ${what}`, {
    data: { key, height },
    cause,
    verdict: 'halt',
  })
}

/** Reads the record of a height as it lies there, whatever heights there should be. Throws `STORE_CORRUPT`. */
export async function readRecord<T>(kv: Kv, kind: RecordKind<T>, height: number): Promise<T | undefined> {
  const bytes = await kv.get(heightKey(kind.prefix, height))
  return bytes === undefined ? undefined : decodeRecord(kind, height, bytes)
}

/** Saves the state after a height. */
export function stateOp(state: State): KvOp {
  return { type: 'put', key: heightKey(KEYS.states, state.lastBlockHeight), value: encodeState(state) }
}

/** Makes `height` the last saved height. */
export function heightOp(height: number): KvOp {
  return { type: 'put', key: HEIGHT_KEY, value: uint64BigEndian(height) }
}

/** Changes that save a block's header, data and their indexes. */
export function blockOps({ header, data }: Pick<BlockSave, 'header' | 'data'>): KvOp[] {
  const { height } = header.header
  const pointer = uint64BigEndian(height)
  return [
    { type: 'put', key: heightKey(KEYS.headers, height), value: encodeP2PSignedHeader(header) },
    { type: 'put', key: hashKey(KEYS.headerHashes, headerHash(header.header)), value: pointer },
    { type: 'put', key: heightKey(KEYS.data, height), value: encodeP2PData(data) },
    { type: 'put', key: hashKey(KEYS.dataHashes, dataHash(data)), value: pointer },
  ]
}
