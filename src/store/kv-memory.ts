import { MemoryLevel } from 'memory-level'
import type { Kv } from '../core/kv.ts'
import { EvolveError } from '../util/errors.ts'
import { createKvOverLevel } from './level-engine.ts'

/**
 * Makes a {@link Kv} that lives as long as the object does: for tests, and for light nodes that keep nothing.
 * What was written is still there after a stop and another start.
 */
export function createMemoryKv(): Kv {
  const level = new MemoryLevel<Uint8Array, Uint8Array>({
    storeEncoding: 'view',
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  return createKvOverLevel({
    name: 'memory',
    async open() {
      await level.open()
      return {
        get: async (key) => await level.get(key),
        getMany: async (keys) => await level.getMany(keys),
        batch: async (ops) => await level.batch(ops),
        iterator: (range) => level.iterator(range),
        keys: (range) => level.keys(range),
        close: async () => await level.close(),
      }
    },
    explain: (error, doing) =>
      new EvolveError('STORE_IO', `cannot ${doing} in memory`, { cause: error, verdict: 'retry' }),
  })
}
