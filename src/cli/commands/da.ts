import { resolve } from 'node:path'
import type { Command } from 'commander'
import { makeDirectory } from '../../config/atomic-file.node.ts'
import { readEnvironment } from '../../config/environment.ts'
import { loadConfig } from '../../config/load.ts'
import type { Logger } from '../../core/logger.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import type { CliContext } from '../context.ts'
import { durationFlag, flagError, wholeFlag } from '../flag-values.ts'
import type { LocalDaSettings, RunnableLocalDa } from '../local-da.ts'
import { createLogger } from '../logger.ts'
import { givenOptions } from '../options.ts'
import { createShutdown } from '../shutdown.ts'

/** The world as this command sees it. */
export type DaContext = Pick<
  CliContext,
  'variables' | 'terminal' | 'color' | 'env' | 'signals' | 'createLocalDa'
>

const EXAMPLES = `
It is one process without consensus: for development and tests only. Any node that speaks celestia-node's
JSON-RPC can use it, over HTTP and WebSocket at the same address.

Examples:
  evolve da
      blocks of a second in memory, at http://127.0.0.1:7980, where nodes look for it
  evolve da --data ~/my-da
      keeps every block on disk and goes on from there the next time
  evolve da --block-time 6s --latency 200ms
      as slow as a real network
  evolve da --block-time 0
      a block for each submission at once, and no empty ones
  curl -d '{"jsonrpc":"2.0","id":1,"method":"header.LocalHead"}' http://127.0.0.1:7980
      its newest header

Ctrl-C or SIGTERM stops it. Exit codes: 0 stopped, 1 failed, 2 not started because something given is wrong or the
port is taken.`

const MIB = 1024 * 1024
const DEFAULT_MAX_BLOB_SIZE = 7 * MIB
/** More cannot wait for one block. */
const LARGEST_BLOB = 64 * MIB

interface Options {
  readonly host: string
  readonly port: string
  readonly data?: string
  readonly blockTime: string
  readonly maxBlobSize: string
  readonly latency: string
  readonly authToken?: string
}

/** Adds `evolve da`. */
export function addDa(program: Command, context: DaContext): void {
  program
    .command('da')
    .description('run a local DA node, for development: it serves nodes in the place of Celestia')
    .option('--host <host>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0: any that is free', '7980')
    .option('--data <dir>', 'keep the blocks in this directory (default: in memory only)')
    .option('--block-time <duration>', 'time between blocks; 0: a block for each submission', '1s')
    .option('--max-blob-size <bytes>', 'largest blob it takes', String(DEFAULT_MAX_BLOB_SIZE))
    .option('--latency <duration>', 'time before each call is answered', '0s')
    .option('--auth-token <token>', 'what clients must send as Authorization: Bearer (default: none)')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const settings = settingsOf(self.optsWithGlobals<Options>())
      const { log } = loadConfig([readEnvironment(context.variables), givenOptions(self)])
      const logger = createLogger(
        { env: context.env, write: (line) => context.terminal.write(line) },
        { ...log, color: context.color },
      )
      if (settings.data !== undefined) await makeDirectory(settings.data)
      await run(context, logger, settings)
    })
}

function settingsOf(options: Options): LocalDaSettings {
  const { host, port, data, authToken } = options
  if (host === '') throw flagError('--host', 'an address', host)
  if (data === '') throw flagError('--data', 'a directory', data)
  if (authToken === '') throw new EvolveError('USAGE', '--auth-token: expected a token, got an empty text')
  return {
    host,
    port: wholeFlag('--port', port, 0, 65_535),
    blockTime: durationFlag('--block-time', options.blockTime),
    maxBlobSize: wholeFlag('--max-blob-size', options.maxBlobSize, 1, LARGEST_BLOB),
    latency: { fixed: durationFlag('--latency', options.latency) },
    ...(data === undefined ? {} : { data: resolve(data) }),
    ...(authToken === undefined ? {} : { authToken }),
  }
}

/** What to do about failures that come from what was given, not from something that broke. */
const HINTS: Readonly<Record<string, string>> = {
  ADDRESS_IN_USE: 'end it, or choose another port with --port',
  LISTEN_FAILED: 'choose another address with --host and --port',
  LOCAL_DA_FORMAT: 'choose another directory with --data',
  STORE_LOCKED: 'end it, or choose another directory with --data',
}

async function start(da: RunnableLocalDa, signal: AbortSignal): Promise<void> {
  try {
    await da.start({ signal })
  } catch (error) {
    const hint = isEvolveError(error) ? HINTS[error.code] : undefined
    if (!isEvolveError(error) || hint === undefined) throw error
    throw new EvolveError('USAGE', `${error.message}: ${hint}`)
  }
}

async function run(context: DaContext, logger: Logger, settings: LocalDaSettings): Promise<void> {
  const { env, signals } = context
  const shutdown = createShutdown({ source: signals, env }, (message) => logger.info(message))
  try {
    const da = await context.createLocalDa({ env, logger }, settings)
    const interrupted = new Promise<void>((done) => {
      shutdown.signal.addEventListener('abort', () => done(), { once: true })
    })
    try {
      await start(da, shutdown.signal)
      const { data, blockTime, authToken } = settings
      logger.info('local DA started', {
        address: da.address,
        height: da.height,
        keeps: data ?? 'nothing: blocks are in memory only',
        block_time: blockTime === 0 ? 'a block for each submission' : `${blockTime} ms`,
        auth: authToken === undefined ? 'none' : 'token',
      })
      await interrupted
    } catch (error) {
      if (!shutdown.signal.aborted) throw error
    } finally {
      shutdown.begin()
      await da.stop()
    }
    logger.info('local DA stopped')
  } finally {
    shutdown.release()
  }
}
