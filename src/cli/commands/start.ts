import { readHomeConfig } from '../../config/home-config.node.ts'
import type { HomePaths } from '../../config/home.ts'
import { configError, describeProblem } from '../../config/problems.ts'
import type { Config } from '../../config/schema.ts'
import { withoutEffect } from '../../config/support.ts'
import type { Source } from '../../config/yaml-read.ts'
import type { Logger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { peerIdOf } from '../../p2p/identity.ts'
import { EvolveError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { EXIT } from '../exit.ts'
import { readGenesis, readNodeKey } from '../files.ts'
import { createLogger } from '../logger.ts'
import { createProgressReporter } from '../progress-reporter.ts'
import { createShutdown, type Shutdown } from '../shutdown.ts'
import type { ExecutorName, NodeParts, StartableNode } from '../start-node.ts'

/** How `start` was called. */
export interface StartOptions {
  readonly home: string | undefined
  readonly flags: Source
  readonly executor: ExecutorName
}

/** Runs a node until a signal or a critical error ends it. Resolves with the exit code. */
export async function start(context: CliContext, options: StartOptions): Promise<number> {
  const { config, paths } = await readHomeConfig({ ...options, variables: context.variables })
  refuseRoles(config)
  const { env, terminal, color } = context
  const logger = createLogger({ env, write: terminal.write }, { ...config.log, color })
  const parts: NodeParts = {
    ...(await readParts(paths)),
    config,
    paths,
    executor: options.executor,
    env,
    logger,
    metrics: noopMetrics,
  }
  const main = logger.child({ component: 'main' })
  for (const problem of withoutEffect(config)) main.warn(describeProblem(problem))
  const node = await context.createNode(parts)
  const shutdown = createShutdown({ source: context.signals, env }, main.info)
  try {
    return await run(context, node, parts, main, shutdown)
  } finally {
    shutdown.release()
  }
}

/** What the schema allows, because it is right in a file that other programs read, and this version cannot do. */
function refuseRoles({ node }: Config): void {
  const message = (what: string): string => `this version follows chains; ${what} comes with a later version`
  const problems = [
    ...(node.aggregator ? [{ key: 'node.aggregator', message: message('producing blocks') }] : []),
    ...(node.light ? [{ key: 'node.light', message: message('the light node') }] : []),
  ]
  if (problems.length > 0) throw configError(problems.map((problem) => ({ ...problem, origin: undefined })))
}

async function readParts(paths: HomePaths): Promise<Pick<NodeParts, 'genesis' | 'nodeKey'>> {
  const [genesis, nodeKey] = [await readGenesis(paths), await readNodeKey(paths)]
  if (nodeKey === undefined) {
    throw new EvolveError(
      'USAGE',
      `there is no node key at ${paths.nodeKeyFile}; run: evolve init --home ${paths.home}`,
    )
  }
  if (genesis === undefined) {
    throw new EvolveError(
      'USAGE',
      `there is no genesis at ${paths.genesisFile}; copy the chain's genesis.json there, whoever runs the chain has it`,
    )
  }
  return { genesis, nodeKey }
}

async function run(
  { terminal, env, color }: CliContext,
  node: StartableNode,
  { genesis, nodeKey, paths, executor }: NodeParts,
  logger: Logger,
  shutdown: Shutdown,
): Promise<number> {
  const { signal } = shutdown
  logger.info('starting', {
    chain_id: genesis.chainId,
    home: paths.home,
    peer_id: peerIdOf(nodeKey),
    executor,
    node: process.version,
  })
  const interrupted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  const progress = createProgressReporter({ status: node.status, terminal, env, logger }, { color })
  try {
    await node.start({ signal })
    logger.info('listening', { addresses: node.addresses() })
    progress.start()
    const failure = await Promise.race([node.failed, interrupted])
    progress.stop()
    if (failure !== undefined) {
      logger.error('stopping: a critical error', { height: node.status().height, error: failure })
    }
    shutdown.begin()
    const { height } = node.status()
    await node.stop()
    logger.info('stopped', { height })
    return failure === undefined ? EXIT.done : EXIT.halted
  } catch (error) {
    // A start that a signal ended has stopped what had started.
    if (signal.aborted && error === signal.reason) {
      logger.info('stopped')
      return EXIT.done
    }
    throw error
  } finally {
    progress.stop()
  }
}
