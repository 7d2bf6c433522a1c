import type { KvOp, KvPart } from '../../src/core/kv.ts'
import type { Sequencer } from '../../src/core/sequencer.ts'
import { compareBytes, toHex, uint64BigEndian } from '../../src/util/bytes.ts'

/** The least a sequencer can be: a durable queue, in order, that knows what waits. Takes one call of `submit` at a time. */
export function createDurableQueue({ kv }: { readonly kv: KvPart }): Sequencer {
  let waiting: { readonly seq: number; readonly tx: Uint8Array }[] = []
  let last = 0
  const listeners = new Set<() => void>()
  const keyOf = (seq: number): Uint8Array => uint64BigEndian(seq)
  return {
    get size() {
      return waiting.length
    },
    get bytes() {
      return waiting.reduce((sum, { tx }) => sum + tx.length, 0)
    },
    async start() {
      waiting = []
      const range = { gte: new Uint8Array(8), lt: new Uint8Array(8).fill(0xff) }
      for await (const [key, tx] of kv.range(range)) {
        last = Number(new DataView(key.slice().buffer).getBigUint64(0))
        waiting.push({ seq: last, tx })
      }
    },
    async stop() {},
    async submit(txs) {
      const known = new Set(waiting.map(({ tx }) => toHex(tx)))
      const entries = txs.filter((tx) => !known.has(toHex(tx))).map((tx) => ({ seq: ++last, tx }))
      await kv.batch(
        entries.map(({ seq, tx }): KvOp => ({ type: 'put', key: keyOf(seq), value: tx })),
        { sync: true },
      )
      waiting.push(...entries)
      for (const listener of listeners) listener()
    },
    async next({ maxBytes }) {
      let bytes = 0
      const taken = []
      for (const entry of waiting) {
        bytes += entry.tx.length
        if (bytes > maxBytes) break
        taken.push(entry)
      }
      return { txs: taken.map(({ tx }) => tx), upTo: taken.at(-1)?.seq ?? 0 }
    },
    removal(upTo) {
      const left = waiting.filter(({ seq }) => seq <= upTo)
      return kv.whole(left.map(({ seq }): KvOp => ({ type: 'del', key: keyOf(seq) })))
    },
    committed(upTo) {
      waiting = waiting.filter(({ seq }) => seq > upTo)
    },
    onTxs(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Whether every transaction of `wanted` is in `found` once, and in the same order. */
export function inOrderOnce(wanted: readonly Uint8Array[], found: readonly Uint8Array[]): boolean {
  const places = wanted.map((tx) => found.findIndex((other) => compareBytes(tx, other) === 0))
  return (
    new Set(found.map(toHex)).size === found.length &&
    places.every((place, index) => place >= 0 && (index === 0 || place > (places[index - 1] ?? -1)))
  )
}
