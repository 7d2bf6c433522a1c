import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { makeDirectory } from '../../config/atomic-file.node.ts'
import { homeDirectory } from '../../config/home.ts'
import { sleep } from '../../core/env.ts'
import { createLogLevelControl, type LogLevelControl } from '../../core/log-level.ts'
import type { Logger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { EXIT, exitCodeOf } from '../exit.ts'
import { durationFlag, wholeFlag } from '../flag-values.ts'
import { createDevnetWatch } from '../devnet-watch.ts'
import { createLogger } from '../logger.ts'
import { createShutdown } from '../shutdown.ts'
import type { DevnetTools } from '../start-node.ts'

const EXAMPLES = `
Examples:
  evolve devnet
      a whole network until Ctrl-C: local DA, aggregator, follower, and a follower that reads DA alone
  curl -d 'name=Ada' http://127.0.0.1:PORT/tx ; curl 'http://127.0.0.1:PORT/kv?key=name'
      a transaction, and its value once it is in a block (the port is shown, or chosen by --kv-port)
  evolve devnet --rpc-port 7331
      with the page that shows the chain at http://127.0.0.1:7331
  evolve devnet --tx-rate 100 --for 20s
      with a stream of transactions; ends after 20 s and compares the state roots of all nodes
  evolve devnet --keep
      keeps the network's folder; evolve devnet --home FOLDER goes on with it later
  evolve start --home FOLDER/follower
      one of its nodes by hand`

/** Milliseconds for all nodes to have the last block final, once the stream has ended. */
const AGREEMENT_PATIENCE = 60_000

interface Options {
  readonly home?: string
  readonly keep?: true
  readonly blockTime: string
  readonly daBlockTime: string
  readonly daPort?: string
  readonly kvPort?: string
  readonly rpcPort?: string
  readonly txRate: string
  readonly for?: string
}

interface Plan {
  readonly home: string | undefined
  readonly keep: boolean
  readonly blockTime: number
  readonly daBlockTime: number
  readonly daPort: number | undefined
  readonly kvPort: number | undefined
  readonly rpcPort: number | undefined
  readonly txRate: number
  /** Milliseconds until it ends by itself. */
  readonly duration: number | undefined
}

/** Adds `evolve devnet`. */
export function addDevnet(program: Command, context: CliContext): void {
  program
    .command('devnet')
    .description('run a whole network in one process: local DA, an aggregator, two followers')
    .option('--keep', 'keep the folder of the network when it ends')
    .option('--block-time <duration>', 'time between blocks', '100ms')
    .option('--da-block-time <duration>', 'time between DA blocks', '1s')
    .option('--da-port <port>', 'port of the local DA (default: any that is free)')
    .option('--kv-port <port>', 'port for transactions and reads (default: any that is free)')
    .option('--rpc-port <port>', "port of the aggregator's RPC and its page (default: any that is free)")
    .option('--tx-rate <number>', 'send so many transactions a second', '0')
    .option('--for <duration>', 'end after this time, and compare the nodes: exit code 1 if they differ')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const plan = planOf(self.optsWithGlobals<Options>())
      await devnet(context, plan)
    })
}

function planOf(options: Options): Plan {
  return {
    home: options.home === undefined ? undefined : homeDirectory(options.home),
    keep: options.keep === true || options.home !== undefined,
    blockTime: durationFlag('--block-time', options.blockTime, { positive: true }),
    daBlockTime: durationFlag('--da-block-time', options.daBlockTime, { positive: true }),
    daPort: options.daPort === undefined ? undefined : wholeFlag('--da-port', options.daPort, 0, 65_535),
    kvPort: options.kvPort === undefined ? undefined : wholeFlag('--kv-port', options.kvPort, 0, 65_535),
    rpcPort: options.rpcPort === undefined ? undefined : wholeFlag('--rpc-port', options.rpcPort, 0, 65_535),
    txRate: wholeFlag('--tx-rate', options.txRate, 0, 100_000),
    duration: options.for === undefined ? undefined : durationFlag('--for', options.for, { positive: true }),
  }
}

async function devnet(context: CliContext, plan: Plan): Promise<void> {
  const root = plan.home ?? (await mkdtemp(join(tmpdir(), 'evolve-devnet-')))
  await makeDirectory(root)
  const log = createWriteStream(join(root, 'devnet.log'), { flags: 'a', mode: 0o600 })
  log.on('error', (error) => context.terminal.write(`warning: no log is kept: ${describeError(error)}\n`))
  const logLevel = createLogLevelControl('info')
  const logger = createLogger(
    { env: context.env, control: logLevel, write: (line) => log.write(line) },
    { level: 'info', format: 'text', trace: false, color: false },
  )
  let { keep } = plan
  try {
    await run(context, plan, { root, logger, logLevel, tools: await context.devnetTools() })
  } catch (error) {
    logger.error('the devnet failed', { error })
    // What broke by itself is worth a look.
    keep ||= exitCodeOf(error) !== EXIT.usage
    throw error
  } finally {
    await new Promise<void>((resolve) => log.end(() => resolve()))
    if (keep) context.print(`kept in ${root}; go on with: evolve devnet --home ${root}`)
    else await rm(root, { recursive: true, force: true })
  }
}

async function run(
  context: CliContext,
  plan: Plan,
  {
    root,
    logger,
    logLevel,
    tools,
  }: {
    readonly root: string
    readonly logger: Logger
    readonly logLevel: LogLevelControl
    readonly tools: DevnetTools
  },
): Promise<void> {
  const { env, signals } = context
  const watch = createDevnetWatch(context, { root, logger, duration: plan.duration })
  const { blockTime, daBlockTime, daPort, kvPort, rpcPort } = plan
  const network = tools.createDevnet(
    { env, logger: watch.logger, logLevel, metrics: noopMetrics },
    {
      root,
      blockTime,
      daBlockTime,
      ...(daPort === undefined ? {} : { daPort }),
      ...(kvPort === undefined ? {} : { kvPort }),
      ...(rpcPort === undefined ? {} : { rpcPort }),
    },
  )
  const shutdown = createShutdown({ source: signals, env }, (message) => logger.info(message))
  const { signal } = shutdown
  const interrupted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
  try {
    await network.start({ signal })
    watch.start(network)
    const load = tools.createLoad({ env, logger }, { endpoint: network.status().endpoint, rate: plan.txRate })
    await load.start()
    const over = plan.duration === undefined ? [] : [sleep(env, plan.duration, signal).catch(() => undefined)]
    const failure = await Promise.race([network.failed, interrupted, ...over])
    await load.stop()
    if (failure !== undefined) throw failure
    if (plan.duration !== undefined && !signal.aborted) {
      const found = await tools.agreement(env, network.nodes, { patience: AGREEMENT_PATIENCE, signal })
      watch.stop()
      const { sent, refused } = load
      context.print(tools.describe(found, { ...network.status(), sent, refused }).join('\n'))
      if (!found.equal) throw new EvolveError('DEVNET_DISAGREES', 'the nodes differ')
    }
  } catch (error) {
    if (!signal.aborted) throw error
    logger.info('interrupted', { reason: describeError(error) })
  } finally {
    watch.stop()
    shutdown.begin()
    await network.stop()
    shutdown.release()
  }
}
