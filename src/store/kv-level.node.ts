import { readdir, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { ClassicLevel } from 'classic-level'
import type { Kv } from '../core/kv.ts'
import { EvolveError } from '../util/errors.ts'
import { systemErrorCode } from '../util/files.node.ts'
import { allocateBytes, toHex } from '../util/bytes.ts'
import { createKvOverLevel, type LevelDatabase, plainBytes } from './level-engine.ts'

/** Where a {@link createLevelKv} database lies. */
export interface LevelKvOptions {
  /** Its directory, made when missing. One process at a time. */
  readonly path: string
}

/** Bytes behind each value: CRC-32 of key and value, big endian. The engine itself does not check what it reads. */
const CHECKSUM_BYTES = 4

/** Free bytes from which on writing is tried again after a failure: opening rewrites the log, up to 8 MiB. */
const MINIMUM_FREE = 32 * 1024 * 1024

/** Read-ahead of iterators in bytes, so that a page of big values stays small. */
const READ_AHEAD = 256 * 1024

/**
 * Makes a {@link Kv} on disk (LevelDB). `start` rejects with `STORE_LOCKED` when another process has it open,
 * `STORE_CORRUPT` when files are damaged or missing, `STORE_IO` when it cannot be opened for another reason.
 * Reads reject with `STORE_CORRUPT` when a record is not what was written, naming its key. Writes reject with
 * `STORE_IO`, verdict `retry`, when the disk refuses them; they may be repeated.
 */
export function createLevelKv({ path }: LevelKvOptions): Kv {
  return createKvOverLevel({
    name: path,
    open: async () => await open(path),
    seal,
    unseal: (key, stored) => unseal(path, key, stored),
    explain: (error, doing) => explain(path, error, doing),
    async writable() {
      const { bavail, bsize } = await statfs(path)
      return bavail * bsize >= MINIMUM_FREE
    },
  })
}

async function open(path: string): Promise<LevelDatabase> {
  await refuseHeadless(path)
  const level = new ClassicLevel<Uint8Array, Uint8Array>(path, { keyEncoding: 'view', valueEncoding: 'view' })
  try {
    await level.open()
  } catch (error) {
    throw explainOpening(path, error)
  }
  return {
    get: async (key) => await level.get(key),
    getMany: async (keys) => await level.getMany(keys),
    batch: async (ops, options) => await level.batch(ops, options),
    iterator: (range) => level.iterator({ ...range, highWaterMarkBytes: READ_AHEAD }),
    keys: (range) => level.keys({ ...range, highWaterMarkBytes: READ_AHEAD }),
    compact: async ({ gte, lt }) => await level.compactRange(gte, lt),
    close: async () => await level.close(),
  }
}

/** LevelDB takes a directory without its CURRENT file for a new one and removes what lies in it. */
async function refuseHeadless(path: string): Promise<void> {
  let files: string[]
  try {
    files = await readdir(path)
  } catch {
    return
  }
  const tables = files.filter(isDataFile)
  if (files.includes('CURRENT') || tables.length === 0) return
  throw new EvolveError(
    'STORE_CORRUPT',
    `the store at ${path} has lost its file CURRENT but still has ${tables.length} data files`,
    { data: { path }, verdict: 'halt' },
  )
}

/** Whether a file is one that holds data of a database, by its name. */
function isDataFile(name: string): boolean {
  return /^(?:MANIFEST-\d+|\d+\.(?:log|ldb|sst))$/.test(name)
}

/** Whether a folder is a database, sound or damaged. */
export async function isLevelDirectory(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).some((name) => name === 'CURRENT' || isDataFile(name))
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemErrorCode(error) ?? '')) return false
    throw explain(path, error, 'look')
  }
}

/** Bytes of the files in the folder of a database; 0 when there is none. */
export async function levelSize(path: string): Promise<number> {
  let size = 0
  try {
    for (const name of await readdir(path)) {
      // One may go in this very moment.
      size += (await stat(join(path, name)).catch(() => undefined))?.size ?? 0
    }
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw explain(path, error, 'look')
  }
  return size
}

/** Removes a database, sound or damaged, and nothing else that lies in its folder. Rejects with `STORE_LOCKED`. */
export async function destroyLevelKv(path: string): Promise<void> {
  try {
    await ClassicLevel.destroy(path)
  } catch (error) {
    throw explainOpening(path, error)
  }
}

function seal(key: Uint8Array, value: Uint8Array): Uint8Array {
  // The engine copies it before it returns, so that the memory may be shared.
  const sealed = allocateBytes(value.length + CHECKSUM_BYTES)
  sealed.set(value)
  new DataView(sealed.buffer, sealed.byteOffset).setUint32(value.length, crc32(value, crc32(key)))
  return sealed
}

function unseal(path: string, key: Uint8Array, stored: Uint8Array): Uint8Array {
  const length = stored.length - CHECKSUM_BYTES
  const value = plainBytes(stored.subarray(0, Math.max(length, 0)))
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length)
  if (length >= 0 && view.getUint32(length) === crc32(value, crc32(key))) return value
  throw new EvolveError(
    'STORE_CORRUPT',
    `the store at ${path} has a damaged record under key ${toHex(key)}`,
    {
      data: { path, key: toHex(key) },
      verdict: 'halt',
    },
  )
}

function explainOpening(path: string, error: unknown): EvolveError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  if (systemErrorCode(cause) === 'LEVEL_LOCKED') {
    return new EvolveError('STORE_LOCKED', `the store at ${path} is in use by another process or node`, {
      data: { path },
      cause,
      verdict: 'halt',
    })
  }
  // A file that the database's own table of contents names and the disk does not have.
  if (cause instanceof Error && /No such file/.test(cause.message)) {
    return new EvolveError('STORE_CORRUPT', `the store at ${path} lacks one of its files`, {
      data: { path },
      cause,
      verdict: 'halt',
    })
  }
  return explain(path, cause, 'open')
}

function explain(path: string, cause: unknown, doing: string): EvolveError {
  if (systemErrorCode(cause) === 'LEVEL_CORRUPTION') {
    return new EvolveError('STORE_CORRUPT', `cannot ${doing}: the store at ${path} is damaged`, {
      data: { path },
      cause,
      verdict: 'halt',
    })
  }
  return new EvolveError('STORE_IO', `cannot ${doing}: the store at ${path} failed`, {
    data: { path },
    cause,
    verdict: 'retry',
  })
}
