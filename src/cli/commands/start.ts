import { type Command, Option } from 'commander'
import { type HomeConfig, readHomeConfig } from '../../config/home-config.node.ts'
import { checkHostPort } from '../../config/addresses.ts'
import { withoutEffect } from '../../config/support.ts'
import { createLogLevelControl } from '../../core/log-level.ts'
import type { Logger } from '../../core/logger.ts'
import type { NodeKey } from '../../p2p/identity.ts'
import type { Genesis } from '../../types/genesis.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { readGenesis, readNodeKey } from '../../node/home/files.ts'
import { createLogger } from '../logger.ts'
import { addConfigOptions, givenOptions } from '../options.ts'
import { createProgressReporter } from '../progress-reporter.ts'
import { createShutdown } from '../shutdown.ts'
import { requireSigner, signerPaths } from '../../node/home/signer-files.ts'
import { EXECUTORS, type ExecutorName, type NodeParts, type StartableNode } from '../start-node.ts'

const EXAMPLES = `
Examples:
  evolve start --home ~/my-chain
  evolve start --home ~/my-chain --evnode.p2p.peers /ip4/203.0.113.7/tcp/7676/p2p/12D3KooW...
  evolve start --home ~/seq --evnode.signer.passphrase_file pass.txt --kv-endpoint 127.0.0.1:9090
      the aggregator that init prepared in ~/seq
  EVNODE_LOG_LEVEL=debug evolve start --home ~/my-chain --executor testapp

Ctrl-C or SIGTERM stops the node cleanly; a second one ends it at once. Exit codes: 0 stopped, 1 failed,
2 not started because something given is wrong, 70 halted because going on would have forked its state.`

interface StartOptions {
  readonly home?: string
  readonly executor: ExecutorName
  readonly kvEndpoint?: string
}

/** Adds `evolve start`. */
export function addStart(program: Command, context: CliContext): void {
  const command = program
    .command('start')
    .aliases(['node', 'run'])
    .description(
      'run the node: follow the chain, execute every block, serve it; with node.aggregator, make the blocks',
    )
    .addOption(
      new Option('--executor <name>', 'application that executes the transactions')
        .choices(EXECUTORS)
        .default('kv'),
    )
    .option(
      '--kv-endpoint <host:port>',
      'HTTP endpoint of the application: POST /tx (aggregator only), GET /kv, /store, /stats',
    )
  addConfigOptions(command)
  command.addHelpText('after', EXAMPLES)
  command.action(async (_options: unknown, self: Command) => {
    const { home, executor, kvEndpoint } = self.optsWithGlobals<StartOptions>()
    const problem = kvEndpoint === undefined ? undefined : checkHostPort(kvEndpoint)
    if (problem !== undefined) throw new EvolveError('USAGE', `--kv-endpoint: ${problem}`)
    const read = await readHomeConfig({ home, variables: context.variables, flags: givenOptions(self) })
    refuseRoles(read)
    const genesis = await requireGenesis(read)
    const nodeKey = await requireNodeKey(read)
    const key = read.config.node.aggregator ? await requireSigner(read) : undefined
    if (key !== undefined) refuseOtherKey(read, genesis, key.signer.address)
    const logLevel = createLogLevelControl(read.config.log.level)
    const logger = createLogger(
      { env: context.env, control: logLevel, write: (line) => context.terminal.write(line) },
      { ...read.config.log, color: context.color },
    )
    for (const { key: setting, message } of withoutEffect(read.config))
      logger.warn('a setting has no effect', { key: setting, why: message })
    await run(context, logger, { ...read, genesis, nodeKey, executor, kvEndpoint, key, logLevel })
  })
}

function refuseRoles({ config: { node } }: HomeConfig): void {
  if (!node.light) return
  throw new EvolveError(
    'USAGE',
    'node.light: following headers only comes with a later version; this one runs full nodes',
  )
}

/** The applications of this program never name another proposer than genesis does. */
function refuseOtherKey(read: HomeConfig, { proposerAddress }: Genesis, address: Uint8Array): void {
  if (equalBytes(address, proposerAddress)) return
  throw new EvolveError(
    'USAGE',
    `${read.paths.genesisFile} names the proposer ${toHex(proposerAddress)}, but the key in ${signerPaths(read).file} has address ${toHex(address)}:` +
      ' bring the right key with evolve keys import, or follow the chain with --evnode.node.aggregator=false',
  )
}

async function requireGenesis({ paths }: HomeConfig): Promise<Genesis> {
  const genesis = await readGenesis(paths)
  if (genesis !== undefined) return genesis
  throw new EvolveError(
    'USAGE',
    `there is no ${paths.genesisFile}: copy the chain's genesis.json there, from whoever runs the chain`,
  )
}

async function requireNodeKey({ paths }: HomeConfig): Promise<NodeKey> {
  const nodeKey = await readNodeKey(paths)
  if (nodeKey !== undefined) return nodeKey
  throw new EvolveError('USAGE', `there is no ${paths.nodeKeyFile}: run evolve init --home ${paths.home}`)
}

/** What to do about failures that come from what was given. */
const HINTS: Readonly<Record<string, string>> = {
  ADDRESS_IN_USE:
    'end it, or choose another address with --evnode.p2p.listen_address, --evnode.rpc.address,' +
    ' --evnode.instrumentation.prometheus_listen_addr or --kv-endpoint',
  STORE_LOCKED: 'end it, or give this node a --home of its own',
}

async function start(node: StartableNode, signal: AbortSignal): Promise<void> {
  try {
    await node.start({ signal })
  } catch (error) {
    const hint = isEvolveError(error) ? HINTS[error.code] : undefined
    if (!isEvolveError(error) || hint === undefined) throw error
    throw new EvolveError('USAGE', `${error.message}: ${hint}`)
  }
}

async function run(
  context: CliContext,
  logger: Logger,
  {
    config,
    paths,
    genesis,
    nodeKey,
    executor,
    kvEndpoint,
    key,
    logLevel,
  }: HomeConfig & Pick<NodeParts, 'genesis' | 'nodeKey' | 'executor' | 'kvEndpoint' | 'key' | 'logLevel'>,
): Promise<void> {
  const { env, terminal, color } = context
  const shutdown = createShutdown({ source: context.signals, env }, (message) => logger.info(message))
  try {
    const node = await context.createNode({
      config,
      paths,
      genesis,
      nodeKey,
      executor,
      kvEndpoint,
      key,
      env,
      logger,
      logLevel,
    })
    const progress = createProgressReporter({ status: () => node.status(), terminal, env, logger }, { color })
    const interrupted = new Promise<undefined>((resolve) => {
      shutdown.signal.addEventListener('abort', () => resolve(undefined), { once: true })
    })
    let started = false
    try {
      await start(node, shutdown.signal)
      started = true
      logger.info('node started', {
        chain: genesis.chainId,
        height: node.status().height,
        addresses: node.addresses(),
      })
      progress.start()
      const failure = await Promise.race([node.failed, interrupted])
      if (failure !== undefined) throw failure
    } catch (error) {
      if (!shutdown.signal.aborted) throw error
    } finally {
      progress.stop()
      shutdown.begin()
      const { height } = node.status()
      await node.stop()
      if (started) logger.info('node stopped', { height })
    }
  } finally {
    shutdown.release()
  }
}
