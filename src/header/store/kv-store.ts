/*
 * Items by height in a key-value database. One batch moves items, hash index and pointers together, so that
 * whatever moment a process ends at, what the pointers enclose is there.
 */
import type { HeaderStore, ItemKind } from '../../core/header.ts'
import type { Kv } from '../../core/kv.ts'
import type { Logger } from '../../core/logger.ts'
import { createSerial } from '../../util/async.ts'
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { createHeightSub } from './height-sub.ts'
import type { StorePrefixes } from './keys.ts'
import { createRecords } from './records.ts'
import { openEnds, pointerOps, type StoreEnds } from './recover.ts'

/** Parts of a {@link createHeaderStore}. The database is started before the store and stopped after it. */
export interface HeaderStoreDeps<H> {
  readonly kv: Kv
  readonly kind: ItemKind<H>
  readonly logger: Logger
}

/** Options of {@link createHeaderStore}. */
export interface HeaderStoreOptions {
  readonly prefixes: StorePrefixes
  /** The only height an empty store may begin at; any when left out. */
  readonly initialHeight?: number
  /**
   * Highest height for which another part, which shares the keys, may have put records there since the start. Any when
   * left out: each append then looks for them.
   */
  readonly othersUpTo?: () => number
  /** Decoded items held in memory. Default 2,048. */
  readonly cacheItems?: number
  /** Bytes of the decoded items held in memory, as the kind counts them. Default 32 MiB. */
  readonly cacheBytes?: number
}

/** Items removed in one batch. */
const TRUNCATE_PAGE = 512
/** The same at the other end, where others go on working meanwhile. */
const PRUNE_PAGE = 128

/**
 * Makes a {@link HeaderStore} over a database, empty or as a store before it left it. Besides what the port says:
 * `waitFor` rejects with `NOT_FOUND` at or below the head when the item is not there, with `INVALID_HEIGHT` below
 * 1, and with `STORE_STOPPED` when the store stops; `append` and `truncate` reject with `STORE_STOPPED` outside of
 * start and stop. `append` may also continue the store downwards from its tail. Reads reject with `STORE_CORRUPT`
 * when a record is damaged. What the items say is not checked here.
 */
