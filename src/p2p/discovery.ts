import { sha256 } from '#crypto'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import * as Digest from 'multiformats/hashes/digest'
import { type Env, sleep } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { PeerId } from '../core/network.ts'
import { createWake, linkSignals } from '../util/async.ts'
import { utf8 } from '../util/bytes.ts'
import { describeError, EvolveError } from '../util/errors.ts'

const SHA2_256 = 0x12

/** Where the peers of a chain meet in the DHT: the CID (version 1, raw) of the SHA-256 of its id. */
export function rendezvous(chainId: string): CID {
  return CID.createV1(raw.code, Digest.create(SHA2_256, sha256(utf8(chainId))))
}

/** A peer that the DHT knows. `A` is an address that can be dialled. */
export interface FoundPeer<A> {
  readonly peer: PeerId
  readonly addresses: readonly A[]
}

/** What discovery needs of a host. */
export interface DiscoveryDeps<A> {
  readonly env: Env
  readonly logger: Logger
  /** Says in the DHT that we are at `place`; resolves with how many peers were told. */
  readonly provide: (place: CID, options: { readonly signal: AbortSignal }) => Promise<number>
  /** Who else is at `place`. */
  readonly find: (place: CID, options: { readonly signal: AbortSignal }) => AsyncIterable<FoundPeer<A>>
  readonly dial: (
    peer: PeerId,
    addresses: readonly A[],
    options: { readonly signal: AbortSignal },
  ) => Promise<void>
  readonly peers: () => readonly PeerId[]
  /** Our own id. */
  readonly id: PeerId
}

/** Times in milliseconds, and how many peers are enough. */
export interface DiscoveryOptions {
  readonly chainId: string
  /** Peers beyond which nobody is looked for. Default 16. */
  readonly target?: number
  /** From a new peer until the DHT knows it well enough to be asked. Default 1 s. */
  readonly settle?: number
  /** Between two announcements. Default 52.5 min. */
  readonly provideEvery?: number
  /** After an announcement that nobody took. Default 2 min. */
  readonly retryProvide?: number
  /** Between two searches while there are too few peers. Default 3 min. */
  readonly findEvery?: number
}

/** Announces us in the DHT and connects us to others of our chain. */
export interface Discovery extends Service {
  /** Tells that a peer of the DHT came. */
  joined(): void
  /** Tells that a peer left. */
  left(): void
}

/** Longest time of one announcement or one search. */
const LOOKUP_TIMEOUT = 60_000
const DIAL_TIMEOUT = 10_000
/** Providers of one search that are looked at, and their addresses that are tried. */
const MAX_FOUND = 64
const MAX_ADDRESSES = 8

/** Makes a {@link Discovery}. */
export function createDiscovery<A>(
  { env, logger, provide, find, dial, peers, id }: DiscoveryDeps<A>,
  {
    chainId,
    target = 16,
    settle = 1_000,
    provideEvery = 52.5 * 60_000,
    retryProvide = 2 * 60_000,
    findEvery = 3 * 60_000,
  }: DiscoveryOptions,
): Discovery {
  const place = rendezvous(chainId)
  const toProvide = createWake()
  const toFind = createWake()
  let running: { readonly controller: AbortController; readonly tasks: readonly Promise<void>[] } | undefined
  let announced = false

  async function within<T>(
    ms: number,
    signal: AbortSignal,
    task: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const linked = linkSignals(signal)
    const cancel = env.timer(
      ms,
      () =>
        linked.abort(
          new EvolveError('TIMEOUT', `a DHT lookup took longer than ${ms} ms`, { verdict: 'retry' }),
        ),
      { background: true },
    )
    try {
      return await task(linked.signal)
    } finally {
      cancel()
      linked.release()
    }
  }

  /** Waits for a wake, at most `ms`. */
  async function pause(
    wake: { wait(signal: AbortSignal): Promise<void> },
    ms: number,
    signal: AbortSignal,
  ): Promise<void> {
    const linked = linkSignals(signal)
    const cancel = env.timer(ms, () => linked.abort(), { background: true })
    try {
      await wake.wait(linked.signal)
    } catch (error) {
      if (signal.aborted) throw error
    } finally {
      cancel()
      linked.release()
    }
  }

  async function announce(signal: AbortSignal): Promise<void> {
    await toProvide.wait(signal)
    for (;;) {
      await sleep(env, settle, signal)
      try {
        const told = await within(
          LOOKUP_TIMEOUT,
          signal,
          async (limited) => await provide(place, { signal: limited }),
        )
        announced = told > 0
        logger.debug('announced in the DHT', { told })
      } catch (error) {
        signal.throwIfAborted()
        announced = false
        logger.debug('not announced in the DHT', { reason: describeError(error) })
      }
      toFind.wake()
      await pause(toProvide, announced ? provideEvery : retryProvide, signal)
    }
  }

  async function search(signal: AbortSignal): Promise<void> {
    let seen = 0
    for await (const { peer, addresses } of find(place, { signal })) {
      if (++seen > MAX_FOUND || peers().length >= target) return
      if (peer === id || peers().includes(peer)) continue
      try {
        await within(
          DIAL_TIMEOUT,
          signal,
          async (limited) => await dial(peer, addresses.slice(0, MAX_ADDRESSES), { signal: limited }),
        )
        logger.info('connected to discovered peer', { peer })
      } catch (error) {
        signal.throwIfAborted()
        logger.debug('discovered peer not reached', { peer, reason: describeError(error) })
      }
    }
  }

  async function look(signal: AbortSignal): Promise<void> {
    await toFind.wait(signal)
    for (;;) {
      if (peers().length > 0 && peers().length < target) {
        try {
          await within(LOOKUP_TIMEOUT, signal, async (limited) => await search(limited))
        } catch (error) {
          signal.throwIfAborted()
          logger.debug('search in the DHT failed', { reason: describeError(error) })
        }
      }
      await pause(toFind, findEvery, signal)
      // Peers that leave together are looked for together.
      await sleep(env, settle, signal)
    }
  }

  return {
    async start() {
      if (running !== undefined) return
      const controller = new AbortController()
      const tasks = [announce, look].map(async (task) => {
        try {
          await task(controller.signal)
        } catch (error) {
          if (!controller.signal.aborted) logger.error('discovery ended', { error })
        }
      })
      running = { controller, tasks }
    },
    async stop() {
      if (running === undefined) return
      const { controller, tasks } = running
      running = undefined
      controller.abort()
      await Promise.all(tasks)
    },
    joined() {
      if (!announced) toProvide.wake()
      toFind.wake()
    },
    left() {
      toFind.wake()
    },
  }
}
