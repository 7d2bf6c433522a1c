import type { HomePaths } from '../config/home.ts'
import { databaseDirectory } from '../config/home.ts'
import type { Config } from '../config/schema.ts'
import type { Executor } from '../core/executor.ts'
import type { Kv } from '../core/kv.ts'
import { createLevelKv } from '../store/kv-level.node.ts'
import { createFullNode, type FullNode, type FullNodeDeps } from './full-node.ts'

/** What {@link fullNodeFromConfig} is given besides the configuration. */
export interface ConfiguredNodeDeps extends Omit<FullNodeDeps, 'kv' | 'executor'> {
  readonly paths: HomePaths
  /** Name of the database: one folder an application below `db_path`. */
  readonly database: string
  readonly executor: (kv: Kv) => Executor
}

/** Makes the full node that a configuration describes, with its database in the home directory. */
export function fullNodeFromConfig(config: Config, deps: ConfiguredNodeDeps): FullNode {
  const { paths, database, ...others } = deps
  const { p2p, node } = config
  const gated = !p2p.disableConnectionGater
  return createFullNode(
    { ...others, kv: createLevelKv({ path: databaseDirectory(paths.home, config, database) }) },
    {
      listen: [p2p.listenAddress],
      peers: p2p.peers,
      blockedPeers: gated ? p2p.blockedPeers : [],
      allowedPeers: gated ? p2p.allowedPeers : [],
      blockTime: node.blockTime,
    },
  )
}
