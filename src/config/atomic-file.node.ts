/*
 * Files that are whole or not there, and that only their owner reads.
 */
import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EvolveError } from '../util/errors.ts'
import { syncDirectory, systemErrorCode } from '../util/files.node.ts'
import { fromUtf8, toHex } from '../util/bytes.ts'

/** Largest file that is read, bytes. */
const MAX_BYTES = 1_048_576

function failed(doing: string, path: string, error: unknown): EvolveError {
  return new EvolveError('FILE_FAILED', `cannot ${doing} ${path}`, { data: { path }, cause: error })
}

/** Makes a directory, and those above it that are missing, for the owner alone (0700). */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw failed('make the directory', path, error)
  }
}

/** Gives the file `temporary` the name `path` unless that is taken: then it rejects with EEXIST. */
async function claim(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    // Some network file systems have no second names for a file.
    if (
      systemErrorCode(error) === 'EEXIST' ||
      systemErrorCode(await stat(path).catch((reason: unknown) => reason)) !== 'ENOENT'
    )
      throw error
    await rename(temporary, path)
  }
}

/**
 * Writes a file that only its owner reads (0600): to a name of its own beside it, to disk, then to its place, so
 * that whoever looks sees the old file or the new one, also after a power cut. With `exclusive` an existing file
 * stays and the call rejects with `FILE_EXISTS`. Other failures reject with `FILE_FAILED`. The directory must exist.
 */
export async function writeFileAtomic(
  path: string,
  text: string,
  { exclusive = false }: { readonly exclusive?: boolean } = {},
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${toHex(randomBytes(6))}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    // The process's mask may have taken rights away from the owner too.
    await chmod(temporary, 0o600)
    if (exclusive) await claim(temporary, path)
    else await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    if (exclusive && systemErrorCode(error) === 'EEXIST') {
      throw new EvolveError('FILE_EXISTS', `${path} exists already`, { data: { path } })
    }
    throw failed('write', path, error)
  }
  if (exclusive) await rm(temporary, { force: true })
  await syncDirectory(dirname(path))
}

/** The text of a file, or undefined when there is none. Rejects with `FILE_FAILED` when it cannot be read. */
export async function readTextFile(path: string): Promise<string | undefined> {
  let bytes: Uint8Array
  try {
    const { size } = await stat(path)
    if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, more than ${MAX_BYTES} are not read`)
    bytes = await readFile(path)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw failed('read', path, error)
  }
  const text = fromUtf8(bytes)
  if (text === undefined) throw failed('read', path, new Error('it is not UTF-8'))
  return text
}

/**
 * As {@link readTextFile}, for files that hold a private key: rejects with `FILE_NOT_PRIVATE` when others than the
 * owner may read or write it.
 */
export async function readPrivateFile(path: string): Promise<string | undefined> {
  const text = await readTextFile(path)
  if (text === undefined || process.platform === 'win32') return text
  const mode = (await stat(path)).mode & 0o777
  if ((mode & 0o077) === 0) return text
  throw new EvolveError(
    'FILE_NOT_PRIVATE',
    `${path} holds a private key and others may use it (mode ${mode.toString(8).padStart(4, '0')}); run: chmod 600 ${path}`,
    { data: { path, mode } },
  )
}
