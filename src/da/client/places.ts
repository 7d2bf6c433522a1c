import type { Deferred } from '../../util/async.ts'
import { abortable, deferred } from '../../util/async.ts'

/** A bounded number of places for calls under way; who finds none free waits in line. */
export interface Places {
  /** How many wait. */
  readonly waiting: number
  /** Runs `task` in a place of its own. Rejects as `task` does, with the signal's reason, or when the line is full. */
  run<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T>
}

/** Makes {@link Places}: `count` of them, and room for `maxWaiting` in line, beyond which `full` is thrown. */
export function createPlaces(count: number, maxWaiting: number, full: () => Error): Places {
  let free = count
  const line = new Set<Deferred<void>>()

  function leave(): void {
    for (const next of line) {
      line.delete(next)
      next.resolve()
      return
    }
    free++
  }

  async function enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (free > 0) {
      free--
      return
    }
    if (line.size >= maxWaiting) throw full()
    const turn = deferred<void>()
    line.add(turn)
    try {
      await abortable(turn.promise, signal)
    } catch (error) {
      // It may have been given the place in the same moment; then it is for the next one.
      if (!line.delete(turn)) leave()
      throw error
    }
  }

  return {
    get waiting() {
      return line.size
    },
    async run(signal, task) {
      await enter(signal)
      try {
        return await task()
      } finally {
        leave()
      }
    },
  }
}
