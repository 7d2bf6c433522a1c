/*
 * What commands share that work on the database of a node that does not run.
 */
import { type Command, Option } from 'commander'
import { type HomeConfig, readHomeConfig } from '../config/home-config.node.ts'
import { databaseDirectory } from '../config/home.ts'
import type { Kv } from '../core/kv.ts'
import type { EntryExecutor } from '../execution/entry-executor.ts'
import { readGenesis } from '../node/home/files.ts'
import type { Genesis } from '../types/genesis.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import type { CliContext } from './context.ts'
import { givenOptions } from './options.ts'
import { createShutdown } from './shutdown.ts'
import { EXECUTORS, type ExecutorName } from './start-node.ts'

/** What these commands need of the world. */
export type DatabaseContext = Pick<
  CliContext,
  'variables' | 'print' | 'terminal' | 'env' | 'signals' | 'console'
>

interface DatabaseFlags {
  readonly home?: string
  readonly executor: ExecutorName
  readonly json?: true
}

/** Adds the options that name the database of a home, and `--json`. */
export function addDatabaseOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--executor <name>', 'application of the node, which has a database of its own')
        .choices(EXECUTORS)
        .default('kv'),
    )
    .option('--evnode.db_path <folder>', 'folder of the databases, in the home (default: data)')
    .option('--json', 'as JSON')
}

/** A home directory and the database in it that a command is about. */
export interface HomeDatabase extends HomeConfig {
  readonly genesis: Genesis
  readonly application: ExecutorName
  readonly directory: string
}

/** Reads what a command is about. Rejects with `USAGE` when the home has no genesis. */
export async function homeDatabase(context: DatabaseContext, self: Command): Promise<HomeDatabase> {
  const { home, executor } = self.optsWithGlobals<DatabaseFlags>()
  const read = await readHomeConfig({ home, variables: context.variables, flags: givenOptions(self) })
  const genesis = await readGenesis(read.paths)
  if (genesis === undefined) {
    throw new EvolveError(
      'USAGE',
      `there is no ${read.paths.genesisFile}: is --home right? A new home also needs the chain's genesis.json`,
    )
  }
  const directory = databaseDirectory(read.paths.home, read.config, executor)
  return { ...read, genesis, application: executor, directory }
}

/** Makes the application of a database. */
export async function applicationOf(name: ExecutorName): Promise<(kv: Kv) => EntryExecutor> {
  const [{ createKvExecutor }, { createTestappExecutor }] = await Promise.all([
    import('../execution/kv-executor.ts'),
    import('../execution/testapp-executor.ts'),
  ])
  return (kv) => (name === 'testapp' ? createTestappExecutor({ kv }) : createKvExecutor({ kv }))
}

/**
 * The database of a home, not open yet. Rejects with `USAGE` when there is none: opening would make one.
 */
export async function existingDatabase({ directory }: Pick<HomeDatabase, 'directory'>): Promise<Kv> {
  const { createLevelKv, isLevelDirectory } = await import('../store/kv-level.node.ts')
  if (!(await isLevelDirectory(directory))) {
    throw new EvolveError('USAGE', `there is no database at ${directory}: are --home and --executor right?`)
  }
  return createLevelKv({ path: directory })
}

/**
 * Runs a task that a signal ends cleanly. A database that another process has open is told with what to do about it;
 * a height that is none, as a mistake of whoever named it.
 */
export async function offline<T>(
  context: DatabaseContext,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { env, signals, terminal } = context
  const shutdown = createShutdown({ source: signals, env }, (message) => terminal.write(`${message}\n`))
  try {
    return await task(shutdown.signal)
  } catch (error) {
    if (isEvolveError(error, 'STORE_LOCKED')) {
      throw new EvolveError('USAGE', `${error.message}: stop the node first, then try again`, {
        cause: error,
      })
    }
    if (isEvolveError(error, 'UNEXPECTED_HEIGHT')) throw new EvolveError('USAGE', error.message)
    throw error
  } finally {
    terminal.live(undefined)
    shutdown.release()
  }
}

/** Milliseconds between two changes of the live line. */
const LIVE_EVERY = 100

/** Makes what shows how far a task is on a terminal. */
export function createCounter({
  terminal,
  env,
}: Pick<DatabaseContext, 'terminal' | 'env'>): (what: string, done: number, all: number) => void {
  let shown = -Infinity
  return (what, done, all) => {
    const now = env.monotonic()
    if (!terminal.interactive || now - shown < LIVE_EVERY) return
    shown = now
    const percent = all === 0 ? 100 : Math.floor((100 * done) / all)
    terminal.live(`${what} ${percent} %`.slice(0, Math.max(1, terminal.width - 1)))
  }
}

/** Prints `fields` as JSON if asked to, else `lines`. */
export function answerFields(
  context: DatabaseContext,
  self: Command,
  fields: Readonly<Record<string, unknown>>,
  lines: readonly string[],
): void {
  const { json } = self.optsWithGlobals<DatabaseFlags>()
  context.print(json === true ? JSON.stringify(fields) : lines.join('\n'))
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

/** A number of bytes for people: `812 bytes`, `3.4 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1_000
    unit++
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`
}
