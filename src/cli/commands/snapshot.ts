import type { Command } from 'commander'
import { fromHex, toHex } from '../../util/bytes.ts'
import type { SnapshotManifest } from '../../store/snapshot-format.ts'
import {
  addDatabaseOptions,
  answerFields,
  applicationOf,
  createCounter,
  type DatabaseContext,
  existingDatabase,
  formatBytes,
  homeDatabase,
  offline,
} from '../database.ts'
import { flagError, wholeFlag } from '../flag-values.ts'

const EXPORT_EXAMPLES = `
The node must not run: its database is read as it is. Blocks, states and the application's state go into the file, and
what DA brought; keys, ledger, waiting transactions and peers do not. The file is written beside its name first and
appears when it is whole. docs/snapshot.md describes it.

Examples:
  evolve snapshot export chain.snapshot --home ~/my-chain
  evolve snapshot export recent.snapshot --home ~/my-chain --recent 1000
      only the latest blocks, and all that are not final yet; as if the others had been pruned
  evolve snapshot export chain.snapshot --json

Exit codes: 0 written, 1 failed, 2 something given is wrong.`

const IMPORT_EXAMPLES = `
The home must have the chain's genesis.json and no database yet. Everything is checked before it is used: checksum,
chain, links between the blocks, the signature of the last header by the proposer that genesis.json names, and that
the application's state is the one this header names. A file that fails leaves nothing behind.

Examples:
  evolve init --home ~/new && cp genesis.json ~/new/config/
  evolve snapshot import chain.snapshot --home ~/new
  evolve snapshot import chain.snapshot --home ~/new --trusted-hash 5f0c...
      only if it ends with the header of this hash, which you have from somebody you trust

Exit codes: 0 imported, 1 failed, 2 refused: the file, the home or something given is wrong.`

const INFO_EXAMPLES = `
Examples:
  evolve snapshot info chain.snapshot
  evolve snapshot info chain.snapshot --json

Exit codes: 0 it is whole, 1 failed, 2 it is damaged or no snapshot.`

/** Adds `evolve snapshot` and what is below it. */
export function addSnapshot(program: Command, context: DatabaseContext): void {
  const snapshot = program
    .command('snapshot')
    .description('the chain and its state as one file, from which a new node starts in seconds')
    .addHelpText(
      'after',
      '\nExamples:\n  evolve snapshot export chain.snapshot --home ~/my-chain\n  evolve snapshot info chain.snapshot\n  evolve snapshot import chain.snapshot --home ~/new-node',
    )
  const exporting = snapshot
    .command('export')
    .argument('<file>', 'the file to be written; it must not be there yet')
    .description('write the chain and state of a stopped node into a file')
    .option('--recent <number>', 'only so many of the latest blocks (default: all that are here)')
  addDatabaseOptions(exporting)
    .addHelpText('after', EXPORT_EXAMPLES)
    .action(async (file: string, _options: unknown, self: Command) => await exportFile(context, self, file))
  const importing = snapshot
    .command('import')
    .argument('<file>', 'a file that evolve snapshot export wrote')
    .description('make the database of a new node from a file')
    .option('--trusted-hash <hex>', 'header hash of the last block that the file must end with')
  addDatabaseOptions(importing)
    .addHelpText('after', IMPORT_EXAMPLES)
    .action(async (file: string, _options: unknown, self: Command) => await importFile(context, self, file))
  snapshot
    .command('info')
    .argument('<file>', 'a file that evolve snapshot export wrote')
    .description('tell what is in a file, and whether it is whole')
    .option('--json', 'as JSON')
    .addHelpText('after', INFO_EXAMPLES)
    .action(async (file: string, _options: unknown, self: Command) => await showInfo(context, self, file))
  for (const command of snapshot.commands) command.exitOverride().copyInheritedSettings(snapshot)
}

function fieldsOf(manifest: SnapshotManifest): Readonly<Record<string, unknown>> {
  return {
    chain_id: manifest.chainId,
    application: manifest.application,
    height: manifest.height,
    first_height: manifest.firstHeight,
    final_height: manifest.finalHeight,
    header_hash: toHex(manifest.headerHash),
    created: new Date(Number(manifest.created / 1_000_000n)).toISOString(),
  }
}

