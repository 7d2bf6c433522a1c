/*
 * What the reading of DA remembers, in memory and on disk. Changes gather until `commit` writes them in one batch, so
 * that a DA height is dealt with once, whatever happens in between.
 */
import type { KvOp, KvPart } from '../../core/kv.ts'
import { parseHeight } from '../../core/record-keys.ts'
import {
  CURSOR_KEY,
  daBlockKey,
  daBlockRange,
  daHeightOfKey,
  halfOfKey,
  type HalfName,
  halfRange,
  inclusionKey,
  inclusionOp,
  inclusionRange,
  textOf,
} from '../records.ts'
import { type CandidateLimits, type Candidates, createCandidates } from './candidates.ts'
import { type Cursor, decodeCursor, encodeCursor, isNews } from './cursor.ts'
import type { DaBlock } from './found.ts'

/** DA blocks whose hashes are remembered. */
export const REMEMBERED_BLOCKS = 1_024

/** Inclusions taken back in one batch. */
const UNMARK_PAGE = 4_096

/** Above every height. */
const END = Number.MAX_SAFE_INTEGER

/** A half that lies on disk. */
export interface StoredHalf {
  readonly daHeight: number
  readonly bytes: Uint8Array
}

/** What the reading of DA remembers. */
export interface Journal {
  /** Assign to change it; on disk with the next commit. */
  cursor: Cursor
  readonly candidates: Candidates
  /** Hash of a DA height that was read; empty when the DA node did not tell. */
  hashOf(daHeight: number): Uint8Array | undefined
  /** Remembers the hash of a DA height that was dealt with. */
  remember(block: DaBlock): void
  /** Notes that a half lies at a DA height. The lowest counts. */
  note(name: HalfName, daHeight: number): void
  /**
   * Writes what has changed, durable when it resolves. Tells whether there was anything. That the stores have grown
   * is written along with the rest, not for its own sake.
   */
  commit(): Promise<boolean>
  /** The halves on disk. */
  halves(): AsyncIterable<StoredHalf>
  /** The halves on disk were offered to the candidates: those that stay need not be written again. */
  restored(): void
  /** Lowest DA height at which a half of a kind of some block heights, both ends included, was found. */
  lowestInclusion(kind: HalfName['kind'], from: number, to: number): Promise<number | undefined>
  /** Forgets DA blocks from a height on, and takes back the inclusions there. */
  forgetFrom(daHeight: number): Promise<void>
}

/** Opens the {@link Journal} of a database, with `fresh` as the cursor when there is none. */
export async function openJournal(
  kv: KvPart,
  fresh: () => Promise<Cursor>,
  limits: CandidateLimits,
): Promise<Journal> {
  const candidates = createCandidates(limits)
  const hashes = new Map<number, Uint8Array>()
  for await (const [key, hash] of kv.range(daBlockRange(0, END))) {
    const height = daHeightOfKey(key)
    if (height !== undefined) hashes.set(height, hash)
  }
  const record = await kv.get(CURSOR_KEY)
  let written = record === undefined ? undefined : decodeCursor(record)
  let ops: KvOp[] = []
  /** By {@link textOf}, each with its lowest DA height. */
  const notes = new Map<string, { readonly name: HalfName; readonly daHeight: number }>()

  /** Above it nothing was ever noted: no need to look. */
  let highest = 0
  for await (const key of kv.keys({ ...inclusionRange(0, END), reverse: true, limit: 1 })) {
    highest = halfOfKey(key)?.height ?? END
  }

  async function inclusionOps(): Promise<KvOp[]> {
    const above = [...notes.values()].filter(({ name }) => name.height > highest)
    const others = [...notes.values()].filter(({ name }) => name.height <= highest)
    const known = await kv.getMany(others.map(({ name }) => inclusionKey(name)))
    const lower = others.filter(({ daHeight }, index) => {
      const bytes = known[index]
      const before = bytes === undefined ? undefined : parseHeight(bytes)
      return before === undefined || daHeight < before
    })
    for (const { name } of above) highest = Math.max(highest, name.height)
    return [...lower, ...above].map(({ name, daHeight }) => inclusionOp(name, daHeight))
  }

  async function commit(): Promise<boolean> {
    const { cursor } = journal
    const inclusions = notes.size === 0 ? [] : await inclusionOps()
    const all = [...ops, ...inclusions, ...candidates.takeChanges()]
    if (all.length > 0 || isNews(written, cursor)) {
      all.push({ type: 'put', key: CURSOR_KEY, value: encodeCursor(cursor) })
    }
    ops = []
    notes.clear()
    if (all.length === 0) return false
    await kv.batch(all, { sync: true })
    written = cursor
    return true
  }

  const journal: Journal = {
    cursor: written ?? (await fresh()),
    candidates,
    hashOf: (daHeight) => hashes.get(daHeight),
    remember({ height, hash }) {
      hashes.set(height, hash)
      ops.push({ type: 'put', key: daBlockKey(height), value: hash })
      const old = height - REMEMBERED_BLOCKS
      if (hashes.delete(old)) ops.push({ type: 'del', key: daBlockKey(old) })
    },
    note(name, daHeight) {
      const id = textOf(name)
      const before = notes.get(id)
      if (before === undefined || daHeight < before.daHeight) notes.set(id, { name, daHeight })
    },
    commit,
    async *halves() {
      for await (const [, value] of kv.range(halfRange(0, END))) {
        const daHeight = parseHeight(value.subarray(0, 8))
        if (daHeight !== undefined) yield { daHeight, bytes: value.subarray(8) }
      }
    },
    restored() {
      ops.push(...candidates.takeChanges().filter(({ type }) => type === 'del'))
    },
    async lowestInclusion(kind, from, to) {
      let lowest: number | undefined
      for await (const [key, value] of kv.range(inclusionRange(from, to + 1))) {
        const daHeight = parseHeight(value)
        if (daHeight === undefined || halfOfKey(key)?.kind !== kind) continue
        lowest = Math.min(lowest ?? daHeight, daHeight)
      }
      for (const { name, daHeight } of notes.values()) {
        if (name.kind !== kind || name.height < from || name.height > to) continue
        lowest = Math.min(lowest ?? daHeight, daHeight)
      }
      return lowest
    },
    async forgetFrom(daHeight) {
      for (const height of [...hashes.keys()].filter((one) => one >= daHeight)) {
        hashes.delete(height)
        ops.push({ type: 'del', key: daBlockKey(height) })
      }
      // The cursor moves first: what is not taken back before a crash is taken back after it.
      journal.cursor = { ...journal.cursor, unmarkFrom: daHeight }
      await commit()
      let page: KvOp[] = []
      for await (const [key, value] of kv.range(inclusionRange(0, END))) {
        if ((parseHeight(value) ?? 0) < daHeight) continue
        page.push({ type: 'del', key })
        if (page.length < UNMARK_PAGE) continue
        await kv.batch(page)
        page = []
      }
      ops.push(...page)
      journal.cursor = { ...journal.cursor, unmarkFrom: undefined }
      await commit()
    },
  }
  return journal
}
