import type { HeldWrites, KvOp, KvPart } from '../core/kv.ts'
import { createSerial } from '../util/async.ts'

/** A part of a database whose writes can be held back; reads see them all the same. */
export type HeldKv = KvPart & HeldWrites

/**
 * Makes a {@link HeldKv} over a part. While writes are held back they cost nothing but memory, which is for whoever
 * holds them to bound. A synced write, and a walk over a range, first write what is held back; so does a write when
 * nothing is held back any longer.
 */
export function createHeldKv(part: KvPart): HeldKv {
  const writes = createSerial()
  let holding = false
  /** Somebody is about to write what is held: it is kept until he has, so that nothing older comes to lie over it. */
  let saving = false
  /** In order; `first` is the mark of the lowest. */
  let batches: (readonly KvOp[])[] = []
  let first = 0
  /** The last change of each key that is held back. */
  const latest = new Map<string, KvOp>()

  function remember(ops: readonly KvOp[]): void {
    for (const op of ops) latest.set(nameOf(op.key), op)
  }

  function forget(mark: number): void {
    batches = batches.slice(Math.max(0, mark - first))
    first = Math.max(first, mark)
    latest.clear()
    for (const ops of batches) remember(ops)
  }

  async function flush(options?: { readonly sync?: boolean }): Promise<void> {
    await writes.run(async () => {
      const mark = first + batches.length
      if (mark === first && options?.sync !== true) return
      await part.batch([...latest.values()], options)
      if (!saving) forget(mark)
    })
  }

  return {
    start: async (options) => await part.start(options),
    async stop() {
      await part.stop()
    },
    whole: (ops) => part.whole(ops),
    async get(key) {
      const op = latest.get(nameOf(key))
      return op === undefined ? await part.get(key) : valueAfter(op)
    },
    async getMany(keys) {
      if (latest.size === 0) return await part.getMany(keys)
      const known = keys.map((key) => latest.get(nameOf(key)))
      const missing = keys.filter((_key, index) => known[index] === undefined)
      const read = missing.length === 0 ? [] : await part.getMany(missing)
      let next = 0
      return known.map((op) => (op === undefined ? read[next++] : valueAfter(op)))
    },
    async batch(ops, options) {
      if (!holding && batches.length === 0) {
        await part.batch(ops, options)
        return
      }
      batches.push(ops)
      remember(ops)
      if (!holding || options?.sync === true) await flush(options)
    },
    range: (range) => ({
      async *[Symbol.asyncIterator]() {
        await flush()
        yield* part.range(range)
      },
    }),
    keys: (range) => ({
      async *[Symbol.asyncIterator]() {
        await flush()
        yield* part.keys(range)
      },
    }),
    hold() {
      holding = true
    },
    held() {
      saving = true
      return { ops: part.whole([...latest.values()]), mark: first + batches.length }
    },
    async written(mark) {
      holding = false
      saving = false
      forget(mark)
      if (batches.length > 0) await flush()
    },
  }
}

function valueAfter(op: KvOp): Uint8Array | undefined {
  return op.type === 'put' ? op.value : undefined
}

/** A key as a string of characters up to 255. */
function nameOf(key: Uint8Array): string {
  let name = ''
  for (const byte of key) name += String.fromCharCode(byte)
  return name
}
