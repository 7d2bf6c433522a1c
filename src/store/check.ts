import type { Kv } from '../core/kv.ts'
import { headerHash } from '../types/header.ts'
import type { State } from '../types/state.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { heightOfKey, heightRange } from './keys.ts'
import { corrupt, DATA_RECORD, HEADER_RECORD, readRecord, type RecordKind, STATE_RECORD } from './records.ts'

/**
 * Heights below the last that are looked through for gaps at start. An engine may lose a piece of its write-ahead
 * log and keep what came after it; older heights have left the log. The log holds at most twice 4 MiB, and a block
 * takes more than 512 bytes in it.
 */
const CHECKED_HEIGHTS = 16_384

/**
 * Makes sure that the last block of a database is whole, that its state belongs to it, and that no height is
 * missing below it as far down as the engine could have lost one, or down to `tail`, the lowest that there should be.
 * Throws `STORE_CORRUPT` naming the key.
 */
export async function checkTip(kv: Kv, state: State, tail: number): Promise<void> {
  const height = state.lastBlockHeight
  const from = Math.max(tail, height - CHECKED_HEIGHTS + 1)
  if (height < from) return
  const header = await readRecord(kv, HEADER_RECORD, height)
  if (header === undefined) throw corrupt(HEADER_RECORD, height, 'is missing')
  if ((await readRecord(kv, DATA_RECORD, height)) === undefined)
    throw corrupt(DATA_RECORD, height, 'is missing')
  const hash = headerHash(header.header)
  if (!equalBytes(hash, state.lastHeaderHash)) {
    const expected = toHex(state.lastHeaderHash)
    throw corrupt(HEADER_RECORD, height, `has hash ${toHex(hash)}, the state after it names ${expected}`)
  }
  const kinds: readonly RecordKind<unknown>[] = [HEADER_RECORD, DATA_RECORD, STATE_RECORD]
  await Promise.all(kinds.map(async (kind) => await checkGaps(kv, kind, from, height)))
}

async function checkGaps(kv: Kv, kind: RecordKind<unknown>, from: number, to: number): Promise<void> {
  let expected = from
  for await (const key of kv.keys(heightRange(kind.prefix, from, to + 1))) {
    if (heightOfKey(key) !== expected) break
    expected++
  }
  if (expected <= to) throw corrupt(kind, expected, 'is missing')
}
