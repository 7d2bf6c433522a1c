import type { HomePaths } from '../config/home.ts'
import type { Config } from '../config/schema.ts'
import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { LogLevelControl } from '../core/log-level.ts'
import type { Logger } from '../core/logger.ts'
import type { Signer } from '../core/signer.ts'
import type { agreement, describeAgreement } from '../node/devnet/agreement.ts'
import type { createDevnet } from '../node/devnet/devnet.ts'
import type { createLoad } from '../node/devnet/load.ts'
import type { NodeStatus } from '../core/status.ts'
import type { NodeKey } from '../p2p/identity.ts'
import type { Genesis } from '../types/genesis.ts'
import type { EvolveError } from '../util/errors.ts'

/** Applications that come with the program. */
export const EXECUTORS = ['kv', 'testapp'] as const

/** One of {@link EXECUTORS}. */
export type ExecutorName = (typeof EXECUTORS)[number]

/** What the command `start` needs of a node. */
export interface StartableNode extends Service {
  status(): NodeStatus
  /** Multiaddresses it listens on. */
  addresses(): readonly string[]
  /** Resolves when a critical error stopped the node. */
  readonly failed: Promise<EvolveError>
}

/** What a node is made of. */
export interface NodeParts {
  readonly config: Config
  readonly paths: HomePaths
  readonly genesis: Genesis
  readonly nodeKey: NodeKey
  readonly executor: ExecutorName
  /** `host:port` of the application's HTTP endpoint; undefined for none. */
  readonly kvEndpoint: string | undefined
  /** The opened key of an aggregator, and where the ledger of what it signed lies. */
  readonly key: { readonly signer: Signer; readonly ledgerFile: string } | undefined
  readonly env: Env
  readonly logger: Logger
  /** Changes how much `logger` lets through. */
  readonly logLevel: LogLevelControl
}

/** Makes a node. */
export type NodeFactory = (parts: NodeParts) => StartableNode | Promise<StartableNode>

/** What the command `devnet` works with. */
export interface DevnetTools {
  readonly createDevnet: typeof createDevnet
  readonly createLoad: typeof createLoad
  readonly agreement: typeof agreement
  readonly describe: typeof describeAgreement
}
