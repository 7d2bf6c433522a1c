/*
 * Every key of the database. A key is one prefix byte and then a height (eight bytes, big endian, so that a scan
 * goes by height), a hash, or a name; what follows a prefix of another owner is that owner's business.
 */
import { heightKey } from '../core/record-keys.ts'

export { hashKey, heightKey, heightOfKey, nameKey, parseHeight } from '../core/record-keys.ts'

/** First byte of the keys of each part. Values never change; a prefix that is no longer used moves to {@link RETIRED_KEYS}. */
export const KEYS = {
  /** `h`: height → P2PSignedHeader as it travels. */
  headers: 0x68,
  /** `i`: header hash → height. */
  headerHashes: 0x69,
  /** `d`: height → P2PData as it travels. */
  data: 0x64,
  /** `j`: data hash → height. */
  dataHashes: 0x6a,
  /** `s`: height → state after the block of that height. */
  states: 0x73,
  /** `m`: name of {@link METADATA} → bytes. */
  metadata: 0x6d,
  /** `1`: Pointers of the header store. */
  headerMeta: 0x31,
  /** `2`: Pointers of the data store. */
  dataMeta: 0x32,
  /** `t`: start of a transaction's SHA-256, height, index in the block → nothing. */
  transactions: 0x74,
  /** `3`: Pointer of the transaction index. */
  transactionMeta: 0x33,
  /** `q`: Transactions waiting in the sequencer. */
  queue: 0x71,
  /** `x`: State of the embedded executors. */
  executor: 0x78,
  /** `p`: The block that is being produced. */
  producer: 0x70,
  /** `a`: How far DA was read, and what was found there. */
  da: 0x61,
  /** `u`: What was submitted to DA. */
  submitted: 0x75,
} as const

/** Prefixes of earlier formats, not to be used for anything else. None so far. */
export const RETIRED_KEYS: readonly number[] = []

/** Names under {@link KEYS.metadata}. Those that mean the same as in the Go node have its names. */
export const METADATA = {
  /** Format of this database. Written by `ensureFormat` alone. */
  format: 'format',
  /** Height of the last executed block: uint64 big endian. Written by the block store alone. */
  height: 't',
  /** Highest height both halves of which are on DA: uint64 little endian, as RPC clients read it. */
  daIncludedHeight: 'd',
  /** First DA height with a block of this chain: uint64 little endian. */
  genesisDaHeight: 'gdh',
  /** Highest height whose header was posted to DA: uint64 little endian. */
  lastSubmittedHeaderHeight: 'last-submitted-header-height',
  /** Highest height whose data was posted to DA: uint64 little endian. */
  lastSubmittedDataHeight: 'last-submitted-data-height',
  /** Highest height whose block was pruned: uint64 little endian. */
  lastPrunedBlockHeight: 'lst-prnd-b',
  /** Highest height whose state was pruned: uint64 little endian. */
  lastPrunedStateHeight: 'lst-prnd-s',
} as const

/** Name under which the DA height of a block's header lies: uint64 little endian. */
export function headerDaHeightName(height: number): string {
  return `rhb/${height}/h`
}

/** Name under which the DA height of a block's data lies: uint64 little endian. */
export function dataDaHeightName(height: number): string {
  return `rhb/${height}/d`
}

/** Bounds of all keys that begin with `prefix`; the prefix must not consist of 0xff alone. */
export function prefixRange(prefix: Uint8Array): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  const end = prefix.slice(0, prefix.findLastIndex((byte) => byte !== 0xff) + 1)
  if (end.length === 0) throw new RangeError('a prefix of 0xff bytes alone has no upper bound')
  end[end.length - 1] = (end.at(-1) ?? 0) + 1
  return { gte: prefix, lt: end }
}

/** Bounds of the keys of heights from `from` up to and without `to` under a prefix. */
export function heightRange(
  prefix: number,
  from: number,
  to: number,
): { readonly gte: Uint8Array; readonly lt: Uint8Array } {
  return { gte: heightKey(prefix, from), lt: heightKey(prefix, to) }
}
