import { sha256 } from '#crypto'
import type { AppliedBlock } from '../core/applied-block.ts'
import type { BlockStore } from '../core/block-store.ts'
import { createBackoff, type Env, giveWay, sleep } from '../core/env.ts'
import type { Kv, KvOp } from '../core/kv.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { TxIndex } from '../core/node-view.ts'
import { abortable, createSerial, createWake } from '../util/async.ts'
import { equalBytes } from '../util/bytes.ts'
import { isEvolveError } from '../util/errors.ts'
import { heightOfKey, heightRange, KEYS, METADATA, parseHeight } from './keys.ts'
import { DATA_RECORD, decodeRecord } from './records.ts'
import { indexedOp, placeOfTxKey, readIndexed, txOp, txRange } from './tx-keys.ts'

/** Gauge: highest height whose transactions are in the index. */
export const TX_INDEX_HEIGHT_METRIC = 'store_tx_index_height'

/** Entries of one batch: a few milliseconds of work. */
const BATCH_ENTRIES = 1_024

/** Heights of one batch. */
const BATCH_HEIGHTS = 1_024

/** While the node is behind, this part of the time at most goes into the index. */
const SHARE_WHEN_BEHIND = 0.05

/** Heights without transactions that may be gone through again after a crash. */
const UNSAVED_HEIGHTS = 4_096

/** First and last pause in milliseconds after a failure. */
const RETRY_FIRST = 1_000
const RETRY_LAST = 30_000

const HASH_BYTES = 32

/** What a {@link KvTxIndex} needs. */
export interface TxIndexDeps {
  /** The database of the block store. */
  readonly kv: Kv
  readonly blocks: BlockStore
  /** Whether the node has so many blocks to execute that indexing them can wait. */
  readonly behind?: () => boolean
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The {@link TxIndex} of a database, and what fills it. */
export interface KvTxIndex extends TxIndex, Service {
  /** A block was executed. */
  applied(block: Pick<AppliedBlock, 'height' | 'txs'>): void
  /** Resolves when every block that is executed now is in the index; rejects when the signal aborts. */
  caughtUp(options: { readonly signal: AbortSignal }): Promise<void>
}

/**
 * Makes a {@link KvTxIndex} over the database of a started block store. It walks behind the executed blocks, in batches
 * of its own that nobody waits for: what a crash takes of them is done again, since how far it got is in the same batch.
 * When the chain was rolled back it goes back too. Blocks that are not there any more, or cannot be read, are passed over.
 */
export function createTxIndex(deps: TxIndexDeps): KvTxIndex {
  const { kv, blocks, behind = () => false, env, metrics } = deps
  const logger = deps.logger.child({ component: 'tx-index' })
  const serial = createSerial()
  const woken = createWake()
  const waiters = new Set<() => void>()
  let run: { readonly controller: AbortController; readonly over: Promise<void> } | undefined
  let indexed = 0
  let saved = 0
  /** Heights, all of them, that are known to have no transactions. */
  let empty = { from: 1, to: 0 }
  let ops: KvOp[] = []

  /** Writes what is collected; with it, that everything up to `height` is there. */
  async function write(height?: number): Promise<void> {
    const written = height === undefined ? ops : [...ops, indexedOp(height)]
    ops = []
    await kv.batch(written)
    if (height === undefined) return
    saved = height
    indexed = height
  }

  /** Lets others run: long enough that the index is no burden to a node that has much to do. */
  async function rest(worked: number, signal: AbortSignal): Promise<void> {
    if (behind()) await sleep(env, (worked * (1 - SHARE_WHEN_BEHIND)) / SHARE_WHEN_BEHIND, signal)
    else await giveWay(env, signal)
  }

  /** Collects the transactions of a block; writes where there are too many for one batch. */
  async function collect(height: number, txs: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    let began = env.monotonic()
    for (const [index, tx] of txs.entries()) {
      ops.push(txOp(tx, { height, index }))
      if (ops.length < BATCH_ENTRIES) continue
      await write()
      await rest(env.monotonic() - began, signal)
      began = env.monotonic()
    }
  }

  /** Puts the next blocks into the index, up to `tip` at most. */
  async function advance(tip: number, signal: AbortSignal): Promise<void> {
    const began = env.monotonic()
    let reached = indexed
    let read = 0
    ops = []
    try {
      const range = { ...heightRange(KEYS.data, indexed + 1, tip + 1), limit: BATCH_HEIGHTS }
      for await (const [key, bytes] of kv.range(range)) {
        signal.throwIfAborted()
        const height = heightOfKey(key)
        if (height === undefined) continue
        await collect(height, decodeRecord(DATA_RECORD, height, bytes).txs, signal)
        reached = height
        read++
        if (ops.length >= BATCH_ENTRIES / 2) break
      }
      // The rest is not here: it was pruned, or the chain begins above it.
      if (read === 0) reached = tip
    } catch (error) {
      if (!isEvolveError(error, 'STORE_CORRUPT')) throw error
      reached++
      logger.warn('transactions of a block that cannot be read are not indexed', { height: reached, error })
    }
    await write(reached)
    metrics.gauge(TX_INDEX_HEIGHT_METRIC, indexed)
    await rest(env.monotonic() - began, signal)
  }

  /** Goes on as far as there are blocks. */
  async function walk(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted()
      const tip = await blocks.height()
      if (indexed > tip) {
        logger.info('the chain was rolled back, and so is the index of transactions', {
          from: indexed,
          to: tip,
        })
        ops = []
        await write(tip)
      }
      if (empty.from <= indexed + 1 && indexed < empty.to) {
        indexed = Math.min(empty.to, tip)
        if (indexed - saved >= UNSAVED_HEIGHTS) await write(indexed)
      }
      if (indexed >= tip) return
      await advance(tip, signal)
    }
  }

