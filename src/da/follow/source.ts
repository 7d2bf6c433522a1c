/*
 * The blocks of our chain that lie on DA, moved into the header and data stores, from where they go the way of all
 * blocks. Nothing on DA can stop it: what is wrong is passed over, what fails is tried again.
 */
import { createBackoff, sleep } from '../../core/env.ts'
import type { Service } from '../../core/lifecycle.ts'
import { createListeners } from '../../core/listeners.ts'
import { abortable, createSerial, deferred } from '../../util/async.ts'
import { describeError } from '../../util/errors.ts'
import { LruCache } from '../../util/lru.ts'
import type { Journal } from './journal.ts'
import { type DaSourceDeps, type DaSourceOptions, runSession } from './session.ts'
import { createSightings } from './sightings.ts'

export type { DaSourceDeps, DaSourceOptions }

/** Blocks whose DA height is remembered. */
const RECENT_BLOCKS = 4_096

/** Waiting times in milliseconds after a failure of the database. */
const FIRST_RETRY = 100
const LAST_RETRY = 10_000

/** What a {@link DaSource} is at. */
export interface DaSourceStatus {
  /** Next DA height to deal with. */
  readonly next: number
  /** Highest DA height known. */
  readonly head: number
  /** Halves of blocks that wait, and their bytes. */
  readonly waiting: number
  readonly bytes: number
  /** Whether DA answers. */
  readonly reachable: boolean
  /** The failure that is being waited out, of DA or of the database. */
  readonly lastError: string | undefined
}

/**
 * Follows DA. It ends only when it is stopped: whatever fails is waited out. DA heights are dealt with in order, one or
 * a few that have gathered in one durable step, after what it brought is durable in the stores, so that a crash only repeats work.
 */
export interface DaSource extends Service {
  /** Next DA height to deal with; 0 before the first start. */
  readonly next: number
  /** Highest DA height known; 0 before the first answer. */
  readonly head: number
  /** As {@link DaSource.highestBy} of the proposer that is expected of the heights to come. */
  readonly highest: number
  /**
   * Highest height that a header by a proposer was found of, in this process; 0 before the first. Only those count
   * that are validly signed by whoever is expected of their height. Of the last few proposers it is known, and it
   * falls when execution names another one from a lower height on.
   */
  highestBy(address: Uint8Array): number
  /** Resolves when everything up to what is the head of DA now was dealt with. */
  caughtUp(options: { readonly signal: AbortSignal }): Promise<void>
  /**
   * Calls `listener` with the last DA height that was dealt with, after the start and after each durable step, until
   * the returned function is called. It falls when something is read again.
   */
  onConsumed(listener: (daHeight: number) => void): () => void
  /** DA height of the later half of a block that was lately brought from DA. */
  daHeightOf(height: number): number | undefined
  status(): DaSourceStatus
}

/** Makes a {@link DaSource}. */
export function createDaSource(deps: DaSourceDeps, options: DaSourceOptions): DaSource {
  const { retriever, proposers, env } = deps
  const logger = deps.logger.child({ component: 'da-source' })
  const serial = createSerial()
  const consumed = createListeners<number>(logger, 'consumed DA height')
  const daHeights = new LruCache<number, number>(RECENT_BLOCKS)
  const sightings = createSightings(proposers)
  let run: { readonly controller: AbortController; readonly over: Promise<void> } | undefined
  let journal: Journal | undefined
  let lastError: string | undefined
  /** As it is on disk. */
  let next = 0

  async function follow(signal: AbortSignal): Promise<void> {
    const backoff = createBackoff(FIRST_RETRY, LAST_RETRY)
    while (!signal.aborted) {
      try {
        await runSession(
          { ...deps, logger, conflict: deps.conflict ?? (() => undefined) },
          options,
          {
            opened(it) {
              journal = it
              next = it.cursor.next
              consumed.tell(next - 1)
            },
            committed(to) {
              next = to
              lastError = undefined
              backoff.reset()
              consumed.tell(to - 1)
            },
            seen: (height, author) => sightings.saw(height, author),
            entered(height, daHeight) {
              daHeights.set(height, Math.max(daHeight, daHeights.get(height) ?? 0))
            },
          },
          signal,
        )
      } catch (error) {
        if (signal.aborted) return
        if (lastError === undefined) {
          logger.warn('following DA failed; trying again until it works', {
            next: journal?.cursor.next,
            error,
          })
        }
        lastError = describeError(error)
        // Only an abort ends the sleep early.
        await sleep(env, backoff.next(), signal).catch(() => undefined)
      }
    }
  }

  return {
    get next() {
      return next
    },
    get head() {
      return retriever.head
    },
    get highest() {
      return sightings.highestBy(proposers.expected(Number.MAX_SAFE_INTEGER))
    },
    highestBy: (address) => sightings.highestBy(address),
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const controller = new AbortController()
        const unwatch = proposers.onChange((from, address) => sightings.named(from, address))
        run = { controller, over: follow(controller.signal).finally(unwatch) }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        run.controller.abort(new DOMException('the DA source stops', 'AbortError'))
        await run.over
        run = undefined
      })
    },
    async caughtUp({ signal }) {
      const head = await retriever.askHead({ signal })
      const reached = deferred<void>()
      const look = (): void => {
        if (next > head) reached.resolve()
      }
      const unwatch = consumed.add(look)
      try {
        look()
        await abortable(reached.promise, signal)
      } finally {
        unwatch()
      }
    },
    onConsumed: (listener) => consumed.add(listener),
    daHeightOf: (height) => daHeights.get(height),
    status: () => ({
      next,
      head: retriever.head,
      waiting: journal?.candidates.size ?? 0,
      bytes: journal?.candidates.bytes ?? 0,
      reachable: retriever.reachable,
      lastError: retriever.lastError ?? lastError,
    }),
  }
}
