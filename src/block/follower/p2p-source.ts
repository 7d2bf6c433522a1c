/*
 * Blocks from the stores that peers fill: header and data of the next height, as soon as both are there.
 */
import type { BlockSink, BlockSource, HeightEvent } from '../../core/block-source.ts'
import type { Block } from '../../core/block-store.ts'
import { createBackoff, type Env, sleep } from '../../core/env.ts'
import type { HeaderStore } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { P2PData } from '../../types/data.ts'
import type { P2PSignedHeader } from '../../types/header.ts'
import { createSerial, createWake, linkSignals, type Wake } from '../../util/async.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import { blockBytes } from '../block-bytes.ts'
import { createTruncations } from './truncations.ts'

/** What the source needs. */
export interface P2PSourceDeps {
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  readonly sink: BlockSink
  readonly env: Env
  readonly logger: Logger
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

/** Blocks that were read ahead. */
interface Ahead {
  readonly from: number
  readonly blocks: Promise<Block[]>
}

/** Makes the source of blocks that came from peers. Source name: `p2p`. */
export function createP2PSource(deps: P2PSourceDeps, options: P2PSourceOptions = {}): BlockSource {
  const { headers, data, sink, env, evict } = deps
  const logger = deps.logger.child({ component: 'p2p-source' })
  const { window = 64, windowBytes = 8 * 1_048_576, lead = 256, proven = true } = options
  const serial = createSerial()
  const evictions = createSerial()
  const backoff = createBackoff(options.retryFirst ?? 100, options.retryLast ?? 10_000)
  let run: { readonly controller: AbortController; readonly over: Promise<void> } | undefined

  function reader(signal: AbortSignal): { loop: () => Promise<void>; close: () => void } {
    const truncations = createTruncations([headers, data])
    const moved: Wake = createWake()
    /** Next height to offer. */
    let cursor = sink.nextHeight
    /** Lowest height that must be offered again once it is next. */
    let lost: number | undefined
    let evicting = 0
    let interrupt: (() => void) | undefined
    let size = 1
    let ahead: Ahead | undefined

    const unwatch = sink.onNextHeight((next) => {
      if (next > cursor || (lost !== undefined && next >= lost)) interrupt?.()
      moved.wake()
    })

    function goBack(height: number): void {
      lost = Math.min(lost ?? height, height)
      interrupt?.()
      moved.wake()
    }

    async function rejected(height: number, current: () => boolean, reason: unknown): Promise<void> {
      evicting++
      try {
        await evictions.run(async () => {
          // What was removed in the meantime may have been replaced by something better.
          if (!signal.aborted && current()) await evict(height, describeError(reason))
        })
      } finally {
        evicting--
        goBack(height)
      }
    }

    function eventOf(block: Block): HeightEvent {
      const { height } = block.header.header
      const stillStored = truncations.watch(height)
      return {
        header: block.header,
        data: block.data,
        height,
        source: 'p2p',
        daHeight: undefined,
        get stored() {
          return stillStored()
        },
        proven,
        rejected: async (reason) => await rejected(height, stillStored, reason),
        dropped: () => goBack(height),
      }
    }

    async function read(from: number): Promise<Block[]> {
      const to = from + size
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
      return blocks
    }

    /** Grows while there is much to read and it is small. */
    function nextSize(count: number, bytes: number): number {
      if (count === 0) return 1
      const fitting = Math.max(1, Math.floor(windowBytes / (bytes / count)))
      return Math.min(window, fitting, count * 4)
    }

    /** Both halves of a height, as soon as they are there; undefined when that is no longer the question. */
    async function waitFor(height: number): Promise<Block[]> {
      const waiting = linkSignals(signal)
      interrupt = () => waiting.abort()
      try {
        if (sink.nextHeight > height || lost !== undefined) return []
        const [header, item] = await Promise.all([
          headers.waitFor(height, { signal: waiting.signal }),
          data.waitFor(height, { signal: waiting.signal }),
        ])
        return [{ header, data: item }]
      } catch (error) {
        if (!waiting.signal.aborted) throw error
        return []
      } finally {
        interrupt = undefined
        waiting.abort()
      }
    }

    async function next(): Promise<Block[]> {
      const from = cursor
      const known = ahead?.from === from ? ahead.blocks : undefined
      ahead = undefined
      const found = await (known ?? read(from))
      const blocks = found.length > 0 ? found : await waitFor(from)
      if (blocks.length >= 1 && found.length > 0) {
        const following = read(from + blocks.length)
        following.catch(() => undefined)
        ahead = { from: from + blocks.length, blocks: following }
      }
      return blocks
    }

    /** Brings the cursor to where the sink is, and says whether there is something to offer now. */
    async function ready(): Promise<boolean> {
      if (evicting > 0) {
        await evictions.idle()
        return false
      }
      if (lost !== undefined && sink.nextHeight >= lost) {
        lost = undefined
        ahead = undefined
        if (cursor > sink.nextHeight) await sleep(env, backoff.next(), signal)
        cursor = sink.nextHeight
      }
      if (cursor < sink.nextHeight) {
        cursor = sink.nextHeight
        backoff.reset()
      }
      if (cursor < sink.nextHeight + lead) return true
      await moved.wait(signal)
      return false
    }
    async function loop(): Promise<void> {
      while (!signal.aborted) {
        try {
          if (!(await ready())) continue
          const blocks = await next()
          // A dropped height comes up again when it is next: what is executed until then wakes us.
          if (blocks.length === 0 && lost !== undefined && sink.nextHeight < lost) await moved.wait(signal)
          for (const block of blocks) {
            if (lost !== undefined && sink.nextHeight >= lost) break
            const event = eventOf(block)
            cursor = Math.max(cursor, event.height + 1)
            await sink.offer(event, { signal })
          }
        } catch (error) {
          if (signal.aborted) return
          logger.warn('reading the next block from the stores failed', { height: cursor, error })
          ahead = undefined
          await sleep(env, backoff.next(), signal)
        }
      }
    }

    return {
      loop,
      close() {
        unwatch()
        truncations.close()
      },
    }
  }

  return {
    name: 'p2p',
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const controller = new AbortController()
        const { loop, close } = reader(controller.signal)
        const over = loop()
          .catch((error: unknown) => {
            if (!controller.signal.aborted) logger.error('the source of blocks from peers ended', { error })
          })
          .finally(close)
        run = { controller, over }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.controller.abort(new EvolveError('SOURCE_STOPPED', 'the source of blocks was stopped'))
        await run.over
        run = undefined
      })
    },
  }
}
