/*
 * What all engines of the abstract-level family share: life cycle, typed errors, paging, and what to do after a
 * write that failed. An engine says how its database is opened and how its errors read.
 */
import type { Kv, KvOp } from '../core/kv.ts'
import { createSerial, type Deferred, deferred } from '../util/async.ts'
import { EMPTY_BYTES, utf8 } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'

/** Entries fetched at once while iterating. */
const PAGE_ENTRIES = 256

/** Never written; deleting it gives the engine something to sync when a synced batch is empty. */
const SYNC_KEY = utf8('\u{10ffff}sync')

/** An open iterator of a {@link LevelDatabase}. */
export interface LevelIterator<T> {
  /** The next entries, at most `size`; none at the end. */
  nextv(size: number): Promise<T[]>
  close(): Promise<void>
}

/** Bounds of an iterator. */
export interface LevelRange {
  readonly gte: Uint8Array
  readonly lt: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

/** The part of an abstract-level database that is used here; it is open. */
export interface LevelDatabase {
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  getMany(keys: Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  batch(ops: KvOp[], options: { readonly sync: boolean }): Promise<void>
  iterator(range: LevelRange): LevelIterator<[Uint8Array, Uint8Array]>
  keys(range: LevelRange): LevelIterator<Uint8Array>
  /** Rewrites a range without what was deleted in it. */
  compact?(range: Pick<LevelRange, 'gte' | 'lt'>): Promise<void>
  close(): Promise<void>
}

/** One engine. */
export interface LevelEngine {
  /** For messages: the path, or `memory`. */
  readonly name: string
  /** Opens the database; rejects with an EvolveError that names it. */
  readonly open: () => Promise<LevelDatabase>
  /** What is stored for a value. The value itself when left out. */
  readonly seal?: (key: Uint8Array, value: Uint8Array) => Uint8Array
  /** The value in what was stored; throws `STORE_CORRUPT`. */
  readonly unseal?: (key: Uint8Array, stored: Uint8Array) => Uint8Array
  /** Turns an error of the database into ours. */
  readonly explain: (error: unknown, doing: string) => EvolveError
  /** Whether there is hope for writes after one has failed. True when left out. */
  readonly writable?: () => Promise<boolean>
}

/**
 * Makes a {@link Kv} over an engine.
 *
 * After a failed write it is unknown how much of it lies in the engine's log, and whatever is written behind it
 * could be lost with it. So the next write first closes and opens the database again, which cuts the log clean;
 * reads go on until then. While that is hopeless (no space), writes reject with `STORE_IO`, verdict `retry`.
 */
export function createKvOverLevel(engine: LevelEngine): Kv {
  const serial = createSerial()
  const seal = engine.seal ?? ((_key, value) => value)
  const unseal = engine.unseal ?? ((_key, stored) => stored)
  let started = false
  let database: LevelDatabase | undefined
  let failure: EvolveError | undefined
  let running = 0
  let idle: Deferred<void> | undefined

  function closed(doing: string): EvolveError {
    return new EvolveError('KV_CLOSED', `cannot ${doing}: the store at ${engine.name} is not open`, {
      data: { path: engine.name },
    })
  }

  async function close(): Promise<void> {
    const closing = database
    database = undefined
    if (running > 0) {
      idle = deferred<void>()
      await idle.promise
      idle = undefined
    }
    await closing?.close()
  }

  async function reopen(): Promise<void> {
    if (!started || (database !== undefined && failure === undefined)) return
    if (failure !== undefined && (await engine.writable?.()) === false) throw failure
    await close()
    database = await engine.open()
    failure = undefined
  }

  async function counted<T>(doing: string, task: () => Promise<T>): Promise<T> {
    running++
    try {
      return await task()
    } catch (error) {
      throw error instanceof EvolveError ? error : engine.explain(error, doing)
    } finally {
      running--
      if (running === 0) idle?.resolve()
    }
  }

  async function use<T>(doing: string, task: (open: LevelDatabase) => Promise<T>): Promise<T> {
    for (;;) {
      const open = database
      if (open !== undefined) return await counted(doing, async () => await task(open))
      if (!started) throw closed(doing)
      await serial.run(reopen)
    }
  }

  async function* iterate<T, R>(
    doing: string,
    open: (from: LevelDatabase) => LevelIterator<T>,
    finish: (entry: T) => R,
  ): AsyncGenerator<R, void> {
    let iterator: LevelIterator<T> | undefined
    let source: LevelDatabase | undefined
    const check = (): void => {
      if (!started) throw closed(doing)
      if (source === database) return
      throw new EvolveError('STORE_IO', `cannot ${doing}: the store at ${engine.name} was opened anew`, {
        data: { path: engine.name },
        verdict: 'retry',
      })
    }
    try {
      for (;;) {
        const page = await use(doing, async (current) => {
          source ??= current
          check()
          iterator ??= open(current)
          return await iterator.nextv(PAGE_ENTRIES)
        })
        if (page.length === 0) return
        for (const entry of page) {
          check()
          yield finish(entry)
        }
      }
    } finally {
      await iterator?.close()
    }
  }

  return {
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (started) return
        signal?.throwIfAborted()
        database = await engine.open()
        failure = undefined
        started = true
      })
    },
    async stop() {
      await serial.run(async () => {
        if (!started) return
        started = false
        await close()
      })
    },
    async get(key) {
      const stored = await use('read', async (open) => await open.get(key))
      return stored === undefined ? undefined : unseal(key, stored)
    },
    async getMany(keys) {
      const found = await use('read', async (open) => await open.getMany([...keys]))
      return keys.map((key, index) => {
        const stored = found[index]
        return stored === undefined ? undefined : unseal(key, stored)
      })
    },
    async batch(ops, { sync = false } = {}) {
      if (failure !== undefined) await serial.run(reopen)
      const sealed = ops.map(
        (op): KvOp => (op.type === 'put' ? { type: 'put', key: op.key, value: seal(op.key, op.value) } : op),
      )
      if (sync && sealed.length === 0) sealed.push({ type: 'del', key: SYNC_KEY })
      await use('write', async (open) => {
        try {
          if (failure === undefined) await open.batch(sealed, { sync })
          // Also one that failed while this was under way: this lies behind it.
          if (failure !== undefined) throw failure
        } catch (error) {
          failure ??= engine.explain(error, 'write')
          throw failure
        }
      })
    },
    range: (range) => ({
      [Symbol.asyncIterator]: () =>
        iterate(
          'read a range',
          (from) => from.iterator(range),
          ([key, stored]): readonly [Uint8Array, Uint8Array] => [plainBytes(key), unseal(key, stored)],
        ),
    }),
    keys: (range) => ({
      [Symbol.asyncIterator]: () => iterate('read keys', (from) => from.keys(range), plainBytes),
    }),
    async compact(range) {
      await use('compact', async (open) => await open.compact?.(range))
    },
  }
}

/** The plain view of bytes that an engine may hand out as a subclass. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? EMPTY_BYTES : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
}
