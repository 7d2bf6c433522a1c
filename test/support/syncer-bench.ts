import { type Logger, noopLogger } from '../../src/core/logger.ts'
import { noopMetrics } from '../../src/core/metrics.ts'
import type { Admit, HeaderStore, ItemKind } from '../../src/core/header.ts'
import { createHeaderStore } from '../../src/header/store/kv-store.ts'
import { createSyncer, type Syncer, type SyncerOptions } from '../../src/header/sync/syncer.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { isEvolveError, type Verdict } from '../../src/util/errors.ts'
import { type DummyItem, dummyKind } from './dummy-item.ts'
import { createScriptedExchange, type ScriptedExchange } from './scripted-exchange.ts'
import { createVirtualEnv, type VirtualEnv } from './virtual-env.ts'

/** Moment at which the virtual clock of a {@link SyncerBench} begins. */
export const BENCH_START = 1_700_000_000_000_000_000n

/** A syncer over a real store in memory and a scripted exchange, under a virtual clock. */
export interface SyncerBench {
  readonly virtual: VirtualEnv
  readonly store: HeaderStore<DummyItem>
  readonly exchange: ScriptedExchange<DummyItem>
  readonly syncer: Syncer<DummyItem>
  /** Pairs of conflicting items the syncer told of. */
  readonly conflicts: [stored: DummyItem, incoming: DummyItem][]
  /** Hands an item in as gossip; says `stored or pending`, or the code and verdict of the refusal. */
  readonly gossip: (
    item: DummyItem,
  ) => Promise<'taken' | readonly [code: string, verdict: Verdict | undefined]>
  /** Payloads in the store, by height. */
  readonly stored: () => Promise<DummyItem[]>
  readonly stop: () => Promise<void>
}

/** How a {@link createSyncerBench} differs from the usual. */
export interface SyncerBenchOptions extends SyncerOptions<DummyItem> {
  readonly logger?: Logger
  /** What lies in the store before the syncer starts. */
  readonly stored?: readonly DummyItem[]
  readonly kind?: ItemKind<DummyItem>
  readonly admit?: Admit<DummyItem>
  /** Changes the store before the syncer gets it. */
  readonly wrapStore?: (store: HeaderStore<DummyItem>) => HeaderStore<DummyItem>
  readonly pieceSize?: number
  /** Leaves starting to the test. */
  readonly stopped?: boolean
}

/** Makes a {@link SyncerBench}, started. */
export async function createSyncerBench(options: SyncerBenchOptions = {}): Promise<SyncerBench> {
  const { stored = [], kind = dummyKind, admit = async () => {}, wrapStore = (one) => one } = options
  const virtual = createVirtualEnv(BENCH_START)
  const kv = createMemoryKv()
  await kv.start()
  const inner = createHeaderStore(
    { kv, kind, logger: noopLogger },
    { prefixes: { items: 1, hashes: 2, meta: 3 } },
  )
  await inner.start()
  await inner.append(stored)
  const store = wrapStore(inner)
  const exchange = createScriptedExchange(
    kind,
    options.pieceSize === undefined ? {} : { pieceSize: options.pieceSize },
  )
  const conflicts: SyncerBench['conflicts'] = []
  const syncer = createSyncer(
    {
      store,
      exchange,
      kind,
      admit,
      env: virtual.env,
      logger: options.logger ?? noopLogger,
      metrics: noopMetrics,
    },
    {
      // Old items are recent unless a test is about that.
      recency: 1e15,
      ...options,
      onConflict: (one, other) => conflicts.push([one, other]),
    },
  )
  if (options.stopped !== true) {
    await syncer.start()
    await virtual.settle()
  }
  return {
    virtual,
    store,
    exchange,
    syncer,
    conflicts,
    async gossip(item) {
      try {
        await syncer.incoming(item, { from: 'gossiper', signal: new AbortController().signal })
        return 'taken'
      } catch (error) {
        if (!isEvolveError(error)) throw error
        return [error.code, error.verdict]
      }
    },
    stored: async () => await store.range(store.tailHeight, store.height + 1),
    async stop() {
      await syncer.stop()
      await store.stop()
    },
  }
}