  async function runUntil(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(RETRY_FIRST, RETRY_LAST)
    let trouble = false
    while (!signal.aborted) {
      try {
        await walk(signal)
        if (trouble) logger.info('transactions are indexed again')
        trouble = false
        backoff.reset()
        for (const resolve of waiters) resolve()
        waiters.clear()
        await woken.wait(signal)
      } catch (error) {
        if (signal.aborted) return
        if (!trouble) logger.warn('indexing transactions failed; trying again', { height: indexed, error })
        trouble = true
        await sleep(env, backoff.next(), signal).catch(() => undefined)
      }
    }
  }

  async function prunedHeight(): Promise<number> {
    const bytes = await blocks.metadata(METADATA.lastPrunedBlockHeight)
    return bytes === undefined ? 0 : (parseHeight(bytes.toReversed()) ?? 0)
  }

  return {
    get height() {
      return indexed
    },
    async find(hash) {
      if (hash.length !== HASH_BYTES) return undefined
      for await (const key of kv.keys(txRange(hash, (await prunedHeight()) + 1))) {
        const place = placeOfTxKey(key)
        if (place === undefined) continue
        const tx = (await blocks.data(place.height))?.txs[place.index]
        if (tx !== undefined && equalBytes(sha256(tx), hash)) return place
      }
      return undefined
    },
    applied({ height, txs }) {
      if (txs > 0) empty = { from: height + 1, to: height }
      else empty = { from: height === empty.to + 1 ? empty.from : height, to: height }
      woken.wake()
    },
    async caughtUp({ signal }) {
      while (indexed !== (await blocks.height())) {
        const { promise, resolve } = Promise.withResolvers<void>()
        waiters.add(resolve)
        woken.wake()
        try {
          await abortable(promise, signal)
        } finally {
          waiters.delete(resolve)
        }
      }
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        indexed = await readIndexed(kv)
        saved = indexed
        empty = { from: 1, to: 0 }
        const controller = new AbortController()
        run = { controller, over: runUntil(controller.signal) }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.controller.abort(new DOMException('the transaction index stops', 'AbortError'))
        await run.over
        run = undefined
        ops = []
        if (indexed === saved) return
        try {
          await write(indexed)
        } catch (error) {
          logger.debug('how far transactions are indexed was not saved', { error })
        }
      })
    },
  }
}
