import { afterEach } from 'vitest'
import { signEd25519 } from '#crypto'
import { type Env, systemEnv } from '../../src/core/env.ts'
import type { HeaderStore, ItemKind, ItemSink, Admit } from '../../src/core/header.ts'
import type { Kv, KvPart } from '../../src/core/kv.ts'
import { type Logger, noopLogger } from '../../src/core/logger.ts'
import { type Metrics, noopMetrics } from '../../src/core/metrics.ts'
import { createProposers, type Proposers } from '../../src/core/proposers.ts'
import { createRetriever } from '../../src/da/follow/retriever.ts'
import { createDaSource, type DaSource, type DaSourceOptions } from '../../src/da/follow/source.ts'
import { createHeaderStore } from '../../src/header/store/kv-store.ts'
import { KEYS } from '../../src/store/keys.ts'
import { createMemoryKv } from '../../src/store/kv-memory.ts'
import { subKv } from '../../src/store/sub-kv.ts'
import { admitData, admitHeaders } from '../../src/sync/admission.ts'
import { dataKind, headerKind } from '../../src/sync/kinds.ts'
import {
  encodeDAHeaderEnvelope,
  encodeData,
  encodeSignedData,
  encodeSignedHeader,
} from '../../src/types/codec.ts'
import type { Data, P2PData } from '../../src/types/data.ts'
import type { Genesis } from '../../src/types/genesis.ts'
import { type P2PSignedHeader, type SignedHeader, signerOfSeed } from '../../src/types/header.ts'
import { namespaceBytes } from '../../src/types/namespace.ts'
import { equalBytes } from '../../src/util/bytes.ts'
import { EvolveError } from '../../src/util/errors.ts'
import { createScriptedDa, type ScriptedDa } from './scripted-da.ts'

/** A header as its proposer posts it. */
export function envelopeBytes(header: SignedHeader, seed: Uint8Array): Uint8Array {
  return encodeDAHeaderEnvelope({ header, envelopeSignature: signEd25519(seed, encodeSignedHeader(header)) })
}

/** Data as its proposer posts it. */
export function signedDataBytes(data: Data, seed: Uint8Array): Uint8Array {
  return encodeSignedData({
    data,
    signature: signEd25519(seed, encodeData(data)),
    signer: signerOfSeed(seed),
  })
}

/** A sink over a store, and what went through it. */
export interface RigSink<H> extends ItemSink<H> {
  /** Heights that were handed to the peers, in order. */
  readonly broadcast: number[]
  /** Asked before each insert: what it returns is thrown. */
  fail: ((items: readonly H[]) => Error | undefined) | undefined
}

/** Makes a {@link RigSink} that checks items as the sync services do. */
export function createRigSink<H>(store: HeaderStore<H>, kind: ItemKind<H>, admit: Admit<H>): RigSink<H> {
  const sink: RigSink<H> = {
    broadcast: [],
    fail: undefined,
    store: () => store,
    async insert(items, { signal, broadcast }) {
      signal.throwIfAborted()
      const fault = sink.fail?.(items)
      if (fault !== undefined) throw fault
      const fresh: H[] = []
      for (const item of items) {
        const stored = await store.at(kind.height(item))
        if (stored === undefined) fresh.push(item)
        else if (!equalBytes(kind.hash(stored), kind.hash(item))) {
          throw new EvolveError('CONFLICTING_ITEM', 'another item is stored', { verdict: 'ignore' })
        }
      }
      const below = await store.head()
      let previous: H | undefined = below
      for (const item of fresh) {
        kind.validate(item)
        if (previous !== undefined) kind.verifyAdjacent(previous, item)
        previous = item
      }
      await admit(fresh, below, { signal })
      await store.append(fresh)
      if (broadcast) sink.broadcast.push(...fresh.map((item) => kind.height(item)))
    },
  }
  return sink
}

/** Options of {@link createDaRig}. */
export interface DaRigOptions {
  readonly genesis: Genesis
  readonly da?: ScriptedDa
  /** The database; what a rig before left in it is taken up. */
  readonly kv?: Kv
  /** Stands between the source and its part of the database. */
  readonly part?: (part: KvPart) => KvPart
  readonly source?: Partial<DaSourceOptions>
  readonly proposers?: Proposers
  readonly sameNamespace?: boolean
  readonly blockTime?: number
  readonly maxBlobBytes?: number
  readonly crowdedBytes?: number
  readonly env?: Env
  readonly logger?: Logger
  readonly metrics?: Metrics
}

