import type { HeaderStore, ItemKind } from '../../src/core/header.ts'
import { abortable, deferred } from '../../src/util/async.ts'
import { equalBytes } from '../../src/util/bytes.ts'
import { EvolveError } from '../../src/util/errors.ts'

/** A {@link HeaderStore} in memory whose reading a test can hold up or break. */
export interface MemoryStore<H> extends HeaderStore<H> {
  /** Called before bytes are read; what it throws or waits for, the reader sees. */
  beforeRead: (() => Promise<void>) | undefined
  /** Ranges of bytes that were read: what was asked, and how many items were given. */
  readonly reads: readonly { readonly from: number; readonly to: number; readonly given: number }[]
}

/** Makes a {@link MemoryStore} that holds `items`. */
export function createMemoryStore<H>(kind: ItemKind<H>, items: readonly H[] = []): MemoryStore<H> {
  let held: readonly H[] = items
  const reads: { from: number; to: number; given: number }[] = []
  const listeners = new Set<(height: number) => void>()
  const heightOf = (item: H | undefined): number => (item === undefined ? 0 : kind.height(item))
  const slice = (from: number, to: number): H[] => {
    const tail = heightOf(held[0])
    return held.length === 0 || from < tail ? [] : held.slice(from - tail, Math.max(to - tail, 0))
  }
  const changed = (): void => {
    for (const listener of listeners) listener(store.height)
  }
  const store: MemoryStore<H> = {
    beforeRead: undefined,
    reads,
    get height() {
      return heightOf(held.at(-1))
    },
    get tailHeight() {
      return heightOf(held[0])
    },
    async start() {},
    async stop() {},
    head: async () => held.at(-1),
    tail: async () => held[0],
    async get(hash) {
      await store.beforeRead?.()
      return held.find((item) => equalBytes(kind.hash(item), hash))
    },
    at: async (height) => slice(height, height + 1)[0],
    async waitFor(height, { signal }) {
      const own = deferred<void>()
      const unwatch = store.onHeight((now) => {
        if (now >= height) own.resolve()
      })
      try {
        if (store.height < height) await abortable(own.promise, signal)
      } finally {
        unwatch()
      }
      const [item] = slice(height, height + 1)
      if (item === undefined) throw new EvolveError('NOT_FOUND', `no item at ${height}`)
      return item
    },
    range: async (from, to) => slice(from, to),
    async rangeBytes(from, to, { maxBytes } = { maxBytes: Infinity }) {
      await store.beforeRead?.()
      const out: Uint8Array[] = []
      let bytes = 0
      for (const item of slice(from, to)) {
        if (bytes >= maxBytes) break
        const encoded = kind.encode(item)
        out.push(encoded)
        bytes += encoded.length
      }
      reads.push({ from, to, given: out.length })
      return out
    },
    has: async (hash) => (await store.get(hash)) !== undefined,
    async append(more) {
      held = [...held, ...more.filter((item) => kind.height(item) > store.height)]
      changed()
    },
    async truncate(height) {
      held = held.filter((item) => kind.height(item) <= height)
      changed()
    },
    async prune(height) {
      held = held.filter((item) => kind.height(item) > height || item === held.at(-1))
    },
    onHeight(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return store
}
