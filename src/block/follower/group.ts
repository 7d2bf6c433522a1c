/*
 * Blocks that are executed and not saved yet. A synced write costs as much for one block as for many: while blocks
 * wait in line they are saved together, at the tip each by itself.
 */
import type { HeightEvent } from '../../core/block-source.ts'
import type { Env } from '../../core/env.ts'
import type { Executor } from '../../core/executor.ts'
import type { HeldWrites } from '../../core/kv.ts'
import type { Applier, Executed } from '../apply.ts'
import { blockBytes } from '../block-bytes.ts'
import type { Persistence } from '../persistence.ts'
import type { Tip } from '../validate-block.ts'

/** Bounds of a {@link Group}. */
export interface GroupLimits {
  /** Blocks. */
  readonly blocks: number
  readonly bytes: number
  /** Milliseconds from the execution of the first to the saving of all. */
  readonly age: number
}

/** An executed block, and the event that brought it. */
export interface Member {
  readonly event: HeightEvent
  readonly executed: Executed
}

/** Executed blocks on their way to the store, in order. */
export interface Group {
  /** The end of what is executed. */
  readonly tip: Tip
  /** Whether it is to be saved before another block is added. */
  readonly full: boolean
  /** A block is about to be executed. */
  begin(): void
  add(member: Member): void
  /**
   * Saves what is in it, trying until it succeeds, and once when the signal has aborted; resolves with what was saved.
   * Failures with verdict `halt` and aborts pass: what is in it stays then.
   */
  save(signal: AbortSignal): Promise<readonly Member[]>
}

/**
 * How many blocks an executor may be ahead of the store, at most `wanted`: after a crash it must be able to go back by
 * so many. One that cannot go back, or not say where it is, takes the last block again, and no more than that.
 */
export function groupSize(executor: Executor, wanted: number): number {
  if (executor.rollback === undefined || executor.latestHeight === undefined) return 1
  return Math.max(1, Math.min(wanted, executor.rollbackDepth ?? 1))
}

/** Parts of a {@link createGroup}. */
export interface GroupDeps {
  readonly applier: Applier
  readonly persistence: Persistence
  readonly env: Env
  /** Writes of the executor, which go into the batch of the blocks; none where it has a database of its own. */
  readonly executorWrites?: HeldWrites | undefined
}

/** Makes a {@link Group} that begins at the tip of `applier`. */
export function createGroup(
  { applier, persistence, env, executorWrites }: GroupDeps,
  limits: GroupLimits,
): Group {
  let members: Member[] = []
  let bytes = 0
  let began = 0
  /** Whether the executor's writes are held back. */
  let begun = false

  async function letWrite(mark: number, signal: AbortSignal): Promise<void> {
    await persistence.run('letting the executor write', signal, async () => {
      await executorWrites?.written(mark)
    })
    begun = false
  }

  return {
    get tip() {
      return members.at(-1)?.executed.tip ?? applier.tip
    },
    get full() {
      if (members.length === 0) return false
      return members.length >= limits.blocks || bytes >= limits.bytes || env.monotonic() - began >= limits.age
    },
    begin() {
      if (members.length === 0) began = env.monotonic()
      begun = true
      executorWrites?.hold()
    },
    add(member) {
      members.push(member)
      bytes += blockBytes(member.executed.block)
    },
    async save(signal) {
      const saved = members
      if (saved.length === 0) {
        // A block was wrong before it wrote anything: others of the executor's writes must not wait for the next one.
        if (begun) await letWrite(0, signal)
        return saved
      }
      const blocks = saved.map(({ executed }) => executed)
      const mark = await persistence.run('saving blocks', signal, async () => {
        const held = executorWrites?.held()
        await applier.save(blocks, { alongside: held?.ops ?? [] })
        return held?.mark ?? 0
      })
      await letWrite(mark, signal)
      members = []
      bytes = 0
      return saved
    },
  }
}
