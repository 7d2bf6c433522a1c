import type { Kv } from '../../src/core/kv.ts'
import { EvolveError } from '../../src/util/errors.ts'

/** A {@link Kv} whose writes a test can make fail, before or after they happened. */
export interface FaultyKv extends Kv {
  /** Asked before each batch: `before` fails it and writes nothing, `after` fails it although it was written. */
  fail: (() => 'before' | 'after' | undefined) | undefined
}

/** Makes a {@link FaultyKv} over another one. */
export function createFaultyKv(kv: Kv): FaultyKv {
  const broken = (): EvolveError =>
    new EvolveError('STORE_IO', 'the disk does not write', { verdict: 'retry' })
  const faulty: FaultyKv = {
    fail: undefined,
    start: async (options) => await kv.start(options),
    stop: async () => await kv.stop(),
    get: async (key) => await kv.get(key),
    getMany: async (keys) => await kv.getMany(keys),
    range: (range) => kv.range(range),
    keys: (range) => kv.keys(range),
    async batch(ops, options) {
      const fault = faulty.fail?.()
      if (fault === 'before') throw broken()
      await kv.batch(ops, options)
      if (fault === 'after') throw broken()
    },
  }
  return faulty
}
