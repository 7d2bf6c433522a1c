import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import { readHomeConfig } from '../../config/home-config.node.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { systemErrorCode } from '../../util/files.node.ts'
import { confirm } from '../console.ts'
import { answerFields, type DatabaseContext, formatBytes, offline } from '../database.ts'
import { givenOptions } from '../options.ts'

const EXAMPLES = `
Blocks, the application's state, waiting transactions and what is known of DA go; the node then begins anew, from peers,
DA or a snapshot. Keys, genesis, configuration and signer.ledger stay: whoever deletes the ledger by hand can sign a
second block at a height, which splits the chain.

Examples:
  evolve unsafe-clean --home ~/my-chain
  evolve unsafe-clean --home ~/my-chain --yes --json

Exit codes: 0 done, 1 failed, 2 refused: a node runs, the answer was no, or nobody could be asked.`

interface CleanFlags {
  readonly home?: string
  readonly yes?: true
}

interface Database {
  readonly path: string
  readonly bytes: number
}

/** Adds `evolve unsafe-clean`. */
export function addUnsafeClean(program: Command, context: DatabaseContext): void {
  program
    .command('unsafe-clean')
    .description('delete the databases of a home; keys, genesis and ledger stay')
    .option('--yes', 'do not ask')
    .option('--evnode.db_path <folder>', 'folder of the databases, in the home (default: data)')
    .option('--json', 'as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const { home, yes = false } = self.optsWithGlobals<CleanFlags>()
      const read = await readHomeConfig({ home, variables: context.variables, flags: givenOptions(self) })
      await clean(context, self, {
        home: read.paths.home,
        folder: join(read.paths.home, read.config.dbPath),
        yes,
      })
    })
}

/** The databases in a folder. */
async function databasesIn(folder: string): Promise<Database[]> {
  const { isLevelDirectory, levelSize } = await import('../../store/kv-level.node.ts')
  let names: string[]
  try {
    names = (await readdir(folder)).toSorted()
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw new EvolveError('FILE_FAILED', `cannot read ${folder}`, { cause: error, verdict: 'retry' })
  }
  const found: Database[] = []
  for (const path of names.map((name) => join(folder, name))) {
    if (await isLevelDirectory(path)) found.push({ path, bytes: await levelSize(path) })
  }
  return found
}

/** Rejects with `STORE_LOCKED` while another process has a database; one that is damaged may go. */
async function refuseLocked(path: string): Promise<void> {
  const { createLevelKv } = await import('../../store/kv-level.node.ts')
  const kv = createLevelKv({ path })
  try {
    await kv.start()
  } catch (error) {
    if (isEvolveError(error, 'STORE_LOCKED')) throw error
  } finally {
    await kv.stop()
  }
}

async function clean(
  context: DatabaseContext,
  self: Command,
  { home, folder, yes }: { readonly home: string; readonly folder: string; readonly yes: boolean },
): Promise<void> {
  const databases = await databasesIn(folder)
  const bytes = databases.reduce((sum, one) => sum + one.bytes, 0)
  if (databases.length > 0) {
    await offline(context, async (signal) => {
      for (const { path } of databases) await refuseLocked(path)
      if (!yes) await ask(context, databases, bytes)
      signal.throwIfAborted()
      const { destroyLevelKv } = await import('../../store/kv-level.node.ts')
      for (const { path } of databases) await destroyLevelKv(path)
    })
  }
  answerFields(
    context,
    self,
    { home, deleted: databases.map((one) => one.path), bytes },
    databases.length === 0
      ? [`nothing to delete: there is no database in ${folder}`]
      : [
          ...databases.map((one) => `deleted ${one.path} (${formatBytes(one.bytes)})`),
          `next: evolve start --home ${home}, or evolve snapshot import FILE --home ${home}`,
        ],
  )
}

async function ask(
  { terminal, console }: DatabaseContext,
  databases: readonly Database[],
  bytes: number,
): Promise<void> {
  const lines = databases.map((one) => `  ${one.path}  ${formatBytes(one.bytes)}`)
  terminal.write(`These databases will be deleted:\n${lines.join('\n')}\nKeys, genesis and ledger stay.\n`)
  await confirm(console, `Delete ${formatBytes(bytes)} for good?`, 'add --yes to delete without being asked')
}
