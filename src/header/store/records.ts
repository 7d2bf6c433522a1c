/*
 * Reading and making the records of a header store; knows nothing of where the store begins and ends.
 */
import type { ItemKind } from '../../core/header.ts'
import type { Kv, KvOp } from '../../core/kv.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import { createItemCache } from './item-cache.ts'
import { hashKey, heightKey, heightOfKey, parseHeight, type StorePrefixes } from './keys.ts'

/** An item about to be stored. */
export interface NewRecord<H> {
  readonly height: number
  readonly item: H
  readonly hash: Uint8Array
  readonly bytes: Uint8Array
}

/** Records of a header store. Heights are asked only where the store says that it has them. */
export interface Records<H> {
  /** Height of the highest record, whoever put it there; 0 when there is none. */
  highest(): Promise<number>
  /** Items of consecutive heights from `from` up to and without `to`, ending before the first that is missing. */
  items(from: number, to: number): Promise<H[]>
  /** As `items`, but the stored bytes. */
  bytes(from: number, to: number, maxBytes?: number): Promise<Uint8Array[]>
  /** Height the index has for a hash. */
  heightOf(hash: Uint8Array): Promise<number | undefined>
  /** Throws `CONFLICTING_ITEM` unless the index knows all these items at their heights. */
  checkSame(items: readonly H[]): Promise<void>
  /**
   * Changes that store new items. Records that lie at their heights already, put there by another part that shares
   * the keys, stay if they hold the same item; `CONFLICTING_ITEM` if they hold another. They are looked for up to the
   * height `lookUpTo`.
   */
  put(
    items: readonly H[],
    options: { readonly lookUpTo: number },
  ): Promise<{ readonly ops: KvOp[]; readonly records: readonly NewRecord<H>[] }>
  /** Changes that remove consecutive heights. */
  remove(from: number, to: number): Promise<KvOp[]>
  /** Keeps decoded items at hand after they were stored. */
  remember(records: readonly NewRecord<H>[]): void
  forget(from: number, to: number): void
  clear(): void
}

/** Records read in one step. */
const PAGE = 256
const NOTHING: ReadonlyMap<number, Uint8Array> = new Map()

