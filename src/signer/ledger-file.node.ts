/*
 * A signing ledger as a file: made whole, its size fixed, so that a write never needs space and one sync is enough.
 */
import { randomBytes } from 'node:crypto'
import { type FileHandle, link, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { LedgerEntry } from '../core/signer.ts'
import { toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { syncDirectory, systemErrorCode } from '../util/files.node.ts'
import { decodeLedger, LEDGER_BYTES, newLedger } from './ledger-slots.ts'

/** An open ledger file. Failures are those of the operating system. */
export interface LedgerFile {
  /** All bytes. */
  read(): Promise<Uint8Array>
  /** Writes all of `bytes` at `offset`; they may be lost until the next `sync`. */
  write(bytes: Uint8Array, offset: number): Promise<void>
  /** Resolves when all that was written is durable. */
  sync(): Promise<void>
  close(): Promise<void>
}

/** Gives the file `temporary` the name `path`, unless that is taken. */
async function claim(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path)
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return
    // Some file systems have no second names. Nobody else is here: the lock of the key is held.
    await rename(temporary, path)
  }
}

/** Makes the ledger of a key that has signed nothing, for its owner alone. One that is there already stays. */
async function create(path: string, address: Uint8Array): Promise<void> {
  const temporary = `${path}.${toHex(randomBytes(6))}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(newLedger(address))
      await file.sync()
    } finally {
      await file.close()
    }
    await claim(temporary, path)
  } finally {
    await rm(temporary, { force: true })
  }
  await syncDirectory(dirname(path))
}

async function openOrCreate(path: string, address: Uint8Array): Promise<FileHandle> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error
  }
  await create(path, address)
  return await open(path, 'r+')
}

/** Opens the ledger at `path`; when there is none, makes one for the key with this address. */
export async function openLedgerFile(path: string, address: Uint8Array): Promise<LedgerFile> {
  const file = await openOrCreate(path, address)
  return {
    async read() {
      // One byte more than there should be: a longer file is no ledger.
      const buffer = new Uint8Array(LEDGER_BYTES + 1)
      let length = 0
      for (;;) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
        length += bytesRead
        if (bytesRead === 0 || length === buffer.length) return buffer.slice(0, length)
      }
    },
    async write(bytes, offset) {
      const { bytesWritten } = await file.write(bytes, 0, bytes.length, offset)
      if (bytesWritten !== bytes.length) throw new Error(`wrote ${bytesWritten} of ${bytes.length} bytes`)
    },
    sync: async () => await file.datasync(),
    close: async () => await file.close(),
  }
}

/** Whose a ledger is, and what was signed last with that key. */
export interface LedgerContent {
  /** Address of the key. */
  readonly address: Uint8Array
  readonly last: LedgerEntry | undefined
}

/**
 * Reads a ledger that no node may be using, without changing it; undefined when there is none. Rejects with
 * `LEDGER_CORRUPT` (halt), and with `STORE_IO` when it cannot be read.
 */
export async function readLedgerFile(path: string): Promise<LedgerContent | undefined> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined
    throw new EvolveError('STORE_IO', `cannot read the signing ledger ${path}`, {
      data: { path },
      cause: error,
      verdict: 'retry',
    })
  }
  const { address, entry } = decodeLedger(bytes, path)
  return { address, last: entry }
}
