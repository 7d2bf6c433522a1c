import type { BlockSink, HeightEvent } from '../../core/block-source.ts'
import type { Block } from '../../core/block-store.ts'
import { createBackoff, type Env, sleep } from '../../core/env.ts'
import type { HeaderStore } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { P2PData } from '../../types/data.ts'
import type { P2PSignedHeader } from '../../types/header.ts'
import { createSerial, createWake, linkSignals } from '../../util/async.ts'
import { describeError, isEvolveError } from '../../util/errors.ts'
import { blockBytes } from '../block-bytes.ts'
import { createTruncations } from './truncations.ts'

/** What the source needs. */
export interface P2PSourceDeps {
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  readonly sink: BlockSink
  readonly env: Env
  readonly logger: Logger
  /** The DA height at which a block was found, if it is DA that brought it into the stores. */
  readonly daHeightOf?: (height: number) => number | undefined
  /** Removes a block that turned out wrong, and all above it, from both stores, and has peers asked again. */
  evict(height: number, reason: string): Promise<void>
}

/** Bounds of the source. Defaults in brackets. */
export interface P2PSourceOptions {
  /** Blocks read at once [64], fewer when they are large: about this many bytes [8 MiB]. */
  readonly window?: number
  readonly windowBytes?: number
  /** Heights it offers ahead of the next one [256]. */
  readonly lead?: number
  /** Whether every header in the store had its signature checked before it was stored [true]. */
  readonly proven?: boolean
  /** First and last waiting time in milliseconds after a wrong block or a failure of a store [100, 10,000]. */
  readonly retryFirst?: number
  readonly retryLast?: number
}

/** Blocks that were read, and when. */
interface Found {
  readonly from: number
  readonly mark: number
  readonly blocks: readonly Block[]
}

/**
 * Walks along the header and data stores and offers what it finds to the sink: in windows, read ahead, while there
 * is much; block by block, waiting for both halves, at the tip. Goes back to a height whose block was rejected
 * (after it was evicted) or dropped (when it is next). The returned function walks until `signal` aborts or the
 * sink ends, and does not reject.
 */
