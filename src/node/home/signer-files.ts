/*
 * The signing key of a home directory, as commands and programs need it.
 */
import { dirname, join } from 'node:path'
import {
  makeDirectory,
  readPrivateFile,
  readTextFile,
  writeFileAtomic,
} from '../../config/atomic-file.node.ts'
import type { HomeConfig } from '../../config/home-config.node.ts'
import { signerFile } from '../../config/home.ts'
import type { Signer } from '../../core/signer.ts'
import { createSignerFile, openSignerFile, signerOfKey, type SigningKey } from '../../signer/file.node.ts'
import { describeError, EvolveError, isEvolveError } from '../../util/errors.ts'

/** Where the files of the signing key lie. */
export interface SignerPaths {
  /** `signer.json` */
  readonly file: string
  /** `signer.ledger`, beside it: what was signed last with the key. It goes wherever the key goes. */
  readonly ledger: string
}

/** Where the files of the signing key of a home directory lie. */
export function signerPaths({ paths, config }: HomeConfig): SignerPaths {
  const file = signerFile(paths.home, config)
  return { file, ledger: join(dirname(file), 'signer.ledger') }
}

/**
 * The passphrase of the signing key, from the file that `--evnode.signer.passphrase_file` or
 * `EVNODE_SIGNER_PASSPHRASE_FILE` names, without the blanks around it. Rejects with `USAGE` when none is named, it is
 * not there, or empty.
 */
export async function readPassphrase({ config }: HomeConfig): Promise<string> {
  const path = config.signer.passphraseFile
  if (path === '') {
    throw new EvolveError(
      'USAGE',
      'the signing key is encrypted: give --evnode.signer.passphrase_file FILE, or EVNODE_SIGNER_PASSPHRASE_FILE,' +
        ' with a file whose content is the passphrase',
    )
  }
  const text = await readTextFile(path)
  if (text === undefined) throw new EvolveError('USAGE', `signer.passphrase_file: there is no file ${path}`)
  const passphrase = text.trim()
  if (passphrase === '') throw new EvolveError('USAGE', `signer.passphrase_file: ${path} is empty`)
  return passphrase
}

/** Runs `task`; an error about the content of a signer file then names the file. */
export async function namingSignerFile<T>(path: string, task: () => T | Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    if (!isEvolveError(error, 'CORRUPT_SIGNER_FILE', 'WRONG_PASSPHRASE')) throw error
    throw new EvolveError(error.code, `${path}: ${describeError(error)}`, { data: { ...error.data, path } })
  }
}

/** The text of the signer file. Rejects with `USAGE` when there is none, and with `FILE_NOT_PRIVATE`. */
export async function requireSignerFile(read: HomeConfig): Promise<string> {
  const { file } = signerPaths(read)
  const text = await readPrivateFile(file)
  if (text !== undefined) return text
  throw new EvolveError(
    'USAGE',
    `there is no ${file}: make a key with evolve init --evnode.node.aggregator, or bring one with evolve keys import`,
  )
}

/**
 * The signing key of the home directory. Rejects with `USAGE` when there is no file or no passphrase, with
 * `FILE_NOT_PRIVATE`, `WRONG_PASSPHRASE` and `CORRUPT_SIGNER_FILE`, each naming the file.
 */
export async function openSigningKey(read: HomeConfig): Promise<SigningKey> {
  const text = await requireSignerFile(read)
  const passphrase = await readPassphrase(read)
  return await namingSignerFile(
    signerPaths(read).file,
    async () => await openSignerFile(text.trim(), passphrase),
  )
}

/** The signer of the home directory and the path of its ledger. Rejects as {@link openSigningKey} does. */
export async function requireSigner(
  read: HomeConfig,
): Promise<{ readonly signer: Signer; readonly ledgerFile: string }> {
  if (read.config.signer.signerType !== 'file') {
    throw new EvolveError('USAGE', 'signer.signer_type: only the type file can sign here')
  }
  return { signer: signerOfKey(await openSigningKey(read)), ledgerFile: signerPaths(read).ledger }
}

/** A signing key that is there, or will be once it is written. */
export interface PreparedSigner {
  readonly file: string
  readonly address: Uint8Array
  /** Writes the file if it is new; resolves with whether it was. */
  write(): Promise<'new' | 'kept'>
}

/** Opens the signing key of the home directory, or makes one that `write` then writes. Rejects as {@link openSigningKey} does. */
export async function prepareSigner(read: HomeConfig): Promise<PreparedSigner> {
  const { file } = signerPaths(read)
  const passphrase = await readPassphrase(read)
  if ((await readPrivateFile(file)) !== undefined) {
    const { address } = await openSigningKey(read)
    return { file, address, write: async () => 'kept' }
  }
  const { text, key } = await createSignerFile(passphrase)
  return {
    file,
    address: key.address,
    async write() {
      await makeDirectory(dirname(file))
      await writeFileAtomic(file, text, { exclusive: true })
      return 'new'
    },
  }
}
