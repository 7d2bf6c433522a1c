import type { Config } from '../config/schema.ts'
import type { Env } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { LogLevelControl } from '../core/log-level.ts'
import type { Metrics } from '../core/metrics.ts'
import type { NodeView } from '../core/node-view.ts'
import type { ReadinessOptions } from '../core/readiness.ts'
import type { Tracing } from '../core/tracing.ts'
import { createRpcServer, type RpcServer, type RpcServerOptions } from '../rpc/server.node.ts'
import { packageVersion } from './package-version.node.ts'

/** The page that shows a chain, as the build leaves it beside the program. */
export const EXPLORER: URL = new URL('../../dist/explorer/', import.meta.url)

/** What {@link rpcServerOf} is given besides the node. */
export interface RpcDeps {
  readonly logLevel?: LogLevelControl
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracing?: Tracing
}

/** The RPC server of a node that a configuration describes. */
export function rpcServerOf(node: NodeView, config: Config, deps: RpcDeps): RpcServer {
  return createRpcServer({ ...deps, node, version: packageVersion() }, rpcOptions(config))
}

/** How a configuration wants a node to be asked. */
export function rpcOptions({ rpc, node }: Pick<Config, 'rpc' | 'node'>): RpcServerOptions {
  return {
    address: rpc.address,
    corsOrigins: rpc.corsOrigins,
    maxSubscribers: rpc.maxSubscribers,
    readiness: readinessOptions(node),
    daPages: rpc.enableDaVisualization,
    page: rpc.explorer ? EXPLORER : undefined,
  }
}

/** When a configuration counts a node as ready. */
export function readinessOptions(node: Config['node']): ReadinessOptions {
  return { windowSeconds: node.readinessWindowSeconds, maxBlocksBehind: node.readinessMaxBlocksBehind }
}