/** Makes {@link Records}. */
export function createRecords<H>(
  { kv, kind }: { readonly kv: Kv; readonly kind: ItemKind<H> },
  options: {
    readonly prefixes: StorePrefixes
    readonly cacheItems: number
    readonly cacheBytes: number
  },
): Records<H> {
  const { prefixes } = options
  const cache = createItemCache<H>(options.cacheItems, options.cacheBytes)

  function keep(height: number, item: H, bytes: Uint8Array): void {
    cache.set(height, item, kind.memory?.(item) ?? bytes.length)
  }

  function decode(height: number, bytes: Uint8Array): H {
    let found: number
    try {
      const item = kind.decode(bytes)
      found = kind.height(item)
      if (found === height) return item
    } catch (cause) {
      throw corrupt(height, describeError(cause), cause)
    }
    throw corrupt(height, `it is of height ${found}`)
  }

  async function bytesAt(heights: readonly number[]): Promise<(Uint8Array | undefined)[]> {
    return await kv.getMany(heights.map((height) => heightKey(prefixes.items, height)))
  }

  /** Hashes of the readable records among `heights`. */
  async function hashesAt(heights: readonly number[]): Promise<Map<number, Uint8Array>> {
    const hashes = new Map<number, Uint8Array>()
    if (heights.length === 0) return hashes
    const found = await bytesAt(heights)
    for (const [index, height] of heights.entries()) {
      const bytes = found[index]
      if (bytes === undefined) continue
      try {
        hashes.set(height, kind.hash(decode(height, bytes)))
      } catch {
        // What cannot be read is not there; it is written anew.
      }
    }
    return hashes
  }

  /** Hashes of items that lie between two heights and are known to the index: without it a record counts for nothing. */
  async function strangers(from: number, to: number): Promise<Map<number, Uint8Array>> {
    const heights: number[] = []
    const bounds = { gte: heightKey(prefixes.items, from), lt: heightKey(prefixes.items, to) }
    for await (const key of kv.keys(bounds)) {
      const height = heightOfKey(key)
      if (height !== undefined) heights.push(height)
    }
    const readable = [...(await hashesAt(heights))]
    if (readable.length === 0) return new Map()
    const entries = await kv.getMany(readable.map(([, hash]) => hashKey(prefixes.hashes, hash)))
    return new Map(
      readable.filter(([height], index) => {
        const entry = entries[index]
        return entry !== undefined && parseHeight(entry) === height
      }),
    )
  }

  return {
    async highest() {
      const bounds = { gte: heightKey(prefixes.items, 0), lt: Uint8Array.of(prefixes.items + 1) }
      for await (const key of kv.keys({ ...bounds, reverse: true, limit: 1 })) return heightOfKey(key) ?? 0
      return 0
    },
    async items(from, to) {
      const items: H[] = []
      for (let start = from; start < to; start += PAGE) {
        const end = Math.min(to, start + PAGE)
        const page: (H | undefined)[] = []
        const missing: number[] = []
        for (let height = start; height < end; height++) {
          const cached = cache.get(height)
          page.push(cached)
          if (cached === undefined) missing.push(height)
        }
        const found = missing.length === 0 ? [] : await bytesAt(missing)
        for (const [index, height] of missing.entries()) {
          const bytes = found[index]
          if (bytes === undefined) continue
          const item = decode(height, bytes)
          keep(height, item, bytes)
          page[height - start] = item
        }
        for (const item of page) {
          if (item === undefined) return items
          items.push(item)
        }
      }
      return items
    },

    async bytes(from, to, maxBytes = Infinity) {
      const out: Uint8Array[] = []
      let sum = 0
      while (from + out.length < to && sum < maxBytes) {
        const start = from + out.length
        // With a limit, as many as fit by the size of those before.
        const fitting =
          maxBytes === Infinity ? PAGE : sum === 0 ? 1 : Math.ceil((maxBytes - sum) / (sum / out.length))
        const count = Math.min(PAGE, fitting, to - start)
        const heights = Array.from({ length: count }, (_, index) => start + index)
        for (const bytes of await bytesAt(heights)) {
          if (bytes === undefined || sum >= maxBytes) return out
          out.push(bytes)
          sum += bytes.length
        }
      }
      return out
    },

    async heightOf(hash) {
      const entry = await kv.get(hashKey(prefixes.hashes, hash))
      return entry === undefined ? undefined : parseHeight(entry)
    },

    async checkSame(items) {
      if (items.length === 0) return
      const entries = await kv.getMany(items.map((item) => hashKey(prefixes.hashes, kind.hash(item))))
      for (const [index, item] of items.entries()) {
        const entry = entries[index]
        if (entry === undefined || parseHeight(entry) !== kind.height(item)) throw conflict(kind, item)
      }
    },

    async put(items, { lookUpTo }) {
      const first = items[0]
      if (first === undefined) return { ops: [], records: [] }
      const from = kind.height(first)
      const there = from > lookUpTo ? NOTHING : await strangers(from, from + items.length)
      const ops: KvOp[] = []
      const records: NewRecord<H>[] = []
      for (const [index, item] of items.entries()) {
        const height = from + index
        const hash = kind.hash(item)
        const bytes = kind.encode(item)
        const stored = there.get(height)
        if (stored !== undefined && !equalBytes(stored, hash)) throw conflict(kind, item, stored)
        const key = heightKey(prefixes.items, height)
        if (stored === undefined) ops.push({ type: 'put', key, value: bytes })
        // The height as the key has it, behind its prefix.
        ops.push({ type: 'put', key: hashKey(prefixes.hashes, hash), value: key.subarray(1) })
        records.push({ height, item, hash, bytes })
      }
      return { ops, records }
    },

    async remove(from, to) {
      const heights = Array.from({ length: to - from }, (_, index) => from + index)
      const ops: KvOp[] = heights.map((height) => ({ type: 'del', key: heightKey(prefixes.items, height) }))
      for (const hash of (await hashesAt(heights)).values()) {
        ops.push({ type: 'del', key: hashKey(prefixes.hashes, hash) })
      }
      return ops
    },

    remember(records) {
      for (const { height, item, bytes } of records) keep(height, item, bytes)
    },
    forget(from, to) {
      for (let height = from; height < to; height++) cache.delete(height)
    },
    clear: () => cache.clear(),
  }
}

function conflict<H>(kind: ItemKind<H>, item: H, stored?: Uint8Array): EvolveError {
  const height = kind.height(item)
  const hash = toHex(kind.hash(item))
  return new EvolveError('CONFLICTING_ITEM', `another item than ${hash} is stored at height ${height}`, {
    verdict: 'ignore',
    data: { height, hash, ...(stored === undefined ? {} : { stored: toHex(stored) }) },
  })
}

function corrupt(height: number, why: string, cause?: unknown): EvolveError {
  return new EvolveError('STORE_CORRUPT', `the stored item ${height} cannot be read: ${why}`, {
    data: { height },
    cause,
  })
}
