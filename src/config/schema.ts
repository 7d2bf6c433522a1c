/*
 * Every key of the configuration, in the order of the file. Defaults, flags, environment names, comments and error
 * messages all come from here. Source: ev-node v1.2.3 pkg/config.
 */
import { z } from 'zod'
import { type Section, text, yesNo } from './kinds.ts'
import { type DaConfig, daSection } from './sections/da.ts'
import { type NodeConfig, nodeSection } from './sections/node.ts'
import { type P2pConfig, p2pSection } from './sections/p2p.ts'
import { type RaftConfig, raftSection } from './sections/raft.ts'
import {
  type InstrumentationConfig,
  instrumentationSection,
  type LogConfig,
  logSection,
  type PruningConfig,
  pruningSection,
  type RpcConfig,
  rpcSection,
} from './sections/service.ts'
import { type SignerConfig, signerSection } from './sections/signer.ts'

/** The whole configuration of a node. */
export interface Config {
  /** Folder of the databases, below the home directory. */
  readonly dbPath: string
  readonly clearCache: boolean
  readonly p2p: P2pConfig
  readonly node: NodeConfig
  readonly da: DaConfig
  readonly rpc: RpcConfig
  readonly instrumentation: InstrumentationConfig
  readonly log: LogConfig
  readonly signer: SignerConfig
  readonly raft: RaftConfig
  readonly pruning: PruningConfig
}

/** Schema of {@link Config}: decodes a tree of texts, encodes a Config back into one. */
export const configSchema: Section<Config> = z.strictObject({
  dbPath: text('data', 'Folder of the databases, below the home directory.', {
    check: (path) => (path.trim() === '' ? 'expected the name of a folder' : undefined),
  }),
  clearCache: yesNo(false, 'Start without what is remembered of DA inclusion and pending blocks.', {
    noFile: true,
  }),
  p2p: p2pSection,
  node: nodeSection,
  da: daSection,
  rpc: rpcSection,
  instrumentation: instrumentationSection,
  log: logSection,
  signer: signerSection,
  raft: raftSection,
  pruning: pruningSection,
})
