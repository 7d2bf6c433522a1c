import type { HeaderStore } from '../core/header.ts'
import { createExchange } from '../header/exchange/client.ts'
import { createHeaderStore } from '../header/store/kv-store.ts'
import { KEYS } from '../store/keys.ts'
import type { P2PData } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { exchangeProtocol } from '../types/names.ts'
import { admitData } from './admission.ts'
import { createDerivedExchange } from './derived-exchange.ts'
import type { ChainSyncDeps, ChainSyncOptions } from './header-service.ts'
import { dataKind } from './kinds.ts'
import { createSyncService, type SyncService } from './service.ts'
import { createWaitingRoom } from './waiting-room.ts'

/** Keeps block data in step with the network, always behind the headers that vouch for it. */
export type DataSyncService = SyncService<P2PData>

/** Options of {@link createDataSyncService}. */
export interface DataSyncOptions extends ChainSyncOptions {
  /** Whether this node makes the blocks now: their data is put in behind their headers, and need not be looked for. */
  readonly making?: () => boolean
}

/** Makes the {@link DataSyncService} of a chain. It follows `headers`: nothing above them is asked for or stored. */
export function createDataSyncService(
  deps: ChainSyncDeps & { readonly headers: HeaderStore<P2PSignedHeader> },
  options: DataSyncOptions,
): DataSyncService {
  const { kv, network, genesis, env, logger, metrics, headers } = deps
  const { chainId, initialHeight } = genesis
  const store = createHeaderStore(
    { kv, kind: dataKind, logger },
    {
      prefixes: { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta },
      initialHeight,
      ...(deps.othersUpTo === undefined ? {} : { othersUpTo: deps.othersUpTo }),
    },
  )
  const peers = createExchange(
    {
      network,
      kind: dataKind,
      env,
      logger,
      metrics,
      ...(deps.trusted === undefined ? {} : { trusted: deps.trusted }),
    },
    { protocol: exchangeProtocol(chainId, 'dataSync'), chainId },
  )
  const exchange = createDerivedExchange({ exchange: peers, headers, data: store, env }, { initialHeight })
  const waiting = createWaitingRoom({ headers, env })
  return createSyncService(
    {
      kind: dataKind,
      store,
      exchange,
      admit: admitData(headers, { chainId, initialHeight }),
      network,
      env,
      logger,
      metrics,
      beforeIncoming: async (item, context) => await waiting.headerOf(item, context),
      attach: (service) => {
        if (headers.height > 0) service.setTarget(headers.height)
        return headers.onHeight((height) => {
          if (options.making?.() !== true) service.setTarget(height)
        })
      },
    },
    { ...options, chainId, initialHeight, syncKind: 'dataSync' },
  )
}
