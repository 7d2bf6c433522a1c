/*
 * What is kept of DA, in a part of the database of its own: how far it was read, which DA blocks those were, where
 * headers and data of our chain were found, and halves of blocks whose other half has not come yet.
 */
import { hashKey, heightKey, heightOfKey, parseHeight } from '../core/record-keys.ts'
import type { Kv, KvOp, KvRange } from '../core/kv.ts'
import { concatBytes, uint64BigEndian } from '../util/bytes.ts'

/** The halves of a block as they lie on DA. */
export type HalfKind = 'header' | 'data'

/** One half of a block: for headers the header hash, for data the DA commitment. */
export interface HalfName {
  readonly height: number
  readonly kind: HalfKind
  readonly hash: Uint8Array
}

/** A name as text: the key of a map. Not for people. */
export function textOf({ height, kind, hash }: HalfName): string {
  const text: string = Reflect.apply(String.fromCharCode, undefined, hash)
  return `${kind}${height}/${text}`
}

/** First byte of each kind of key within the part. Values never change. */
const KEYS = { cursor: 0x63, blocks: 0x62, inclusions: 0x69, halves: 0x70 } as const
const KINDS = { header: 0, data: 1 } as const satisfies Record<HalfKind, number>

/** Key of the cursor: one record, as the reader of DA writes it. */
export const CURSOR_KEY: Uint8Array = Uint8Array.of(KEYS.cursor)

/** Key of the hash of a DA block that was read. */
export function daBlockKey(daHeight: number): Uint8Array {
  return heightKey(KEYS.blocks, daHeight)
}

/** DA heights from `from` up to and without `to` in the order of {@link daBlockKey}. */
export function daBlockRange(from: number, to: number): KvRange {
  return { gte: heightKey(KEYS.blocks, from), lt: heightKey(KEYS.blocks, to) }
}

/** DA height in a key of {@link daBlockRange}. */
export function daHeightOfKey(key: Uint8Array): number | undefined {
  return heightOfKey(key)
}

function nameKey(prefix: number, { height, kind, hash }: HalfName): Uint8Array {
  return concatBytes(heightKey(prefix, height), hashKey(KINDS[kind], hash))
}

/** The half a key of {@link inclusionRange} or {@link halfRange} is of. */
export function halfOfKey(key: Uint8Array): HalfName | undefined {
  const height = heightOfKey(key.subarray(0, 9))
  const kind = key[9] === KINDS.header ? 'header' : key[9] === KINDS.data ? 'data' : undefined
  if (height === undefined || kind === undefined || key.length <= 10) return undefined
  return { height, kind, hash: key.slice(10) }
}

/** Key under which the DA height lies at which a half was found first: {@link uint64BigEndian}. */
export function inclusionKey(name: HalfName): Uint8Array {
  return nameKey(KEYS.inclusions, name)
}

/** Inclusions of block heights from `from` up to and without `to`. */
export function inclusionRange(from: number, to: number): KvRange {
  return { gte: heightKey(KEYS.inclusions, from), lt: heightKey(KEYS.inclusions, to) }
}

/** Key under which a half waits for the other: its DA height ({@link uint64BigEndian}) and its bytes on DA. */
export function halfKey(name: HalfName): Uint8Array {
  return nameKey(KEYS.halves, name)
}

/** Waiting halves of block heights from `from` up to and without `to`. */
export function halfRange(from: number, to: number): KvRange {
  return { gte: heightKey(KEYS.halves, from), lt: heightKey(KEYS.halves, to) }
}

/** Notes that a half was found at a DA height. */
export function inclusionOp(name: HalfName, daHeight: number): KvOp {
  return { type: 'put', key: inclusionKey(name), value: uint64BigEndian(daHeight) }
}

/** The DA height at which a half was found first; undefined when it was not. */
export async function inclusionOf(kv: Kv, name: HalfName): Promise<number | undefined> {
  const bytes = await kv.get(inclusionKey(name))
  return bytes === undefined ? undefined : parseHeight(bytes)
}
