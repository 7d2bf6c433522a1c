/*
 * The chain of the local DA: the one place where it grows.
 */
import type { Blob } from '../../core/da.ts'
import type { Env } from '../../core/env.ts'
import { createSerial } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'
import { hasTrueCommitment } from '../blob.ts'
import { blockAbove, decodeBlock, encodeBlock, type LocalBlock } from './block.ts'
import type { BlockLog } from './block-log.ts'

/** Blobs to be put at a height. */
export interface PreloadBlock {
  readonly height: number
  readonly blobs: readonly Blob[]
}

/** A chain of DA blocks that is always open at its end. */
export interface LocalChain {
  /** Reads what is there, or makes the first block. Done once. */
  open(): Promise<void>
  /** The newest block. Throws `LOCAL_DA_CLOSED` before it was opened. */
  readonly head: LocalBlock
  /** A block up to the head; undefined above. */
  block(height: number): Promise<LocalBlock | undefined>
  /** Makes the next block, kept when it resolves. Rejects as {@link BlockLog.append}, and then there is none. */
  append(blobs: readonly Blob[]): Promise<LocalBlock>
  /**
   * Makes blocks up to the last of `blocks`, which hold their blobs at their heights and are empty between them.
   * Rejects with `LOCAL_DA_PRELOAD` when heights do not rise from above the head, or a blob is not true.
   */
  preload(blocks: readonly PreloadBlock[]): Promise<void>
}

/** Blocks written at once while preloading. */
const PRELOAD_BATCH = 64

/** Makes a {@link LocalChain} over a log. `onBlock` hears of each block once it is kept. */
export function createLocalChain(
  deps: { readonly env: Env; readonly log: BlockLog },
  onBlock: (block: LocalBlock) => void,
): LocalChain {
  const { env, log } = deps
  const serial = createSerial()
  let head: LocalBlock | undefined

  const keep = async (blocks: readonly LocalBlock[]): Promise<void> => {
    await log.append(blocks[0]?.height ?? 0, blocks.map(encodeBlock))
    head = blocks.at(-1) ?? head
    for (const block of blocks) onBlock(block)
  }
  const open = async (): Promise<void> => {
    if (head !== undefined) return
    const last = await log.last()
    if (last === undefined) await keep([blockAbove(undefined, { now: env.now(), blobs: [] })])
    else head = decodeBlock(last.height, last.record)
  }
  const fill = async (blocks: readonly PreloadBlock[]): Promise<void> => {
    let batch: LocalBlock[] = []
    for (const { height, blobs } of blocks) {
      let below = batch.at(-1) ?? head
      while (below !== undefined && below.height < height) {
        const own = below.height + 1 === height ? blobs : []
        below = blockAbove(below, { now: env.now(), blobs: own, keepIndex: true })
        batch.push(below)
        if (batch.length < PRELOAD_BATCH) continue
        await keep(batch)
        batch = []
      }
    }
    if (batch.length > 0) await keep(batch)
  }
  return {
    async open() {
      await serial.run(open)
    },
    get head() {
      if (head !== undefined) return head
      throw new EvolveError('LOCAL_DA_CLOSED', 'the chain of the local DA was not opened yet', {
        verdict: 'retry',
      })
    },
    async block(height) {
      if (head === undefined || height > head.height) return undefined
      if (height === head.height) return head
      const record = await log.read(height)
      return record === undefined ? undefined : decodeBlock(height, record)
    },
    async append(blobs) {
      return await serial.run(async () => {
        await open()
        const block = blockAbove(head, { now: env.now(), blobs })
        await keep([block])
        return block
      })
    },
    async preload(blocks) {
      await serial.run(async () => {
        await open()
        refuseDisorder(head?.height ?? 0, blocks)
        await fill(blocks)
      })
    },
  }
}

function refuseDisorder(head: number, blocks: readonly PreloadBlock[]): void {
  let below = head
  for (const { height, blobs } of blocks) {
    if (!Number.isSafeInteger(height) || height <= below) {
      throw new EvolveError('LOCAL_DA_PRELOAD', `expected a DA height above ${below}, got ${height}`)
    }
    const wrong = blobs.findIndex((blob) => !hasTrueCommitment(blob))
    if (wrong !== -1) {
      throw new EvolveError(
        'LOCAL_DA_PRELOAD',
        `blob ${wrong} of DA height ${height} has not the share commitment of its data`,
      )
    }
    below = height
  }
}
