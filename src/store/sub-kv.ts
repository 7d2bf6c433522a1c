import type { Kv, KvOp, KvPart, KvRange } from '../core/kv.ts'
import { concatBytes } from '../util/bytes.ts'

/**
 * The part of a {@link Kv} whose keys begin with `prefix`, as a database of its own: keys go in and come out
 * without it. Starting and stopping is left to whoever owns the whole.
 */
export function subKv(kv: Kv, prefix: Uint8Array): KvPart {
  const inside = (key: Uint8Array): Uint8Array => concatBytes(prefix, key)
  const outside = (key: Uint8Array): Uint8Array => key.subarray(prefix.length)
  const whole = (ops: readonly KvOp[]): KvOp[] => ops.map((op): KvOp => ({ ...op, key: inside(op.key) }))
  const bounds = (range: KvRange): KvRange => ({ ...range, gte: inside(range.gte), lt: inside(range.lt) })
  async function* readEntries(range: KvRange): AsyncGenerator<readonly [Uint8Array, Uint8Array], void> {
    for await (const [key, value] of kv.range(bounds(range))) yield [outside(key), value]
  }
  async function* readKeys(range: KvRange): AsyncGenerator<Uint8Array, void> {
    for await (const key of kv.keys(bounds(range))) yield outside(key)
  }
  return {
    async start() {},
    async stop() {},
    get: async (key) => await kv.get(inside(key)),
    getMany: async (wanted) => await kv.getMany(wanted.map(inside)),
    async batch(ops, options) {
      await kv.batch(whole(ops), options)
    },
    whole,
    range: (range) => ({ [Symbol.asyncIterator]: () => readEntries(range) }),
    keys: (range) => ({ [Symbol.asyncIterator]: () => readKeys(range) }),
  }
}
