import type { Command } from 'commander'
import { toHex } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { signerPaths } from '../../node/home/signer-files.ts'
import {
  addDatabaseOptions,
  answerFields,
  applicationOf,
  type DatabaseContext,
  existingDatabase,
  homeDatabase,
  type HomeDatabase,
  offline,
} from '../database.ts'
import { wholeFlag } from '../flag-values.ts'

const EXAMPLES = `
The node must not run. Blocks above the height go, and the application's state is what it was then; a node that is
started again gets those blocks from peers or DA and executes them anew. Interrupted, it may be run again, or the node
started: nothing is lost.

Blocks that are final lie on DA and stay what they are. With --sync-node they may go too, to be had once more.

An aggregator's rollback needs --force. What its key has signed it can never make in another way: signer.ledger
forbids a second block at the same height, and no option changes that. After a rollback it waits for the very blocks
that it made, from peers or DA, and only then goes on. Where nobody has them, the chain stands still.

Examples:
  evolve rollback --home ~/my-chain
      one block back
  evolve rollback --home ~/my-chain --height 1200 --sync-node
  evolve rollback --home ~/seq --height 1200 --force --json

Exit codes: 0 done, 1 failed, 2 refused; nothing has changed then.`

interface RollbackFlags {
  readonly height?: string
  readonly syncNode?: true
  readonly force?: true
}

/** Adds `evolve rollback`. */
export function addRollback(program: Command, context: DatabaseContext): void {
  const command = program
    .command('rollback')
    .description('take a stopped node back to an earlier height')
    .option('--height <number>', 'the last block that stays (default: one below the last)')
    .option('--sync-node', 'the node follows the chain: blocks that are final may go too')
    .option('--force', 'final blocks, and those that the key of this home has signed, may go too')
  addDatabaseOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const flags = self.optsWithGlobals<RollbackFlags>()
      const height =
        flags.height === undefined
          ? undefined
          : wholeFlag('--height', flags.height, 0, Number.MAX_SAFE_INTEGER)
      const read = await homeDatabase(context, self)
      await rollback(context, self, read, { ...flags, height })
    })
}

/** Highest height that the key of an aggregator's home has signed; 0 for none, and for homes that only follow. */
async function signedHeight(read: HomeDatabase): Promise<number> {
  if (!read.config.node.aggregator) return 0
  const { readLedgerFile } = await import('../../signer/ledger-file.node.ts')
  return (await readLedgerFile(signerPaths(read).ledger))?.last?.height ?? 0
}

function refuseSigned(signed: number, to: number, force: boolean): void {
  if (signed <= to || force) return
  throw new EvolveError(
    'USAGE',
    `this home is an aggregator's, and its key has signed blocks up to ${signed}. After going back to ${to} it can make none of them in another way: ` +
      `it waits until peers or DA bring blocks ${to + 1} to ${signed} as they were, and without them the chain stands still. If that is what you want, add --force`,
  )
}

async function rollback(
  context: DatabaseContext,
  self: Command,
  read: HomeDatabase,
  {
    height,
    syncNode = false,
    force = false,
  }: { readonly height: number | undefined; readonly syncNode?: boolean; readonly force?: boolean },
): Promise<void> {
  const { rollBack } = await import('../../node/rollback.ts')
  const { subKv } = await import('../../store/sub-kv.ts')
  const { KEYS } = await import('../../store/keys.ts')
  const makeExecutor = await applicationOf(read.application)
  const signed = await signedHeight(read)
  const kv = await existingDatabase(read)
  const done = await offline(context, async (signal) => {
    await kv.start()
    try {
      return await rollBack(
        { kv, executor: makeExecutor(subKv(kv, Uint8Array.of(KEYS.executor))) },
        {
          height,
          belowFinal: syncNode || force,
          decide: ({ to }) => refuseSigned(signed, to, force),
          signal,
        },
      )
    } catch (error) {
      throw isEvolveError(error, 'BELOW_FINAL')
        ? new EvolveError('BELOW_FINAL', `${error.message}: then add --sync-node`)
        : error
    } finally {
      await kv.stop()
    }
  })
  const { from, to, final, daHeight, stateRoot, headerHash } = done
  const { home } = read.paths
  answerFields(
    context,
    self,
    {
      home,
      from,
      to,
      final,
      signed,
      da_height: daHeight ?? null,
      header_hash: toHex(headerHash),
      state_root: toHex(stateRoot),
    },
    [
      from === to ? `height ${to}, as before` : `rolled back from height ${from} to ${to}`,
      ...(daHeight === undefined ? [] : [`DA will be read again from height ${daHeight} on`]),
      signed > to
        ? `next: evolve start --home ${home}, with peers or DA that have blocks ${to + 1} to ${signed}; it follows them, then makes blocks again`
        : `next: evolve start --home ${home}; it gets the blocks above ${to} again`,
    ],
  )
}
