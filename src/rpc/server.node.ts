/*
 * The RPC server of a node: all services on one port, health, what was posted to DA, and a page.
 */
import { Code, ConnectError, createContextValues, type Interceptor } from '@connectrpc/connect'
import { compressionGzip } from '@connectrpc/connect-node'
import type { Env } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Logger } from '../core/logger.ts'
import type { LogLevelControl } from '../core/log-level.ts'
import type { Metrics } from '../core/metrics.ts'
import type { NodeView } from '../core/node-view.ts'
import { observeRequest } from '../core/request-metrics.ts'
import { noopTracing, type Tracing } from '../core/tracing.ts'
import { createSerial } from '../util/async.ts'
import { type BoundAddress, formatHostPort } from '../util/listen.node.ts'
import { file_evnode_v1_config } from './gen/evnode/v1/config_pb.ts'
import { file_evnode_v1_p2p_rpc } from './gen/evnode/v1/p2p_rpc_pb.ts'
import { file_evnode_v1_state_rpc } from './gen/evnode/v1/state_rpc_pb.ts'
import { file_evolve_v1_admin } from './gen/evolve/v1/admin_pb.ts'
import { file_evolve_v1_chain } from './gen/evolve/v1/chain_pb.ts'
import { file_evolve_v1_network } from './gen/evolve/v1/network_pb.ts'
import { file_grpc_reflection_v1_reflection } from './gen/grpc/reflection/v1/reflection_pb.ts'
import { file_grpc_reflection_v1alpha_reflection } from './gen/grpc/reflection/v1alpha/reflection_pb.ts'
import { createCalls } from './calls.node.ts'
import { type PageFiles, readPageFiles } from './files.node.ts'
import type { ReadinessOptions } from '../core/readiness.ts'
import { createOrigins } from './origins.node.ts'
import { createPlainPaths } from './plain.node.ts'
import { createHttpPort, type HttpPortOptions } from './port.node.ts'
import { addAdminService, FROM_OPERATOR } from './services/admin-service.ts'
import { addChainService } from './services/chain-service.ts'
import { addConfigService } from './services/config-service.ts'
import { addNetworkService } from './services/network-service.ts'
import { addP2PService } from './services/p2p-service.ts'
import { addReflection } from './services/reflection.ts'
import { addStoreService } from './services/store-service.ts'
import { createSignedHeaderHashes } from './signed-header-hashes.ts'
import { createEventStreams } from './sse.node.ts'
import type { SubscriptionLimits } from './subscriptions/member.ts'
import { createSubscriptions } from './subscriptions/subscriptions.ts'

/** What an {@link RpcServer} needs. */
export interface RpcServerDeps {
  readonly node: NodeView
  /** Lets the log level be changed. Left out, it cannot be. */
  readonly logLevel?: LogLevelControl
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  readonly tracing?: Tracing
  /** Version of the node's software. */
  readonly version: string
}

/** Options of an {@link RpcServer}. */
export interface RpcServerOptions extends HttpPortOptions {
  /** Origins of pages that may ask; `*` for all. */
  readonly corsOrigins: readonly string[]
  readonly maxSubscribers: number
  /** What subscribers are held to, where it is not the usual. */
  readonly subscriberLimits?: Partial<SubscriptionLimits>
  readonly readiness: ReadinessOptions
  /** Serve `/da/...`. */
  readonly daPages: boolean
  /** Milliseconds for a call with one answer. Default 30,000. */
  readonly callTimeout?: number
  /** Folder of the page that is served at `/`; undefined for none. */
  readonly page: URL | undefined
}

/**
 * Answers those who ask a node. Its `listener` starts before the node and stops after it, so that an address that is taken
 * shows before a block can be made; what is asked meanwhile is told that the node does not run. The server itself starts
 * after the node and stops before it.
 */
export interface RpcServer extends Service {
  readonly listener: Service
  /** Where it listens; undefined while it does not. */
  readonly address: BoundAddress | undefined
}

/** Largest message of an answer. */
const LARGEST_ANSWER = 64 * 1024 * 1024

/** Smaller answers are sent as they are. */
const COMPRESS_FROM = 4_096

const FILES = [
  file_evnode_v1_state_rpc,
  file_evnode_v1_p2p_rpc,
  file_evnode_v1_config,
  file_evolve_v1_chain,
  file_evolve_v1_network,
  file_evolve_v1_admin,
  file_grpc_reflection_v1_reflection,
  file_grpc_reflection_v1alpha_reflection,
]

