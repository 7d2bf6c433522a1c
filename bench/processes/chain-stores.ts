/*
 * The header and data stores of a database, with nothing kept in memory.
 */
import { join } from 'node:path'
import type { HeaderStore } from '../../src/core/header.ts'
import type { Kv } from '../../src/core/kv.ts'
import { noopLogger as logger } from '../../src/core/logger.ts'
import { createHeaderStore } from '../../src/header/store/kv-store.ts'
import { KEYS } from '../../src/store/keys.ts'
import { createLevelKv } from '../../src/store/kv-level.node.ts'
import { dataKind, headerKind } from '../../src/sync/kinds.ts'
import type { P2PData } from '../../src/types/data.ts'
import type { P2PSignedHeader } from '../../src/types/header.ts'

/** Stores that are open. */
export interface ChainStores {
  readonly kv: Kv
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  stop(): Promise<void>
}

/** Opens the database of a home. */
export async function openChain(home: string): Promise<ChainStores> {
  const kv = createLevelKv({ path: join(home, 'data') })
  const headers = createHeaderStore(
    { kv, kind: headerKind, logger },
    { prefixes: { items: KEYS.headers, hashes: KEYS.headerHashes, meta: KEYS.headerMeta }, cacheItems: 1 },
  )
  const data = createHeaderStore(
    { kv, kind: dataKind, logger },
    { prefixes: { items: KEYS.data, hashes: KEYS.dataHashes, meta: KEYS.dataMeta }, cacheItems: 1 },
  )
  const parts = [kv, headers, data]
  for (const part of parts) await part.start()
  return {
    kv,
    headers,
    data,
    async stop() {
      for (const part of parts.toReversed()) await part.stop()
    },
  }
}
