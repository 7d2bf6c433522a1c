import type { Command } from 'commander'
import { readPrivateFile } from '../../config/atomic-file.node.ts'
import { createSignerFile, type SigningKey } from '../../signer/file.node.ts'
import { parsePrivateKey } from '../../signer/private-key-text.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { readPassphrase, signerPaths } from '../../node/home/signer-files.ts'
import { replaceSigner } from '../signer-replace.ts'
import { addKeysCommand, answer, homeOf, type KeysContext, lastFields } from './keys-command.ts'

const EXAMPLES = `
Examples:
  evolve keys import - --home ~/seq --evnode.signer.passphrase_file pass.txt < key.hex
  evolve keys import --file key.hex --home ~/seq --evnode.signer.passphrase_file pass.txt
  evolve keys import 3b6a27...da29 --home ~/seq --evnode.signer.passphrase_file pass.txt
      other users of the machine can see a key on the command line, and the shell keeps it in its history

A key that is there already is replaced only with --force, and kept as signer.json.<n>.bak. If the key has signed
blocks elsewhere, stop that node for good and copy its signer.ledger beside signer.json before you start this one.`

/** Longest private key read from standard input, characters. */
const LONGEST_KEY = 4_096

interface ImportOptions {
  readonly file?: string
  readonly force?: true
}

/** Adds `evolve keys import`. */
export function addKeysImport(keys: Command, context: KeysContext): void {
  addKeysCommand(keys, {
    name: 'import',
    description: 'encrypt a private key and make it the one of this home',
    examples: EXAMPLES,
  })
    .argument('[key]', 'the private key, 128 hex digits; - reads it from standard input')
    .option('--file <file>', 'read the private key from a file, which others may not read')
    .option('--force', 'replace the key that is there')
    .action(async (given: string | undefined, _options: unknown, self: Command) => {
      await importKey(context, self, await privateKeyFrom(context, given, self))
    })
}

function parse(text: string): SigningKey {
  try {
    return parsePrivateKey(text)
  } catch (error) {
    if (!isEvolveError(error, 'INVALID_KEY')) throw error
    throw new EvolveError('USAGE', error.message)
  }
}

async function privateKeyFrom(
  context: KeysContext,
  given: string | undefined,
  self: Command,
): Promise<SigningKey> {
  const { file } = self.optsWithGlobals<ImportOptions>()
  if ((given === undefined) === (file === undefined)) {
    throw new EvolveError(
      'USAGE',
      'give the private key once: as --file FILE, as - for standard input, or as hex',
    )
  }
  if (file !== undefined) {
    const text = await readPrivateFile(file)
    if (text === undefined) throw new EvolveError('USAGE', `there is no file ${file}`)
    return parse(text)
  }
  if (given === '-') {
    if (context.console.interactive) context.terminal.write('reading the private key from standard input\n')
    return parse(await firstLine(context.console.input()))
  }
  const key = parse(given ?? '')
  context.terminal.write(
    'warning: others on this machine can see a key on the command line, and the shell keeps it; - reads it from standard input\n',
  )
  return key
}

async function firstLine(input: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of input) {
    text += String(chunk)
    if (text.includes('\n') || text.length > LONGEST_KEY) break
  }
  return text.split('\n', 1)[0] ?? ''
}

async function importKey(context: KeysContext, self: Command, key: SigningKey): Promise<void> {
  const read = await homeOf(context, self)
  const { force = false } = self.optsWithGlobals<ImportOptions>()
  const paths = signerPaths(read)
  const { text } = await createSignerFile(await readPassphrase(read), { seed: key.seed })
  const { backup, ledgerBackup, ledger } = await replaceSigner(paths, { key, text, force })
  answer(
    context,
    self,
    {
      address: toHex(key.address),
      public_key: toHex(key.publicKey),
      file: paths.file,
      backup: backup ?? null,
      ledger_backup: ledgerBackup ?? null,
      ledger: ledger === undefined ? null : paths.ledger,
      ...lastFields(ledger?.last),
    },
    [
      `address     ${toHex(key.address)}`,
      `file        ${paths.file} (new)`,
      ...(backup === undefined ? [] : [`old file    ${backup}`]),
      ...(ledgerBackup === undefined ? [] : [`old ledger  ${ledgerBackup}`]),
    ],
  )
  if (ledger !== undefined) return
  context.terminal.write(
    `warning: there is no ${paths.ledger}. If this key has signed blocks elsewhere, stop that node for good and copy\n` +
      'warning: its signer.ledger there before you start: without it a height could be signed twice.\n',
  )
}
