/*
 * The way in: submissions wait in line, those that came while the disk was busy go into one record with one sync.
 */
import type { Kv } from '../core/kv.ts'
import type { Metrics } from '../core/metrics.ts'
import { abortable, createSerial, type Deferred, deferred } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { SEQUENCER_METRICS } from './metrics.ts'
import type { Entry, TxQueue } from './queue.ts'
import { recordOp } from './records.ts'

/** Bytes after which a record takes in no further submission. */
const RECORD_BYTES = 4 * 1024 * 1024

/** Bounds of the queue; those that wait to be written have the same room once more. */
export interface QueueLimits {
  readonly maxBytes: number
  readonly maxTxs: number
  readonly maxTxBytes: number
}

/** Takes transactions into a queue. */
export interface Intake {
  /** As `submit` of the sequencer. */
  submit(entries: readonly Entry[], signal: AbortSignal): Promise<void>
  /** Runs `task` while nothing is taken in: what comes meanwhile waits. */
  alone<T>(task: () => Promise<T>): Promise<T>
  /** Takes nothing more; resolves when the disk is left alone. */
  close(): Promise<void>
}

interface Submission {
  readonly entries: readonly Entry[]
  readonly bytes: number
  readonly outcome: Deferred<void>
}

/** Makes an {@link Intake}. `onTaken` is called after each write. */
export function createIntake(
  deps: {
    readonly kv: Kv
    readonly queue: TxQueue
    readonly metrics: Metrics
    readonly onTaken: () => void
  },
  limits: QueueLimits,
): Intake {
  const { kv, queue, metrics, onTaken } = deps
  const line = new Set<Submission>()
  let lineTxs = 0
  let lineBytes = 0
  const disk = createSerial()
  let writing = false
  let closed = false

  function stopped(): EvolveError {
    return new EvolveError('SEQUENCER_STOPPED', 'the sequencer does not run', { verdict: 'retry' })
  }

  function full(txs: number, bytes: number): EvolveError {
    metrics.count(SEQUENCER_METRICS.full)
    return new EvolveError(
      'QUEUE_FULL',
      `the sequencer holds ${queue.size} of ${limits.maxTxs} transactions and ${queue.bytes} of ${limits.maxBytes} bytes: no room for ${txs} more with ${bytes} bytes`,
      { verdict: 'retry', data: { txs: queue.size, bytes: queue.bytes } },
    )
  }

  function leaveLine(submission: Submission): void {
    if (!line.delete(submission)) return
    lineTxs -= submission.entries.length
    lineBytes -= submission.bytes
  }

  /** The submissions that go into the next record. */
  function nextGroup(): Submission[] {
    const group: Submission[] = []
    let bytes = 0
    for (const submission of line) {
      if (bytes >= RECORD_BYTES) break
      leaveLine(submission)
      group.push(submission)
      bytes += submission.bytes
    }
    return group
  }

  async function write(group: readonly Submission[]): Promise<void> {
    const taken = new Map<string, Entry>()
    const accepted: Submission[] = []
    let bytes = 0
    for (const submission of group) {
      const fresh = new Map<string, Entry>()
      let more = 0
      for (const entry of submission.entries) {
        if (queue.has(entry.name) || taken.has(entry.name) || fresh.has(entry.name)) continue
        fresh.set(entry.name, entry)
        more += entry.tx.length
      }
      const txs = queue.size + taken.size + fresh.size
      // What is all here already needs no room.
      if (fresh.size > 0 && (txs > limits.maxTxs || queue.bytes + bytes + more > limits.maxBytes)) {
        submission.outcome.reject(full(fresh.size, more))
        continue
      }
      for (const [name, entry] of fresh) taken.set(name, entry)
      bytes += more
      accepted.push(submission)
    }
    if (taken.size > 0) {
      const entries = [...taken.values()]
      const first = queue.last + 1
      try {
        await kv.batch([recordOp(first, entries)], { sync: true })
      } catch (error) {
        for (const { outcome } of accepted) outcome.reject(error)
        return
      }
      queue.append(first, entries)
      metrics.count(SEQUENCER_METRICS.taken, entries.length)
    }
    for (const { outcome } of accepted) outcome.resolve()
    if (taken.size > 0) onTaken()
  }

  async function writeAll(): Promise<void> {
    if (writing) return
    writing = true
    while (line.size > 0) await disk.run(async () => await write(nextGroup()))
    writing = false
  }

  return {
    async submit(all, signal) {
      signal.throwIfAborted()
      if (closed) throw stopped()
      const big = all.find(({ tx }) => tx.length > limits.maxTxBytes)
      if (big !== undefined) throw tooBig(big.tx.length, limits.maxTxBytes)
      // What waits now is passed over, also when its block is committed before our turn comes.
      const entries = all.filter(({ name }) => !queue.has(name))
      if (entries.length === 0) return
      const bytes = entries.reduce((sum, { tx }) => sum + tx.length, 0)
      if (lineTxs + entries.length > limits.maxTxs || lineBytes + bytes > limits.maxBytes) {
        throw full(entries.length, bytes)
      }
      const submission: Submission = { entries, bytes, outcome: deferred() }
      line.add(submission)
      lineTxs += entries.length
      lineBytes += bytes
      void writeAll()
      try {
        await abortable(submission.outcome.promise, signal)
      } finally {
        leaveLine(submission)
      }
    },
    alone: async (task) => await disk.run(task),
    async close() {
      closed = true
      for (const submission of line) {
        leaveLine(submission)
        submission.outcome.reject(stopped())
      }
      await disk.idle()
    },
  }
}

function tooBig(bytes: number, limit: number): EvolveError {
  return new EvolveError(
    'TX_TOO_BIG',
    `a transaction has ${bytes} bytes, at most ${limit} fit into a block`,
    {
      verdict: 'reject',
      data: { bytes, limit },
    },
  )
}
