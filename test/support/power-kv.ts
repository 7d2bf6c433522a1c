import type { Kv, KvOp } from '../../src/core/kv.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'

/** A database in memory that knows what a power cut would leave of it. */
export interface PowerKv extends Kv {
  /** A database with what survives a power cut at this moment: everything up to the last synced batch. */
  afterPowerCut(): Promise<PowerKv>
}

/** Makes a {@link PowerKv}. */
export function createPowerKv(): PowerKv {
  const kv = createMemoryKv()
  const batches: (readonly KvOp[])[] = []
  let synced = 0
  return {
    start: async (options) => await kv.start(options),
    stop: async () => await kv.stop(),
    get: async (key) => await kv.get(key),
    getMany: async (keys) => await kv.getMany(keys),
    range: (range) => kv.range(range),
    keys: (range) => kv.keys(range),
    async batch(ops, options) {
      await kv.batch(ops, options)
      batches.push(ops)
      if (options?.sync === true) synced = batches.length
    },
    async afterPowerCut() {
      const survivor = createPowerKv()
      await survivor.start()
      for (const ops of batches.slice(0, synced)) await survivor.batch(ops, { sync: true })
      return survivor
    },
  }
}
