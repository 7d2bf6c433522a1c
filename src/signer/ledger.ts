/*
 * The rule of the signing ledger, over any file and any lock.
 */
import type { Logger } from '../core/logger.ts'
import type { LedgerEntry, SignLedger } from '../core/signer.ts'
import { createSerial } from '../util/async.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import type { KeyLock } from './key-lock.node.ts'
import type { LedgerFile } from './ledger-file.node.ts'
import {
  decodeLedger,
  encodeSlot,
  type LedgerState,
  offsetOf,
  otherSlot,
  requireAddress,
  SLOT_BYTES,
} from './ledger-slots.ts'

/** What a ledger needs. */
export interface LedgerDeps {
  /** Held from start to stop. */
  readonly lock: KeyLock
  /** Opens the file, making it when there is none. */
  readonly open: () => Promise<LedgerFile>
  readonly logger: Logger
}

/** Options of {@link createLedger}. */
export interface LedgerOptions {
  /** For messages. */
  readonly path: string
  /** Address of the key, 32 bytes. */
  readonly address: Uint8Array
}

const HASH_BYTES = 32

/** Makes a {@link SignLedger} whose rejections are as its port says, and `STORE_IO` (retry) when the disk refuses. */
export function createLedger(deps: LedgerDeps, { path, address }: LedgerOptions): SignLedger {
  const logger = deps.logger.child({ component: 'sign-ledger' })
  const serial = createSerial()
  let file: LedgerFile | undefined
  let state: LedgerState | undefined
  /** Whether the disk may hold something else than `state`, or hold it in its cache only. */
  let doubtful = true

  async function onDisk<T>(doing: string, task: () => Promise<T>): Promise<T> {
    try {
      return await task()
    } catch (cause) {
      if (cause instanceof EvolveError) throw cause
      throw new EvolveError('STORE_IO', `cannot ${doing} the signing ledger ${path}`, {
        data: { path },
        cause,
        verdict: 'retry',
      })
    }
  }

  /**
   * Finds out what the file says and makes it durable. Whoever wrote it may have died, or failed, before its sync, and
   * what is read may be in memory only. So the slot that counts is written again as it is: if the disk has it already,
   * nothing changes there, and the other slot is not touched.
   */
  async function recover(open: LedgerFile): Promise<LedgerState> {
    doubtful = true
    const bytes = await open.read()
    const found = decodeLedger(bytes, path)
    requireAddress(found, address, path)
    const offset = offsetOf(found.index)
    await open.write(bytes.subarray(offset, offset + SLOT_BYTES), offset)
    await open.sync()
    if (found.torn)
      logger.warn('a write to the signing ledger was torn; what was signed before it holds', { path })
    state = found
    doubtful = false
    return found
  }

  async function write(open: LedgerFile, before: LedgerState, entry: LedgerEntry): Promise<void> {
    const next = {
      address,
      sequence: before.sequence + 1,
      entry,
      index: otherSlot(before.index),
      torn: false,
    }
    doubtful = true
    await open.write(encodeSlot(next), offsetOf(next.index))
    await open.sync()
    state = next
    doubtful = false
  }

  function refuse({ height, hash }: LedgerEntry, last: LedgerEntry): EvolveError {
    const [asked, signed] = [toHex(hash), toHex(last.hash)]
    return new EvolveError(
      'ALREADY_SIGNED',
      `the header ${asked} at height ${height} may not be signed: this key may have signed ${signed} at height ${last.height}`,
      { data: { height, hash: asked, lastHeight: last.height, lastHash: signed }, verdict: 'halt' },
    )
  }

  return {
    get last() {
      return state?.entry
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (file !== undefined) return
        signal?.throwIfAborted()
        await deps.lock.acquire()
        let opened: LedgerFile | undefined
        try {
          await onDisk('open', async () => {
            opened = await deps.open()
            await recover(opened)
          })
          file = opened
        } catch (error) {
          await opened?.close().catch(() => undefined)
          await deps.lock.release()
          throw error
        }
        logger.info('signing ledger open', { path, lastHeight: state?.entry?.height })
      })
    },
    async stop() {
      await serial.run(async () => {
        const closing = file
        if (closing === undefined) return
        file = undefined
        try {
          await onDisk('close', async () => await closing.close())
        } finally {
          await deps.lock.release()
        }
      })
    },
    async reserve(height, hash) {
      await serial.run(async () => {
        if (file === undefined) {
          throw new EvolveError('LEDGER_CLOSED', `the signing ledger ${path} is not open`, { data: { path } })
        }
        if (!Number.isSafeInteger(height) || height < 1 || hash.length !== HASH_BYTES) {
          throw new EvolveError(
            'INVALID_LEDGER_ENTRY',
            `expected a height from 1 on and a hash of ${HASH_BYTES} bytes, got height ${height} and ${hash.length} bytes`,
          )
        }
        const open = file
        // Kept beyond this call: whoever gave it may write to it.
        const entry = { height, hash: hash.slice() }
        await onDisk('write', async () => {
          const before = doubtful || state === undefined ? await recover(open) : state
          const last = before.entry
          if (last !== undefined && height <= last.height) {
            if (height === last.height && equalBytes(hash, last.hash)) return
            throw refuse(entry, last)
          }
          await write(open, before, entry)
        })
      })
    },
  }
}
