/*
 * How the queue lies in its part of the database. A record holds the transactions of one write, under the number of
 * its first: eight bytes, big endian. One more record says how far transactions have left, and the height up to which
 * none waits that lies in a block; records that have left entirely are deleted with it. So what a block takes out costs one small write, however records were cut.
 *
 * A write that failed may have happened all the same. The next one goes to the same key and so takes its place.
 */
import { sha256Name } from '#crypto'
import type { Kv, KvOp, KvPart } from '../core/kv.ts'
import { parseHeight } from '../core/record-keys.ts'
import { concatBytes, uint64BigEndian, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { WireReader, WireWriter } from '../util/wire.ts'
import { type Entry, TxQueue } from './queue.ts'

/** Number of the last transaction that has left, and the settled height: uint64 big endian each. */
const DONE_KEY = utf8('done')

/** Bounds of the keys of records: all numbers up to 2^53 - 1. */
const RECORDS = { gte: new Uint8Array(8), lt: Uint8Array.of(0, 0x20) }

/** Adds a record whose first transaction has the number `first`. */
export function recordOp(first: number, entries: readonly Entry[]): KvOp {
  let room = 0
  for (const { tx } of entries) room += tx.length + 6
  const writer = new WireWriter(room)
  for (const { tx } of entries) writer.presentBytes(1, tx)
  return { type: 'put', key: uint64BigEndian(first), value: writer.finish() }
}

/** Takes out everything up to `upTo`, for the block of `height`. */
export function removalOps(queue: TxQueue, upTo: number, height: number): KvOp[] {
  const done = Math.max(upTo, queue.done)
  return [
    { type: 'put', key: DONE_KEY, value: concatBytes(uint64BigEndian(done), uint64BigEndian(height)) },
    ...queue.recordsUpTo(done).map(deletion),
  ]
}

/**
 * Lets only `staying` wait, with new numbers: a number that was in a batch never stands for anything else. They are one
 * record, under the key that the next write would take, and so in the place of one that failed.
 */
export function renumberingOps(queue: TxQueue, staying: readonly Entry[], height: number): KvOp[] {
  const { last } = queue
  return [
    ...removalOps(queue, last, height),
    staying.length > 0 ? recordOp(last + 1, staying) : deletion(last + 1),
  ]
}

/**
 * Changes of the whole database after which blocks above `height` are looked through again for what waits, since others
 * may come to lie there.
 */
export async function settledUpToOps(kv: KvPart, height: number): Promise<KvOp[]> {
  const stored = await kv.get(DONE_KEY)
  const settled = stored === undefined ? undefined : parseHeight(stored.subarray(8))
  if (stored === undefined || settled === undefined || settled <= height) return []
  const value = concatBytes(stored.subarray(0, 8), uint64BigEndian(height))
  return kv.whole([{ type: 'put', key: DONE_KEY, value }])
}

function deletion(first: number): KvOp {
  return { type: 'del', key: uint64BigEndian(first) }
}

/** Reads the whole queue. Throws `STORE_CORRUPT`, also when a record is missing. */
export async function loadQueue(kv: Kv, signal: AbortSignal | undefined): Promise<TxQueue> {
  const stored = await kv.get(DONE_KEY)
  const done = stored === undefined ? 0 : parseHeight(stored.subarray(0, 8))
  const settledHeight = stored === undefined ? 0 : parseHeight(stored.subarray(8))
  if (done === undefined || settledHeight === undefined) throw corrupt('have an end that is no number')
  const queue = new TxQueue(done, settledHeight)
  for await (const [key, value] of kv.range(RECORDS)) {
    signal?.throwIfAborted()
    const first = parseHeight(key)
    if (first === undefined || first === 0) throw corrupt('have a key that is no number')
    const entries = decode(first, value).map((tx) => ({ tx, name: sha256Name(tx) }))
    const expected = queue.last + 1
    // Only the first record may have left in part.
    const begins = queue.size === 0 ? first <= expected : first === expected
    if (!begins || first + entries.length <= expected) {
      throw corrupt(`have ${entries.length} from number ${first} on where number ${expected} should be`)
    }
    queue.append(first, entries)
  }
  return queue
}

function decode(first: number, value: Uint8Array): Uint8Array[] {
  const txs: Uint8Array[] = []
  try {
    const reader = new WireReader(value)
    for (let field = reader.next(); field !== undefined; field = reader.next()) {
      if (field.number === 1) txs.push(reader.copiedBytes(field, 'transaction'))
      else throw corrupt(`have a field ${field.number} under number ${first}`)
    }
  } catch (cause) {
    throw corrupt(`cannot be read from number ${first} on`, cause)
  }
  return txs
}

function corrupt(what: string, cause?: unknown): EvolveError {
  return new EvolveError('STORE_CORRUPT', `the transactions waiting in the sequencer ${what}`, {
    verdict: 'halt',
    cause,
  })
}
