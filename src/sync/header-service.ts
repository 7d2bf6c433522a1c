import type { Env } from '../core/env.ts'
import type { Kv } from '../core/kv.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Network, PeerId } from '../core/network.ts'
import type { Pace } from '../core/pace.ts'
import type { Proposers } from '../core/proposers.ts'
import type { SignatureChecker } from '../core/signatures.ts'
import { createExchange } from '../header/exchange/client.ts'
import { createHeaderStore } from '../header/store/kv-store.ts'
import { KEYS } from '../store/keys.ts'
import type { Genesis } from '../types/genesis.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { exchangeProtocol } from '../types/names.ts'
import { equalBytes } from '../util/bytes.ts'
import { admitHeaders } from './admission.ts'
import { headerKind, headerKindWith } from './kinds.ts'
import { createSyncService, type SyncService } from './service.ts'

/** What both sync services of a node share. */
export interface ChainSyncDeps {
  readonly kv: Kv
  readonly network: Network
  readonly genesis: Genesis
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Highest height that the block store, which shares the records, may have written. */
  readonly othersUpTo?: () => number
  /** Peers asked first; every connected peer when left out. */
  readonly trusted?: () => readonly PeerId[]
}

/** Options of both sync services. */
export interface ChainSyncOptions {
  /** Milliseconds between blocks: tells how old a head may be before peers are asked for a newer one. */
  readonly blockTime: number
  readonly aggregator?: boolean
}

/** Options of {@link createHeaderSyncService}. */
export interface HeaderSyncOptions extends ChainSyncOptions {
  /** Told of two different headers of one height, both by who may sign it: the one in the chain and the other. */
  readonly onConflict?: (stored: P2PSignedHeader, other: P2PSignedHeader) => void
  /** Told of every validly signed header that a peer shows as new or as its head, before anything else judges it. */
  readonly onSeen?: (header: P2PSignedHeader) => void
  /** Keeps headers from running too far ahead of the blocks that are executed. */
  readonly pace?: Pick<Pace, 'wait'>
}

/** Keeps signed headers in step with the network. */
export type HeaderSyncService = SyncService<P2PSignedHeader>

/** Makes the {@link HeaderSyncService} of a chain: headers of proven proposers, and nothing else. */
export function createHeaderSyncService(
  deps: ChainSyncDeps & {
    readonly proposers: Proposers
    /** Checks the signatures of ranges, which else are checked on this thread. */
    readonly signatures?: SignatureChecker
  },
  options: HeaderSyncOptions,
): HeaderSyncService {
  const { kv, network, genesis, env, logger, metrics, proposers } = deps
  const { chainId, initialHeight } = genesis
  const admit = admitHeaders(proposers, chainId)
  const kind = deps.signatures === undefined ? headerKind : headerKindWith(deps.signatures)
  const store = createHeaderStore(
    { kv, kind, logger },
    {
      prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta },
      initialHeight,
      ...(deps.othersUpTo === undefined ? {} : { othersUpTo: deps.othersUpTo }),
    },
  )
  const exchange = createExchange(
    {
      network,
      kind,
      env,
      logger,
      metrics,
      ...(deps.trusted === undefined ? {} : { trusted: deps.trusted }),
      async check(item) {
        options.onSeen?.(item)
        await admit([item], undefined, { signal: new AbortController().signal })
      },
    },
    { protocol: exchangeProtocol(chainId, 'headerSync'), chainId },
  )
  return createSyncService(
    {
      kind,
      store,
      exchange,
      admit,
      network,
      env,
      logger,
      metrics,
      beforeIncoming: async (item) => options.onSeen?.(item),
      // A newly named proposer takes away what the old one signed beyond its term.
      attach: (service) =>
        proposers.onChange((height, address) => {
          const evict = async (): Promise<void> => {
            const stored = await store.at(height)
            if (stored === undefined || equalBytes(stored.header.proposerAddress, address)) return
            await service.evict(height, 'execution named another proposer')
          }
          evict().catch((error: unknown) =>
            logger.error('removing headers of the old proposer failed', { height, error }),
          )
        }),
    },
    { ...options, chainId, initialHeight, syncKind: 'headerSync' },
  )
}
