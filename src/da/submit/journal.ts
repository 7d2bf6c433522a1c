/*
 * What a lane keeps on disk: how far it posted, where RPC clients of the Go node read it, and its submissions that
 * are not final yet. What was posted is noted before the height moves up, and the height moves down before a
 * submission is forgotten: after a crash at any moment nothing counts as posted that was not.
 */
import type { BlockStore } from '../../core/block-store.ts'
import type { KvPart } from '../../core/kv.ts'
import { parseHeight } from '../../core/record-keys.ts'
import { toHex, uint64BigEndian, utf8 } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import type { HalfKind } from '../records.ts'
import { decodeOutstanding, encodeOutstanding, type Posted, within, withPosted } from './outstanding.ts'

/**
 * Names in the block store's metadata, those of ev-node v1.2.3 and of the store's own table: highest height whose
 * header or data was posted, uint64 little endian.
 */
const LAST_SUBMITTED = {
  header: 'last-submitted-header-height',
  data: 'last-submitted-data-height',
} as const satisfies Record<HalfKind, string>

/** What becomes of the submissions. */
type Change = (all: readonly Posted[]) => readonly Posted[]

/** The durable side of a lane. */
export interface Journal {
  /** Last height on disk; undefined when there is none. */
  readonly saved: number | undefined
  readonly outstanding: readonly Posted[]
  /** Reads what is on disk, for a chain from `low` to `high`. Rejects with `STORE_CORRUPT` (`halt`). */
  load(low: number, high: number): Promise<void>
  /** Notes a submission. */
  note(posted: Posted): Promise<void>
  /** Saves the last height. */
  save(last: number): Promise<void>
  /** Goes back to a last height, and to what is then left of the submissions. */
  goBack(last: number, change: Change): Promise<void>
  /** Changes submissions in memory: what is known of them, or which are still of interest. */
  update(change: Change): void
}

function corrupt(what: string, bytes: Uint8Array): EvolveError {
  return new EvolveError(
    'STORE_CORRUPT',
    `${what} is ${toHex(bytes.subarray(0, 64))}, not what was written`,
    {
      verdict: 'halt',
    },
  )
}

/** Makes a {@link Journal}. */
export function createJournal(
  deps: { readonly kv: KvPart; readonly blockStore: BlockStore },
  kind: HalfKind,
): Journal {
  const { kv, blockStore } = deps
  const key = utf8(kind)
  const name = LAST_SUBMITTED[kind]
  let saved: number | undefined
  let outstanding: readonly Posted[] = []

  async function write(change: Change): Promise<void> {
    await kv.batch([{ type: 'put', key, value: encodeOutstanding(change(outstanding)) }], { sync: true })
    // What is known of them may have changed meanwhile.
    outstanding = change(outstanding)
  }

  async function save(last: number): Promise<void> {
    if (last === saved) return
    await blockStore.saveMetadata(name, uint64BigEndian(last).toReversed())
    saved = last
  }

  return {
    get saved() {
      return saved
    },
    get outstanding() {
      return outstanding
    },
    async load(low, high) {
      const [pointer, record] = await Promise.all([blockStore.metadata(name), kv.get(key)])
      saved = pointer === undefined ? undefined : parseHeight(pointer.toReversed())
      if (pointer !== undefined && saved === undefined) throw corrupt(`metadata ${name}`, pointer)
      const all = record === undefined ? [] : decodeOutstanding(record)
      if (record !== undefined && all === undefined) throw corrupt(`the list of posted ${kind}`, record)
      outstanding = within(all ?? [], low, high)
    },
    note: async (posted) => await write((all) => withPosted(all, posted)),
    save,
    async goBack(last, change) {
      await save(last)
      await write(change)
    },
    update(change) {
      outstanding = change(outstanding)
    },
  }
}