export function createHeaderStore<H>(
  { kv, kind, logger: parent }: HeaderStoreDeps<H>,
  {
    prefixes,
    initialHeight,
    othersUpTo = () => Infinity,
    cacheItems = 2048,
    cacheBytes = 32 * 1024 * 1024,
  }: HeaderStoreOptions,
): HeaderStore<H> {
  const logger = parent.child({ component: 'header-store', kind: kind.name })
  const records = createRecords({ kv, kind }, { prefixes, cacheItems, cacheBytes })
  const serial = createSerial()
  const listeners = new Set<(height: number) => void>()
  let waiters = createHeightSub<H>()
  let running = false
  let ends: StoreEnds | undefined
  /** Highest record that lay there at the start. */
  let leftUpTo = 0

  const headHeight = (): number => ends?.head.height ?? 0
  const tailHeight = (): number => ends?.tail.height ?? 0
  const holds = (height: number): boolean =>
    ends !== undefined && height >= ends.tail.height && height <= ends.head.height

  function stopped(): EvolveError {
    return new EvolveError('STORE_STOPPED', `the ${kind.name} store is not started`, { verdict: 'retry' })
  }

  function tell(): void {
    const height = headHeight()
    for (const listener of listeners) {
      try {
        listener(height)
      } catch (error) {
        logger.error('a listener failed', { height, error })
      }
    }
  }

  async function at(height: number): Promise<H | undefined> {
    if (!holds(height)) return undefined
    const [item] = await records.items(height, height + 1)
    return item
  }

  async function append(items: readonly H[], saved: boolean): Promise<void> {
    if (!running) throw stopped()
    const first = items[0]
    if (first === undefined) return
    const from = kind.height(first)
    const to = from + items.length
    const astray = items.findIndex((item, index) => kind.height(item) !== from + index)
    if (astray !== -1) throw gap(kind.height(items[astray] ?? first), from + astray)
    // A store may have been emptied while its next items were being checked.
    if (ends === undefined && initialHeight !== undefined && from !== initialHeight)
      throw gap(from, initialHeight)
    if (ends !== undefined && from > ends.head.height + 1) throw gap(from, ends.head.height + 1)
    if (ends !== undefined && to < ends.tail.height) throw gap(to - 1, ends.tail.height - 1)

    const known = items.filter((item) => holds(kind.height(item)))
    await records.checkSame(known)
    if (known.length === items.length) return
    // What others saved for us is what we are given.
    const lookUpTo = saved ? 0 : Math.max(leftUpTo, othersUpTo())
    const above = await records.put(
      ends === undefined ? items : items.slice(Math.max(0, headHeight() + 1 - from)),
      { lookUpTo },
    )
    const below = await records.put(
      ends === undefined ? [] : items.slice(0, Math.max(0, tailHeight() - from)),
      { lookUpTo },
    )
    const [lowest] = [...below.records, ...above.records]
    const highest = above.records.at(-1)
    const tail = lowest !== undefined && (ends === undefined || from < ends.tail.height) ? lowest : ends?.tail
    const head = highest ?? ends?.head
    if (tail === undefined || head === undefined) return
    const next: StoreEnds = {
      tail: { height: tail.height, hash: tail.hash },
      head: { height: head.height, hash: head.hash },
    }
    const ops = saved ? [] : [...below.ops, ...above.ops]
    // Not synced: what a power cut takes is asked for again, and whatever is synced later keeps this too.
    await kv.batch([...ops, ...pointerOps(prefixes, next)])
    records.remember([...below.records, ...above.records])
    ends = next
    waiters.deliver(from, items)
    tell()
  }

  async function truncate(height: number): Promise<void> {
    if (!running) throw stopped()
    if (ends === undefined || height >= ends.head.height) return
    try {
      // From the top down, so that a stop in between leaves no gap.
      while (ends !== undefined && ends.head.height > height) {
        ends = await cut(ends, Math.max(height + 1, ends.head.height - TRUNCATE_PAGE + 1))
      }
    } finally {
      tell()
    }
  }

  /** Removes `from` and what is above it. */
  async function cut(current: StoreEnds, from: number): Promise<StoreEnds | undefined> {
    const lowest = Math.max(from, current.tail.height)
    const left = lowest === current.tail.height ? undefined : await at(lowest - 1)
    const next: StoreEnds | undefined =
      left === undefined
        ? undefined
        : { tail: current.tail, head: { height: lowest - 1, hash: kind.hash(left) } }
    const ops = await records.remove(lowest, current.head.height + 1)
    await kv.batch([...ops, ...pointerOps(prefixes, next)], { sync: true })
    records.forget(lowest, current.head.height + 1)
    return next
  }

  async function prune(height: number): Promise<void> {
    if (!running) throw stopped()
    while (ends !== undefined) {
      const { head, tail } = ends
      const to = Math.min(height + 1, head.height, tail.height + PRUNE_PAGE)
      const lowest = to <= tail.height ? undefined : await at(to)
      if (lowest === undefined) return
      const next: StoreEnds = { head, tail: { height: to, hash: kind.hash(lowest) } }
      const ops = await records.remove(tail.height, to)
      // Nobody is told of a tail that is going.
      ends = next
      try {
        await kv.batch([...ops, ...pointerOps(prefixes, next)])
      } catch (error) {
        ends = { head, tail }
        throw error
      }
      records.forget(tail.height, to)
    }
  }

  return {
    get height() {
      return headHeight()
    },
    get tailHeight() {
      return tailHeight()
    },
    async start() {
      await serial.run(async () => {
        if (running) return
        const opened = await openEnds({ kv, kind, prefixes })
        ends = opened.ends
        leftUpTo = await records.highest()
        waiters = createHeightSub()
        running = true
        if (!opened.recovered) return
        logger.warn('the pointers were damaged; the longest run of good items was taken', {
          tail: tailHeight(),
          head: headHeight(),
        })
      })
    },
    async stop() {
      await serial.run(async () => {
        if (!running) return
        running = false
        waiters.close(stopped())
        records.clear()
      })
    },
    head: async () => await at(headHeight()),
    tail: async () => await at(tailHeight()),
    async get(hash) {
      const height = await records.heightOf(hash)
      const item = height === undefined ? undefined : await at(height)
      return item !== undefined && equalBytes(kind.hash(item), hash) ? item : undefined
    },
    at,
    async waitFor(height, { signal }) {
      signal.throwIfAborted()
      if (!Number.isSafeInteger(height) || height < 1) {
        throw new EvolveError('INVALID_HEIGHT', `heights are integers from 1, got ${height}`)
      }
      for (;;) {
        if (!running) throw stopped()
        if (height > headHeight()) return await waiters.wait(height, signal)
        const item = await at(height)
        if (item !== undefined) return item
        // Truncated in the meantime: it may come again.
        if (height > headHeight()) continue
        throw new EvolveError(
          'NOT_FOUND',
          `item ${height} is not in the store (${tailHeight()}..${headHeight()})`,
          { data: { height } },
        )
      }
    },
    async range(from, to) {
      return holds(from) ? await records.items(from, Math.min(to, headHeight() + 1)) : []
    },
    async rangeBytes(from, to, { maxBytes } = { maxBytes: Infinity }) {
      return holds(from) ? await records.bytes(from, Math.min(to, headHeight() + 1), maxBytes) : []
    },
    async has(hash) {
      const height = await records.heightOf(hash)
      return height !== undefined && holds(height)
    },
    append: async (items, { saved = false } = {}) => await serial.run(async () => await append(items, saved)),
    truncate: async (height) => await serial.run(async () => await truncate(height)),
    prune: async (height) => await serial.run(async () => await prune(height)),
    onHeight(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

function gap(got: number, expected: number): EvolveError {
  return new EvolveError('NON_ADJACENT_APPEND', `expected item ${expected} next, got ${got}`, {
    data: { height: got, expected },
  })
}
