/*
 * One kind of item kept in step with the network: gossip for new ones, request/response for missing ranges, one
 * store, one syncer. HeaderSyncService and DataSyncService are its two instances.
 */
import { createBackoff, type Env, wakeOrTimeout } from '../core/env.ts'
import type {
  Admit,
  Exchange,
  GossipVerifier,
  HeaderStore,
  ItemKind,
  ItemSink,
  Subscriber,
  SyncState,
} from '../core/header.ts'
import type { Service } from '../core/lifecycle.ts'
import { startAll, stopAll } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Network } from '../core/network.ts'
import { createExchangeServer } from '../header/exchange/server.ts'
import { createSubscriber } from '../header/gossip/subscriber.ts'
import { createSyncer, type Syncer, type SyncerOptions } from '../header/sync/syncer.ts'
import { exchangeProtocol, gossipTopic, type SyncKind } from '../types/names.ts'
import { createSerial, createWake, linkSignals } from '../util/async.ts'
import { equalBytes } from '../util/bytes.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import { LruCache } from '../util/lru.ts'

/** Parts a {@link SyncService} is made of. */
export interface SyncServiceDeps<H> {
  readonly kind: ItemKind<H>
  readonly store: HeaderStore<H>
  readonly exchange: Exchange<H>
  readonly admit: Admit<H>
  readonly network: Network
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Judges a gossiped item before the syncer does: waits, or throws with a verdict. */
  readonly beforeIncoming?: GossipVerifier<H>
  /** Ties the running service to something else; what it returns is called when the service stops. */
  readonly attach?: (service: SyncService<H>) => () => void
}

/** Options of a {@link SyncService}. */
export interface SyncServiceOptions<H = unknown> extends Omit<SyncerOptions<H>, 'initialHeight'> {
  readonly chainId: string
  readonly syncKind: SyncKind
  /** Height of the chain's first block, from 1. */
  readonly initialHeight: number
  /** Whether this node makes the blocks: it then waits for no peer. */
  readonly aggregator?: boolean
  /** Milliseconds after which a follower without peers says that it goes on without them. Default 30,000. */
  readonly peerTimeout?: number
}

/** Keeps one kind of item in step with the network. */
export interface SyncService<H> extends Service, ItemSink<H> {
  /** Height of the store; 0 while empty. */
  readonly height: number
  /** Height the syncer works towards; at least `height`. */
  readonly targetHeight: number
  /**
   * Stores an item that we made and hands it to the peers. The first one begins the store. Rejects with
   * `INVALID_INITIAL_HEIGHT`, `EMPTY_ITEM`, `SERVICE_STOPPED`, or what {@link ItemSink.insert} says; a broadcast that
   * fails is logged, not thrown: peers will ask for what they miss.
   */
  writeToStoreAndBroadcast(item: H, options: { readonly signal: AbortSignal }): Promise<void>
  /** Hands an item to the peers and does nothing else with it. A broadcast that fails is logged, not thrown. */
  broadcast(item: H): Promise<void>
  /**
   * Asks the peers for their head now, however new ours is, and works towards it. undefined when none has one. Rejects
   * with what the exchange says, and with the verdict on a head that may not enter.
   */
  askPeers(options: { readonly signal: AbortSignal }): Promise<H | undefined>
  /** Removes the item at a height and all above it, and asks the peers again. */
  evict(height: number, reason: string): Promise<void>
  /** Sync up to a height that is known from elsewhere. */
  setTarget(height: number): void
  /** Look again at what could not be judged before: something new is proven. */
  poke(): void
  state(): SyncState
}

/** Heights below the head whose items are still relayed when they come by gossip for the first time. */
const RELAYED_KNOWN = 64
/** Waiting times between questions for the first item, milliseconds. */
const FIRST_RETRY = 1_000
const LAST_RETRY = 10_000

