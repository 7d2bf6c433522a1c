import { resolve } from 'node:path'
import type { Command } from 'commander'
import { writeFileAtomic } from '../../config/atomic-file.node.ts'
import type { LedgerEntry } from '../../core/signer.ts'
import { publicKeyInSignerFile } from '../../signer/file.node.ts'
import { readLedgerFile } from '../../signer/ledger-file.node.ts'
import { formatPrivateKey } from '../../signer/private-key-text.ts'
import { proposerAddressOf } from '../../types/signer.ts'
import { equalBytes, toBase64, toHex } from '../../util/bytes.ts'
import { describeError, EvolveError, isEvolveError } from '../../util/errors.ts'
import { systemErrorCode } from '../../util/files.node.ts'
import { confirm } from '../console.ts'
import {
  namingSignerFile,
  openSigningKey,
  requireSignerFile,
  signerPaths,
} from '../../node/home/signer-files.ts'
import { addKeysCommand, answer, homeOf, type KeysContext, lastFields } from './keys-command.ts'
import { addKeysImport } from './keys-import.ts'

const EXAMPLES = `
Examples:
  evolve keys show --home ~/seq
  evolve keys export --home ~/seq --evnode.signer.passphrase_file pass.txt > key.hex
  evolve keys import - --home ~/seq --evnode.signer.passphrase_file pass.txt < key.hex

The key signs blocks: whoever has it can make blocks of the chain. It lies encrypted in signer.json; beside it lies
signer.ledger, which says what was signed last and must go wherever the key goes.`

const SHOW_EXAMPLES = `
Examples:
  evolve keys show --home ~/seq
  evolve keys show --home ~/seq --json
  evolve keys show --home ~/seq --evnode.signer.passphrase_file pass.txt
      also checks that the passphrase opens the file and that the public key belongs to the private one`

const EXPORT_EXAMPLES = `
Examples:
  evolve keys export --home ~/seq --evnode.signer.passphrase_file pass.txt --output key.hex
  evolve keys export --home ~/seq --evnode.signer.passphrase_file pass.txt | age -p > key.age
  evolve keys export --home ~/seq --evnode.signer.passphrase_file pass.txt --json --yes

The key goes to standard output, or into the file, as 128 hex digits, as the Go programs write and read it; everything
else to standard error. Before it is shown on a terminal there is a question.`

/** Adds `evolve keys` with `show`, `export` and `import`. */
export function addKeys(program: Command, context: KeysContext): void {
  const keys = program
    .command('keys')
    .description('show, export and import the key that signs blocks')
    .addHelpText('after', EXAMPLES)

  addKeysCommand(keys, {
    name: 'show',
    description: 'tell address and public key, and what was signed last',
    examples: SHOW_EXAMPLES,
  }).action(async (_options: unknown, self: Command) => await show(context, self))
  addKeysCommand(keys, {
    name: 'export',
    description: 'print the private key, not encrypted',
    examples: EXPORT_EXAMPLES,
  })
    .option('-o, --output <file>', 'write the key to this new file, which only you can read')
    .option('-y, --yes', 'show the key on a terminal without a question')
    .action(async (_options: unknown, self: Command) => await exportKey(context, self))
  addKeysImport(keys, context)
}

async function show(context: KeysContext, self: Command): Promise<void> {
  const read = await homeOf(context, self)
  const paths = signerPaths(read)
  const checked = read.config.signer.passphraseFile !== ''
  const text = await requireSignerFile(read)
  const publicKey = checked
    ? (await openSigningKey(read)).publicKey
    : await namingSignerFile(paths.file, () => publicKeyInSignerFile(text.trim()))
  const address = proposerAddressOf(publicKey)
  const { last, problem } = await lastSigned(paths.ledger, address)
  answer(
    context,
    self,
    {
      address: toHex(address),
      proposer_address: toBase64(address),
      public_key: toHex(publicKey),
      file: paths.file,
      checked,
      ledger: paths.ledger,
      ...lastFields(last),
      ledger_problem: problem ?? null,
    },
    [
      `address     ${toHex(address)}`,
      `in genesis  ${toBase64(address)}`,
      `public key  ${toHex(publicKey)}`,
      `file        ${paths.file}${checked ? ' (opens)' : ''}`,
      `last signed ${problem ?? (last === undefined ? 'nothing' : `height ${last.height}, header ${toHex(last.hash)}`)}`,
    ],
  )
}

/** What the ledger of the key with this address says, or why it says nothing. */
async function lastSigned(
  path: string,
  address: Uint8Array,
): Promise<{ readonly last?: LedgerEntry | undefined; readonly problem?: string }> {
  try {
    const ledger = await readLedgerFile(path)
    if (ledger === undefined || equalBytes(ledger.address, address)) return { last: ledger?.last }
    return { problem: `unknown: ${path} is the ledger of another key, with address ${toHex(ledger.address)}` }
  } catch (error) {
    return { problem: `unknown: ${describeError(error)}` }
  }
}

interface ExportOptions {
  readonly output?: string
  readonly yes?: true
  readonly json?: true
}

async function exportKey(context: KeysContext, self: Command): Promise<void> {
  const { output, yes, json } = self.optsWithGlobals<ExportOptions>()
  if (output === '')
    throw new EvolveError('USAGE', '--output: expected the name of a file, got an empty text')
  const key = await openSigningKey(await homeOf(context, self))
  context.terminal.write(
    'warning: this is the private key, not encrypted: whoever has it can make blocks of the chain.\n' +
      'warning: where it signs next, the file signer.ledger must lie beside it.\n',
  )
  const hex = formatPrivateKey(key)
  const named = { public_key: toHex(key.publicKey), address: toHex(key.address) }
  if (output !== undefined) {
    const path = resolve(output)
    const text = json === true ? JSON.stringify({ private_key: hex, ...named }) : hex
    await writeNewFile(path, `${text}\n`)
    answer(context, self, { file: path, ...named }, [`written to ${path}, which only you can read`])
    return
  }
  // What others may see over the shoulder, and what stays in the scroll-back, is asked about first.
  if (context.outputIsTerminal && yes !== true)
    await confirm(context.console, 'Show the private key on this terminal?', 'give --yes, or --output FILE')
  answer(context, self, { private_key: hex, ...named }, [hex])
}

/** Writes a file for the owner alone. Rejects with `USAGE` when it is there, or its folder is not. */
async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await writeFileAtomic(path, text, { exclusive: true })
  } catch (error) {
    if (isEvolveError(error, 'FILE_EXISTS'))
      throw new EvolveError('USAGE', `${path} exists already: name another file, or remove it first`)
    if (isEvolveError(error) && systemErrorCode(error.cause) === 'ENOENT')
      throw new EvolveError('USAGE', `there is no folder for ${path}`)
    throw error
  }
}