export function createStoreWalk(
  deps: P2PSourceDeps,
  options: P2PSourceOptions,
  signal: AbortSignal,
): () => Promise<void> {
  const { headers, data, sink, env, logger } = deps
  const { window = 64, windowBytes = 8 * 1_048_576, lead = 256, proven = true } = options
  const backoff = createBackoff(options.retryFirst ?? 100, options.retryLast ?? 10_000)
  const truncations = createTruncations([headers, data])
  const evictions = createSerial()
  const moved = createWake()
  /** Next height to offer. */
  let cursor = sink.nextHeight
  /** A dropped height: nothing from it on is offered before it is next. */
  let held: number | undefined
  let evicting = 0
  /** Whether the last block was wrong: the next one is not asked for at once. */
  let punished = false
  /** Counts how often the walk went back; what was read before is not offered. */
  let turns = 0
  let interrupt: (() => void) | undefined
  let size = 1
  let ahead: Promise<Found> | undefined

  function goBack(height: number): void {
    cursor = Math.min(cursor, height)
    turns++
    interrupt?.()
    moved.wake()
  }

  async function rejected(height: number, current: () => boolean, reason: unknown): Promise<void> {
    evicting++
    try {
      await evictions.run(async () => {
        // What was removed in the meantime may have been replaced by something better, and what is executed stays.
        if (signal.aborted || !current() || height < sink.nextHeight) return
        punished = true
        await deps.evict(height, describeError(reason))
      })
    } finally {
      evicting--
      goBack(height)
    }
  }

  function eventOf(block: Block, mark: number): HeightEvent {
    const { height } = block.header.header
    const stillStored = (): boolean => truncations.holds(mark, height)
    const daHeight = deps.daHeightOf?.(height)
    return {
      header: block.header,
      data: block.data,
      height,
      source: daHeight === undefined ? 'p2p' : 'da',
      daHeight,
      get stored() {
        return stillStored()
      },
      proven,
      rejected: async (reason) => await rejected(height, stillStored, reason),
      dropped() {
        held = Math.min(held ?? height, height)
        goBack(height)
      },
    }
  }

  async function read(from: number): Promise<Found> {
    const mark = truncations.mark()
    const to = from + Math.max(1, Math.min(size, sink.nextHeight + lead - from))
    const [foundHeaders, foundData] = await Promise.all([headers.range(from, to), data.range(from, to)])
    const blocks: Block[] = []
    let bytes = 0
    for (const [index, header] of foundHeaders.entries()) {
      const item = foundData[index]
      if (item === undefined) break
      const block = { header, data: item }
      bytes += blockBytes(block)
      blocks.push(block)
    }
    size = nextSize(blocks.length, bytes)
    return { from, mark, blocks }
  }

  /** Grows while there is much to read and it is small. */
  function nextSize(count: number, bytes: number): number {
    if (count === 0) return 1
    const fitting = Math.max(1, Math.floor((windowBytes * count) / bytes))
    return Math.min(window, fitting, count * 4)
  }

  /** Both halves of a height as soon as they are there; nothing when another height has become the question. */
  async function waitFor(height: number): Promise<Found> {
    const mark = truncations.mark()
    const nothing = { from: height, mark, blocks: [] }
    if (sink.nextHeight > height || cursor !== height) return nothing
    const waiting = linkSignals(signal)
    interrupt = () => waiting.abort()
    try {
      const [header, item] = await Promise.all([
        headers.waitFor(height, { signal: waiting.signal }),
        data.waitFor(height, { signal: waiting.signal }),
      ])
      return { from: height, mark, blocks: [{ header, data: item }] }
    } catch (error) {
      if (!waiting.signal.aborted) throw error
      return nothing
    } finally {
      interrupt = undefined
      waiting.abort()
    }
  }

  /** What comes at the cursor; reads on in the background while there is more. */
  async function next(): Promise<Found> {
    const from = cursor
    const known = await ahead
    ahead = undefined
    const found = known?.from === from ? known : await read(from)
    if (found.blocks.length === 0) return await waitFor(from)
    ahead = read(from + found.blocks.length)
    // Whoever awaits it hears of a failure; nobody may.
    ahead.catch(() => undefined)
    return found
  }

  /** Whether there may be something to offer now; otherwise waits until that may have changed. */
  async function ready(): Promise<boolean> {
    if (evicting > 0) {
      await evictions.idle()
      return false
    }
    if (punished) {
      punished = false
      await sleep(env, backoff.next(), signal)
      return false
    }
    cursor = Math.max(cursor, sink.nextHeight)
    if (held !== undefined && sink.nextHeight >= held) held = undefined
    if (cursor < Math.min(held ?? Infinity, sink.nextHeight + lead)) return true
    await moved.wait(signal)
    return false
  }

  async function walk(): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      if (!(await ready())) continue
      const before = turns
      const { mark, blocks } = await next()
      for (const block of blocks) {
        if (turns !== before) break
        const event = eventOf(block, mark)
        if (event.height >= sink.nextHeight) await sink.offer(event, { signal })
        if (turns === before) cursor = event.height + 1
      }
    }
  }

  return async () => {
    const unwatch = sink.onNextHeight((height) => {
      backoff.reset()
      if (height > cursor) interrupt?.()
      moved.wake()
    })
    try {
      for (;;) {
        try {
          await walk()
        } catch (error) {
          if (signal.aborted) return
          if (isEvolveError(error, 'FOLLOWER_STOPPED')) {
            logger.debug('nobody takes blocks any more')
            return
          }
          logger.warn('reading blocks from the stores failed; trying again', { height: cursor, error })
          ahead = undefined
          punished = true
        }
      }
    } finally {
      unwatch()
      truncations.close()
    }
  }
}