/** Transactions may be large; nothing else is. */
const LARGE_PATHS = ['/evolve.v1.ChainService/SubmitTransaction']

/** Makes an {@link RpcServer}. `start` rejects with `ADDRESS_IN_USE`, `INVALID_ADDRESS` and `LISTEN_FAILED`. */
export function createRpcServer(deps: RpcServerDeps, options: RpcServerOptions): RpcServer {
  const { node, env, metrics, version, tracing = noopTracing } = deps
  const logger = deps.logger.child({ component: 'rpc' })
  const serial = createSerial()
  const origins = createOrigins({ allowed: options.corsOrigins })
  const subscriptions = createSubscriptions(
    { node, env, logger, metrics },
    { maxSubscribers: options.maxSubscribers, limits: options.subscriberLimits ?? {} },
  )
  const eventStreams = createEventStreams({ subscriptions, logger })
  const signedHeaders = createSignedHeaderHashes({ env, blocks: node.blocks })
  const started = env.now()
  let files: PageFiles | undefined
  const plain = createPlainPaths(
    { node, env, logger, metrics, files: () => files },
    { readiness: options.readiness, daPages: options.daPages },
  )

  const observe: Interceptor = (next) => async (request) => {
    const began = env.monotonic()
    const method = `${request.service.typeName}/${request.method.name}`
    const note = (code: string): void =>
      observeRequest(metrics, { method, code, seconds: (env.monotonic() - began) / 1_000 })
    try {
      const response = await tracing.within(
        (name) => request.header.get(name) ?? undefined,
        async () =>
          await tracing.span(
            `${request.service.name}.${request.method.name}`,
            {},
            async () => await next(request),
          ),
      )
      note('ok')
      return response
    } catch (error) {
      note(codeName(error))
      throw error
    }
  }

  const calls = createCalls(
    { env, logger },
    {
      routes(router) {
        addStoreService(router, { node, signedHeaders, logger })
        addP2PService(router, { node, logger })
        addConfigService(router, { node, logger })
        addChainService(router, { node, subscriptions, version, started, logger })
        addNetworkService(router, { node, logger })
        if (deps.logLevel !== undefined) addAdminService(router, { logLevel: deps.logLevel, logger })
        addReflection(
          router,
          FILES.filter((file) => file !== file_evolve_v1_admin || deps.logLevel !== undefined),
        )
      },
      largePaths: LARGE_PATHS,
      ...(options.callTimeout === undefined ? {} : { callTimeout: options.callTimeout }),
      writeMaxBytes: LARGEST_ANSWER,
      acceptCompression: [compressionGzip],
      compressMinBytes: COMPRESS_FROM,
      interceptors: [observe],
      contextValues: (request) => createContextValues().set(FROM_OPERATOR, origins.fromOperator(request)),
    },
  )

  const port = createHttpPort(
    {
      env,
      logger,
      metrics,
      handle(request, response) {
        // Whoever goes away in the middle is no error of ours.
        request.on('error', () => {})
        response.on('error', () => {})
        if (origins.judge(request, response) === 'answered') return
        if (calls.handle(request, response) || eventStreams.handle(request, response)) return
        plain(request, response)
      },
    },
    options,
  )

  return {
    get address() {
      return port.address
    },
    listener: {
      async start(startOptions) {
        await serial.run(async () => {
          files ??= options.page === undefined ? undefined : await readPageFiles(options.page)
          await port.start(startOptions)
        })
      },
      stop: async () => await serial.run(async () => await port.stop()),
    },
    async start(startOptions) {
      await subscriptions.start(startOptions)
      announce()
    },
    stop: async () => await subscriptions.stop(),
  }

  function announce(): void {
    const { address } = port
    if (address === undefined) return
    const text = formatHostPort(address)
    logger.info('the node can be asked', { address: `http://${text}` })
    if (!address.open) return
    logger.warn(
      'RPC is open to other machines: whoever reaches this port may ask and submit transactions; keep it behind a proxy or a firewall',
      { address: text },
    )
  }
}

/** The code of an error as the protocol names it. */
function codeName(error: unknown): string {
  const { code } = ConnectError.from(error)
  return (Code[code] ?? 'unknown').replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase()
}
