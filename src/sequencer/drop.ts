/*
 * The way out for what lies in blocks of others: these were not made from a batch, so nothing left with them.
 */
import type { KvOp } from '../core/kv.ts'
import type { TxQueue } from './queue.ts'
import { removalOps, renumberingOps } from './records.ts'

/** What a drop changes. */
export interface Drop {
  readonly count: number
  /** On disk, in one batch; none when there is nothing to say. */
  readonly ops: readonly KvOp[]
  /** In memory, once that is written. */
  apply(): void
}

/** Plans to take out of a queue what `holds` says lies in blocks up to `height`. Nobody else may change it meanwhile. */
export function planDrop(queue: TxQueue, holds: (tx: Uint8Array) => boolean, height: number): Drop {
  const staying = queue.waiting().filter(({ tx }) => !holds(tx))
  const count = queue.size - staying.length
  if (count === 0) {
    const { done } = queue
    return {
      count,
      ops: height === queue.settledHeight ? [] : removalOps(queue, done, height),
      apply: () => queue.leave(done, height),
    }
  }
  return {
    count,
    ops: renumberingOps(queue, staying, height),
    apply() {
      const { last } = queue
      queue.leave(last, height)
      if (staying.length > 0) queue.append(last + 1, staying)
    },
  }
}
