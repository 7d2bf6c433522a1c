/*
 * Puts another key in the place of the signing key. Nothing is lost: the key before it and the ledger of what it
 * signed stay beside it, and each key gets its own ledger back. Between any two steps a node refuses to start rather
 * than sign with a ledger that is not its key's.
 */
import { link, readdir, rename } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makeDirectory, readTextFile, writeFileAtomic } from '../config/atomic-file.node.ts'
import { publicKeyInSignerFile, type SigningKey } from '../signer/file.node.ts'
import { createKeyLock, type KeyLock } from '../signer/key-lock.node.ts'
import { type LedgerContent, readLedgerFile } from '../signer/ledger-file.node.ts'
import { proposerAddressOf } from '../types/signer.ts'
import { equalBytes } from '../util/bytes.ts'
import { EvolveError, isEvolveError } from '../util/errors.ts'
import type { SignerPaths } from '../node/home/signer-files.ts'

/** What {@link replaceSigner} did. */
export interface Replaced {
  /** Where the signer file that was there is now; undefined when there was none. */
  readonly backup: string | undefined
  /** Where the ledger of the other key is now; undefined when there was none. */
  readonly ledgerBackup: string | undefined
  /** The ledger of the new key, when it is there. */
  readonly ledger: LedgerContent | undefined
}

/**
 * Writes `text`, the signer file of `key`. Rejects with `USAGE`, and changes nothing, when there is one and `force` is
 * not set, when its ledger is damaged, or while a process of this machine signs with the key that is there.
 */
export async function replaceSigner(
  paths: SignerPaths,
  { key, text, force }: { readonly key: SigningKey; readonly text: string; readonly force: boolean },
): Promise<Replaced> {
  await refuseDamaged(paths.ledger)
  const existing = await readTextFile(paths.file)
  if (existing === undefined) {
    await makeDirectory(dirname(paths.file))
  } else if (!force) {
    throw new EvolveError(
      'USAGE',
      `${paths.file} exists already; --force replaces it and keeps the old one beside it`,
    )
  }
  const lock = existing === undefined ? undefined : await lockKeyIn(existing)
  try {
    const number = await freeNumber(paths)
    const backup = existing === undefined ? undefined : `${paths.file}.${number}.bak`
    if (existing !== undefined && backup !== undefined)
      await writeFileAtomic(backup, existing, { exclusive: true })
    await writeFileAtomic(paths.file, text, { exclusive: existing === undefined })
    const ledgerBackup = await exchangeLedgers(paths.ledger, key.address, `${paths.ledger}.${number}.bak`)
    return { backup, ledgerBackup, ledger: await readLedgerFile(paths.ledger) }
  } finally {
    await lock?.release()
  }
}

/** What a damaged ledger was about nobody knows, so it is not moved away. */
async function refuseDamaged(ledger: string): Promise<void> {
  try {
    await readLedgerFile(ledger)
  } catch (error) {
    if (!isEvolveError(error, 'LEDGER_CORRUPT')) throw error
    throw new EvolveError('USAGE', error.message, { data: error.data })
  }
}

/** Takes the lock of the key in a signer file, so that no node that signs with it runs meanwhile. */
async function lockKeyIn(text: string): Promise<KeyLock | undefined> {
  let publicKey: Uint8Array
  try {
    publicKey = publicKeyInSignerFile(text.trim())
  } catch {
    // Nothing can sign with what is no signer file.
    return undefined
  }
  const lock = createKeyLock(proposerAddressOf(publicKey))
  try {
    await lock.acquire()
  } catch (error) {
    if (!isEvolveError(error, 'SIGNER_IN_USE')) throw error
    throw new EvolveError('USAGE', error.message, { data: error.data })
  }
  return lock
}

/** The lowest number that no backup beside the files has. */
async function freeNumber({ file, ledger }: SignerPaths): Promise<number> {
  const names = new Set(await readdir(dirname(file)))
  let number = 1
  while ([file, ledger].some((path) => names.has(`${basename(path)}.${number}.bak`))) number++
  return number
}

/**
 * Moves the ledger of another key to `backup`, and that of the key with this address to its place if an earlier
 * exchange left it beside. Resolves with `backup` if it was used.
 */
async function exchangeLedgers(
  path: string,
  address: Uint8Array,
  backup: string,
): Promise<string | undefined> {
  const present = await readLedgerFile(path)
  if (present !== undefined && equalBytes(present.address, address)) return undefined
  const own = await findLedger(path, address)
  if (own === undefined) {
    if (present !== undefined) await rename(path, backup)
  } else {
    if (present !== undefined) await link(path, backup)
    await rename(own, path)
  }
  return present === undefined ? undefined : backup
}

/** The backup of the ledger at `path` that is of this key and knows most. */
async function findLedger(path: string, address: Uint8Array): Promise<string | undefined> {
  let found: { readonly path: string; readonly height: number } | undefined
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(`${basename(path)}.`) || !name.endsWith('.bak')) continue
    const candidate = join(dirname(path), name)
    const content = await readLedgerFile(candidate).catch(() => undefined)
    if (content === undefined || !equalBytes(content.address, address)) continue
    const height = content.last?.height ?? 0
    if (found === undefined || height > found.height) found = { path: candidate, height }
  }
  return found?.path
}
