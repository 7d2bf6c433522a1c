import type { Kv, KvOp } from '../core/kv.ts'
import { dataHash } from '../types/data.ts'
import { headerHash } from '../types/header.ts'
import { isEvolveError } from '../util/errors.ts'
import { inclusionRemovals } from './inclusions.ts'
import { hashKey, heightOfKey, heightRange, KEYS, prefixRange } from './keys.ts'
import { DATA_RECORD, HEADER_RECORD, heightOp, type RecordKind } from './records.ts'
import { indexedOp, readIndexed, txIndexRemovals } from './tx-keys.ts'

/** Heights removed in one batch. */
const HEIGHTS_PER_BATCH = 1_000
/** Changes of data and transactions after which a batch takes no further height. */
const CHANGES_PER_BATCH = 10_000

/**
 * Removes headers, data, their indexes and states above `height`, also of heights that were never executed, from
 * the highest down. `saved` is the height of the last saved block; the pointer to it goes down with each batch, so
 * that the database is whole after every one of them and the work can be taken up again after a crash.
 * Calls `beforeBatch` with the height of the last block that each batch leaves.
 */
export async function removeAbove(
  kv: Kv,
  { height, saved }: { readonly height: number; readonly saved: number },
  beforeBatch: (left: number) => Promise<void>,
): Promise<void> {
  let high = saved
  for (const prefix of [KEYS.headers, KEYS.data, KEYS.states]) {
    high = Math.max(high, await highest(kv, prefix))
  }
  while (high > height) {
    const lowest = Math.max(height + 1, high - HEIGHTS_PER_BATCH + 1)
    const { ops, low } = await removals(kv, DATA_RECORD, [lowest, high], (data, at) => [
      { type: 'del', key: hashKey(KEYS.dataHashes, dataHash(data)) },
      ...txIndexRemovals(at, data.txs),
    ])
    const left = Math.min(saved, low - 1)
    const headers = await removals(kv, HEADER_RECORD, [low, high], ({ header }) => [
      { type: 'del', key: hashKey(KEYS.headerHashes, headerHash(header)) },
    ])
    for (const op of [...headers.ops, heightOp(left)]) ops.push(op)
    for await (const key of kv.keys(heightRange(KEYS.states, low, high + 1))) ops.push({ type: 'del', key })
    ops.push(...(await inclusionRemovals(kv, low, high)))
    // Blocks that take the place of these are to be indexed.
    if ((await readIndexed(kv)) > left) ops.push(indexedOp(left))
    await beforeBatch(left)
    await kv.batch(ops, { sync: true })
    high = low - 1
  }
}

async function highest(kv: Kv, prefix: number): Promise<number> {
  const range = { ...prefixRange(Uint8Array.of(prefix)), reverse: true, limit: 1 }
  for await (const key of kv.keys(range)) return heightOfKey(key) ?? 0
  return 0
}

/**
 * Changes that remove records, and with each what `more` says: from `high` down to `lowest`, or to the height, `low`,
 * with which they are enough for one batch.
 */
async function removals<T>(
  kv: Kv,
  kind: RecordKind<T>,
  [lowest, high]: readonly [lowest: number, high: number],
  more: (record: T, height: number) => readonly KvOp[],
): Promise<{ readonly ops: KvOp[]; readonly low: number }> {
  const ops: KvOp[] = []
  for await (const key of kv.keys({ ...heightRange(kind.prefix, lowest, high + 1), reverse: true })) {
    ops.push({ type: 'del', key })
    const record = await undamaged(kv, kind, key)
    const height = heightOfKey(key)
    if (height === undefined) continue
    // One by one: a block may have more than a call takes arguments.
    if (record !== undefined) for (const op of more(record, height)) ops.push(op)
    if (ops.length >= CHANGES_PER_BATCH) return { ops, low: height }
  }
  return { ops, low: lowest }
}

/** Truncating is also the way out when a record is damaged; its index entry then stays and leads nowhere. */
async function undamaged<T>(kv: Kv, kind: RecordKind<T>, key: Uint8Array): Promise<T | undefined> {
  try {
    const bytes = await kv.get(key)
    return bytes === undefined ? undefined : kind.decode(bytes)
  } catch (error) {
    if (isEvolveError(error, 'STORE_CORRUPT', 'DECODE_FAILED')) return undefined
    throw error
  }
}
