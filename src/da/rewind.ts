import type { KvOp, KvPart } from '../core/kv.ts'
import { decodeCursor, encodeCursor, rewound } from './follow/cursor.ts'
import { CURSOR_KEY } from './records.ts'

/**
 * Changes of the whole database after which DA is read again from a height on, if it was read beyond: where final
 * blocks go, what was noted of their halves is gone already. None when DA was never read, or not so far.
 */
export async function rewindOps(kv: KvPart, daHeight: number): Promise<KvOp[]> {
  const bytes = await kv.get(CURSOR_KEY)
  const cursor = bytes === undefined ? undefined : decodeCursor(bytes)
  if (cursor === undefined || cursor.next <= daHeight) return []
  return kv.whole([{ type: 'put', key: CURSOR_KEY, value: encodeCursor(rewound(cursor, daHeight)) }])
}