/** Reading DA, over real stores. */
export interface DaRig {
  readonly da: ScriptedDa
  readonly kv: Kv
  readonly part: KvPart
  readonly source: DaSource
  readonly headers: RigSink<P2PSignedHeader>
  readonly data: RigSink<P2PData>
  readonly proposers: Proposers
  readonly headerNamespace: Uint8Array
  readonly dataNamespace: Uint8Array
  /** Second headers for stored heights. */
  readonly conflicts: { readonly height: number; readonly daHeight: number }[]
  /** Resolves when both stores have reached a height. */
  reached(height: number): Promise<void>
  stop(): Promise<void>
}

/** Namespaces of rigs. */
export const RIG_HEADERS: Uint8Array = namespaceBytes('rig-headers')
/** As {@link RIG_HEADERS}. */
export const RIG_DATA: Uint8Array = namespaceBytes('rig-data')

/** Makes a {@link DaRig} whose stores run; the source is started by the test. */
export async function createDaRig(options: DaRigOptions): Promise<DaRig> {
  const { genesis, da = createScriptedDa(), kv = createMemoryKv(), sameNamespace = false } = options
  const { env = systemEnv, logger = noopLogger, metrics = noopMetrics, blockTime = 5 } = options
  const { maxBlobBytes = 5 * 1024 * 1024, crowdedBytes = 8 * 1024 * 1024 } = options
  const proposers = options.proposers ?? createProposers(genesis.initialHeight, genesis.proposerAddress)
  await kv.start()
  const headerStore = createHeaderStore(
    { kv, kind: headerKind, logger },
    { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta } },
  )
  const dataStore = createHeaderStore(
    { kv, kind: dataKind, logger },
    { prefixes: { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta } },
  )
  await headerStore.start()
  await dataStore.start()
  const headers = createRigSink(headerStore, headerKind, admitHeaders(proposers, genesis.chainId))
  const data = createRigSink(dataStore, dataKind, admitData(headerStore, genesis))
  const [headerNamespace, dataNamespace] = [RIG_HEADERS, sameNamespace ? RIG_HEADERS : RIG_DATA]
  const shared = { env, logger, metrics }
  const retriever = createRetriever(
    { ...shared, client: da, proposers },
    { headerNamespace, dataNamespace, blockTime, maxBlobBytes, crowdedBytes, chainId: genesis.chainId },
  )
  const part = subKv(kv, Uint8Array.of(KEYS.da))
  const conflicts: { height: number; daHeight: number }[] = []
  const source = createDaSource(
    {
      ...shared,
      retriever,
      kv: options.part?.(part) ?? part,
      headers,
      data,
      proposers,
      genesis,
      conflict: ({ header }, daHeight) => conflicts.push({ height: header.height, daHeight }),
    },
    { startHeight: 0, ...options.source },
  )
  return {
    da,
    kv,
    part,
    source,
    headers,
    data,
    proposers,
    headerNamespace,
    dataNamespace,
    conflicts,
    async reached(height) {
      const signal = AbortSignal.timeout(15_000)
      await headerStore.waitFor(height, { signal })
      await dataStore.waitFor(height, { signal })
    },
    async stop() {
      await source.stop()
      await dataStore.stop()
      await headerStore.stop()
    },
  }
}

/** Makes what makes rigs that end with the test that asked for them. To be called once in a test file. */
export function useDaRigs(): (options: DaRigOptions) => Promise<DaRig> {
  const rigs: DaRig[] = []
  afterEach(async () => {
    for (const rig of rigs.splice(0)) await rig.stop()
  })
  return async (options) => {
    const rig = await createDaRig(options)
    rigs.push(rig)
    return rig
  }
}

/** Resolves when a rig has dealt with all that is on its DA now. */
export async function caughtUp(rig: DaRig): Promise<void> {
  await rig.source.caughtUp({ signal: AbortSignal.timeout(60_000) })
}

/** Resolves when the next DA height of a rig is this one. */
export async function nextIs(rig: DaRig, next: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const unwatch = rig.source.onConsumed(() => {
    if (rig.source.next === next) resolve()
  })
  if (rig.source.next === next) resolve()
  await promise
  unwatch()
}