/** Makes a {@link SyncService}. */
export function createSyncService<H>(
  deps: SyncServiceDeps<H>,
  options: SyncServiceOptions<H>,
): SyncService<H> {
  const { kind, store, exchange, network, env, metrics } = deps
  const logger = deps.logger.child({ component: options.syncKind })
  const { chainId, syncKind, initialHeight } = options
  const peerTimeout = options.peerTimeout ?? 30_000
  const serial = createSerial()
  let run:
    | {
        parts: readonly Service[]
        syncer: Syncer<H>
        subscriber: Subscriber<H>
        stopping: AbortController
        init: Promise<void>
        detach: (() => void) | undefined
      }
    | undefined

  async function start(signal: AbortSignal | undefined): Promise<void> {
    if (run !== undefined) return
    const shared = { network, env, logger, metrics }
    const server = createExchangeServer(
      { ...shared, store, kind },
      { protocol: exchangeProtocol(chainId, syncKind) },
    )
    const subscriber = createSubscriber({ ...shared, kind }, { topic: gossipTopic(chainId, syncKind) })
    const syncer = createSyncer({ store, exchange, kind, admit: deps.admit, env, logger, metrics }, options)
    subscriber.setVerifier(verifier(syncer))
    // The store is first here and so the last to stop.
    const parts: readonly Service[] = [store, syncer, subscriber, exchange, server]
    await startAll(parts, signal === undefined ? {} : { signal })
    const stopping = new AbortController()
    run = {
      parts,
      syncer,
      subscriber,
      stopping,
      init: initialise(syncer, stopping.signal),
      detach: undefined,
    }
    // Only now: what is attached may speak to the running service at once.
    run.detach = deps.attach?.(service)
  }

  /**
   * What is let in is relayed. So is, once, what was here already because the exchange or derivation was faster than
   * gossip: peers behind us may have no other way to hear of it.
   */
  function verifier(syncer: Syncer<H>): GossipVerifier<H> {
    const relayed = new LruCache<number, true>(RELAYED_KNOWN)
    return async (item, context) => {
      const height = kind.height(item)
      try {
        await deps.beforeIncoming?.(item, context)
        await syncer.incoming(item, context)
      } catch (error) {
        const recent = height > store.height - RELAYED_KNOWN && !relayed.has(height)
        if (!isEvolveError(error, 'KNOWN_HEADER') || !recent) throw error
        const stored = await store.at(height)
        if (stored === undefined || !equalBytes(kind.hash(stored), kind.hash(item))) throw error
      }
      relayed.set(height, true)
    }
  }

  /** Gets a follower's first item from its peers; ends when there is one, wherever it came from. */
  async function initialise(syncer: Syncer<H>, signal: AbortSignal): Promise<void> {
    if (store.height > 0 || options.aggregator === true) return
    const begun = linkSignals(signal)
    const unwatch = store.onHeight((height) => {
      if (height > 0) begun.abort()
    })
    const backoff = createBackoff(FIRST_RETRY, LAST_RETRY)
    // Somebody new may have it: no reason to wait any longer then.
    const arrived = createWake()
    const unwatchPeers = network.watchPeers({
      connected() {
        backoff.reset()
        arrived.wake()
      },
      disconnected() {},
    })
    const waitingSince = env.monotonic()
    let told = false
    try {
      while (!begun.signal.aborted) {
        try {
          await syncer.head({ signal: begun.signal })
          if (store.height === 0) {
            const first = await exchange.at(initialHeight, { signal: begun.signal })
            if (store.height === 0) await enter(syncer, first, begun.signal)
          }
        } catch (error) {
          if (begun.signal.aborted) return
          logger.debug('no first item from peers yet', { error })
        }
        if (!told && env.monotonic() - waitingSince >= peerTimeout) {
          told = true
          logger.warn('no peer has the first item; going on without, gossip or DA may bring it', {
            height: initialHeight,
          })
        }
        await wakeOrTimeout(env, arrived, backoff.next(), begun.signal)
      }
    } catch (error) {
      if (!begun.signal.aborted) throw error
    } finally {
      unwatch()
      unwatchPeers()
      begun.release()
    }
  }

  /** Lets one item in by the same door as gossip; one that is there already is welcome. */
  async function enter(syncer: Syncer<H>, item: H, signal: AbortSignal): Promise<void> {
    try {
      await syncer.incoming(item, { from: network.id, signal })
    } catch (error) {
      if (!isEvolveError(error, 'KNOWN_HEADER')) throw error
    }
  }

  async function broadcast(subscriber: Subscriber<H>, item: H): Promise<void> {
    try {
      await subscriber.broadcast(item)
    } catch (error) {
      logger.warn('broadcast failed', { height: kind.height(item), error })
    }
  }

  const service: SyncService<H> = {
    store: () => store,
    get height() {
      return store.height
    },
    get targetHeight() {
      return Math.max(store.height, run?.syncer.state().toHeight ?? 0)
    },
    async start({ signal } = {}) {
      await serial.run(async () => await start(signal))
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        const { parts, stopping, init, detach } = run
        run = undefined
        detach?.()
        stopping.abort()
        await init
        await stopAll(parts)
      })
    },
    async writeToStoreAndBroadcast(item, { signal }) {
      if (initialHeight < 1) {
        throw new EvolveError(
          'INVALID_INITIAL_HEIGHT',
          `initial height must be 1 or more, got ${initialHeight}`,
        )
      }
      const height = kind.height(item)
      if (height < 1)
        throw new EvolveError('EMPTY_ITEM', `an item to be stored needs a height, got ${height}`)
      if (run === undefined) throw new EvolveError('SERVICE_STOPPED', `${syncKind} service is not started`)
      await service.insert([item], { signal, broadcast: true, own: true })
    },
    async insert(items, { signal, broadcast: spread, own = false, saved = false, validated = false }) {
      if (run === undefined) throw new EvolveError('SERVICE_STOPPED', `${syncKind} service is not started`)
      const { syncer, subscriber } = run
      const fresh = await syncer.insert(items, { signal, own, saved, validated })
      // What we made may be here by derivation already; the peers have not heard of it all the same.
      if (spread) for (const item of own ? items : fresh) await broadcast(subscriber, item)
    },
    async broadcast(item) {
      if (run !== undefined) await broadcast(run.subscriber, item)
    },
    async askPeers({ signal }) {
      if (run === undefined) return undefined
      const { syncer } = run
      const head = await exchange.head({ signal })
      if (head !== undefined) await enter(syncer, head, signal)
      return head
    },
    async evict(height, reason) {
      logger.warn('removing items that turned out wrong', { height, reason })
      await store.truncate(Math.max(height - 1, 0))
      run?.syncer.poke()
    },
    setTarget: (height) => run?.syncer.setTarget(height),
    poke: () => run?.syncer.poke(),
    state: () =>
      run?.syncer.state() ?? {
        id: 0,
        fromHeight: 0,
        toHeight: 0,
        height: store.height,
        start: 0n,
        end: 0n,
        error: undefined,
      },
  }
  return service
}
