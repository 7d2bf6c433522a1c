/*
 * The database of a node that does not run, opened for work on its stores.
 */
import type { HeaderStore } from '../core/header.ts'
import type { Kv } from '../core/kv.ts'
import { startAll, stopAll } from '../core/lifecycle.ts'
import { noopLogger } from '../core/logger.ts'
import { createHeaderStore } from '../header/store/kv-store.ts'
import { createBlockStore, type KvBlockStore } from '../store/block-store.ts'
import { KEYS } from '../store/keys.ts'
import { dataKind, headerKind } from '../sync/kinds.ts'
import type { P2PData } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'

/** Stores over one started database. Opened together, since they share the records. */
export interface OfflineStores {
  readonly blocks: KvBlockStore
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
}

/** Header and data stores over a database; to be started by whoever makes them. */
export function itemStores(kv: Kv): Omit<OfflineStores, 'blocks'> {
  const options = { cacheItems: 256 }
  return {
    headers: createHeaderStore(
      { kv, kind: headerKind, logger: noopLogger },
      {
        ...options,
        prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta },
      },
    ),
    data: createHeaderStore(
      { kv, kind: dataKind, logger: noopLogger },
      { ...options, prefixes: { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta } },
    ),
  }
}

/** Runs `task` with the stores of a database that nobody else has open; closes it again, whatever happens. */
export async function withStores<T>(kv: Kv, task: (stores: OfflineStores) => Promise<T>): Promise<T> {
  const blocks = createBlockStore({ kv })
  const { headers, data } = itemStores(kv)
  const services = [kv, blocks, headers, data]
  await startAll(services)
  try {
    return await task({ blocks, headers, data })
  } finally {
    await stopAll(services)
  }
}
