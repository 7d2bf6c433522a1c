import { type Command, Option } from 'commander'
import type { PruneMode } from '../../store/block-store.ts'
import { noopLogger } from '../../core/logger.ts'
import { noopMetrics } from '../../core/metrics.ts'
import {
  addDatabaseOptions,
  answerFields,
  applicationOf,
  createCounter,
  type DatabaseContext,
  existingDatabase,
  formatBytes,
  homeDatabase,
  type HomeDatabase,
  offline,
} from '../database.ts'
import { wholeFlag } from '../flag-values.ts'

const EXAMPLES = `
The node must not run; one that runs prunes by itself as pruning.* of its configuration says. Nothing is removed that
is not final, where the node has a DA address, nor the last block. Peers cannot get removed blocks from this node any
more; DA and other nodes still have them. Interrupted, it may be run again.

Examples:
  evolve prune --home ~/my-chain --keep 10000
  evolve prune --home ~/my-chain --mode metadata
      only the states after old blocks: nobody misses those but a rollback
  evolve prune --home ~/my-chain --json

Exit codes: 0 done, 1 failed, 2 something given is wrong; nothing has changed then.`

interface PruneFlags {
  readonly keep?: string
  readonly mode?: PruneMode
}

/** Adds `evolve prune`. */
export function addPrune(program: Command, context: DatabaseContext): void {
  const command = program
    .command('prune')
    .description('remove old blocks of a stopped node')
    .option('--keep <number>', 'latest blocks that stay (default: pruning.pruning_keep_recent)')
    .addOption(
      new Option(
        '--mode <name>',
        'all: old blocks; metadata: only the states after them (default: all)',
      ).choices(['all', 'metadata']),
    )
  addDatabaseOptions(command)
    .addHelpText('after', EXAMPLES)
    .action(async (_options: unknown, self: Command) => {
      const { keep, mode } = self.optsWithGlobals<PruneFlags>()
      const keepRecent =
        keep === undefined ? undefined : wholeFlag('--keep', keep, 1, Number.MAX_SAFE_INTEGER)
      const read = await homeDatabase(context, self)
      const { pruningMode, pruningKeepRecent } = read.config.pruning
      await prune(context, self, read, {
        keepRecent: keepRecent ?? pruningKeepRecent,
        mode: mode ?? (pruningMode === 'disabled' ? 'all' : pruningMode),
      })
    })
}

async function prune(
  context: DatabaseContext,
  self: Command,
  read: HomeDatabase,
  options: { readonly keepRecent: number; readonly mode: PruneMode },
): Promise<void> {
  const [{ createPruner }, { withStores }, { subKv }, { KEYS }, { levelSize }] = await Promise.all([
    import('../../node/pruner.ts'),
    import('../../node/offline.ts'),
    import('../../store/sub-kv.ts'),
    import('../../store/keys.ts'),
    import('../../store/kv-level.node.ts'),
  ])
  const makeExecutor = await applicationOf(read.application)
  const kv = await existingDatabase(read)
  const before = await levelSize(read.directory)
  const count = createCounter(context)
  const done = await offline(
    context,
    async (signal) =>
      await withStores(kv, async (stores) => {
        const pruner = createPruner(
          {
            ...stores,
            kv,
            executor: makeExecutor(subKv(kv, Uint8Array.of(KEYS.executor))),
            limit: async () =>
              read.config.da.address.trim() === '' ? Infinity : await stores.blocks.daIncludedHeight(),
            env: context.env,
            logger: noopLogger,
            metrics: noopMetrics,
          },
          options,
        )
        let first: number | undefined
        const run = await pruner.run({
          signal,
          thorough: true,
          onStep(height, target) {
            first ??= height
            count('removing old blocks:', height - first, target - first)
          },
        })
        return { ...run, height: await stores.blocks.height(), earliest: stores.blocks.prunedUpTo + 1 }
      }),
  )
  const after = await levelSize(read.directory)
  const { mode, keepRecent } = options
  const what = mode === 'all' ? 'blocks' : 'states'
  answerFields(
    context,
    self,
    {
      home: read.paths.home,
      mode,
      keep: keepRecent,
      height: done.height,
      removed: done.to - done.from,
      earliest_height: done.earliest,
      bytes_before: before,
      bytes_after: after,
    },
    [
      done.to === done.from
        ? `nothing to remove: height ${done.height}, first block ${done.earliest}`
        : `removed ${what} ${done.from + 1} to ${done.to}; height ${done.height}, first block ${done.earliest}`,
      `database ${formatBytes(before)} before, ${formatBytes(after)} now`,
    ],
  )
}