function linesOf(manifest: SnapshotManifest): string[] {
  const { chainId, application, height, firstHeight, finalHeight, headerHash } = manifest
  return [
    `chain     ${chainId}, application ${application}`,
    `height    ${height}, header ${toHex(headerHash)}`,
    `blocks    ${firstHeight} to ${height}${finalHeight === 0 ? '' : `, final up to ${finalHeight}`}`,
  ]
}

async function exportFile(context: DatabaseContext, self: Command, file: string): Promise<void> {
  const { recent } = self.optsWithGlobals<{ readonly recent?: string }>()
  const most = recent === undefined ? undefined : wholeFlag('--recent', recent, 1, Number.MAX_SAFE_INTEGER)
  const read = await homeDatabase(context, self)
  const [{ exportSnapshot }, { withStores }, { subKv }, { KEYS }] = await Promise.all([
    import('../../node/snapshot-export.ts'),
    import('../../node/offline.ts'),
    import('../../store/sub-kv.ts'),
    import('../../store/keys.ts'),
  ])
  const makeExecutor = await applicationOf(read.application)
  const kv = await existingDatabase(read)
  const count = createCounter(context)
  const { manifest, bytes, checksum } = await offline(
    context,
    async (signal) =>
      await withStores(
        kv,
        async ({ blocks }) =>
          await exportSnapshot(
            {
              kv,
              blocks,
              genesis: read.genesis,
              executor: makeExecutor(subKv(kv, Uint8Array.of(KEYS.executor))),
              application: read.application,
              env: context.env,
            },
            file,
            { recent: most, signal, onBlock: (done, all) => count('writing', done, all) },
          ),
      ),
  )
  answerFields(context, self, { file, bytes, sha256: toHex(checksum), ...fieldsOf(manifest) }, [
    `written   ${file}, ${formatBytes(bytes)}`,
    ...linesOf(manifest),
    `sha256    ${toHex(checksum)} (of all but the last 32 bytes, which are this)`,
  ])
}

async function importFile(context: DatabaseContext, self: Command, file: string): Promise<void> {
  const { trustedHash } = self.optsWithGlobals<{ readonly trustedHash?: string }>()
  const trusted = trustedHash === undefined ? undefined : fromHex(trustedHash)
  if (trustedHash !== undefined && trusted?.length !== 32)
    throw flagError('--trusted-hash', 'a header hash, 64 hexadecimal digits', trustedHash)
  const read = await homeDatabase(context, self)
  const { importSnapshot } = await import('../../node/snapshot-import.ts')
  const executor = await applicationOf(read.application)
  const count = createCounter(context)
  const { manifest } = await offline(
    context,
    async (signal) =>
      await importSnapshot({ genesis: read.genesis, executor, application: read.application }, file, {
        directory: read.directory,
        trustedHash: trusted,
        signal,
        onProgress: count,
      }),
  )
  const { home } = read.paths
  answerFields(context, self, { home, ...fieldsOf(manifest) }, [
    ...linesOf(manifest),
    `next: evolve start --home ${home}`,
  ])
}

async function showInfo(context: DatabaseContext, self: Command, file: string): Promise<void> {
  const { openSnapshot, checkSnapshot } = await import('../../store/snapshot-file.node.ts')
  const count = createCounter(context)
  const { opened, checksum } = await offline(context, async (signal) => {
    const found = await openSnapshot(file)
    const onBytes = (done: number): void => count('checking', done, found.bytes)
    return { opened: found, checksum: await checkSnapshot(found, { signal, onBytes }) }
  })
  const { manifest, bytes, compression } = opened
  answerFields(context, self, { file, bytes, compression, sha256: toHex(checksum), ...fieldsOf(manifest) }, [
    ...linesOf(manifest),
    `file      ${formatBytes(bytes)}, ${compression}, whole: sha256 ${toHex(checksum)}`,
  ])
}
