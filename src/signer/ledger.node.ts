import { type Env, systemEnv } from '../core/env.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import type { SignLedger } from '../core/signer.ts'
import { createKeyLock } from './key-lock.node.ts'
import { openLedgerFile } from './ledger-file.node.ts'
import { createLedger } from './ledger.ts'

/** Options of {@link createFileLedger}. */
export interface FileLedgerOptions {
  /** The file; it is made when there is none, its directory is not. */
  readonly path: string
  /** Address of the key that signs, 32 bytes. */
  readonly keyFingerprint: Uint8Array
  readonly env?: Env
  readonly logger?: Logger
}

/**
 * Makes the ledger of a key in a file. While it is started no other process of this machine signs with the key, from
 * whatever home: `start` rejects with `SIGNER_IN_USE` (halt). It also rejects with `LEDGER_CORRUPT` (halt) when the
 * file is damaged beyond a torn write, with `LEDGER_OF_OTHER_KEY` (halt) when it is that of another key, and with
 * `STORE_IO` (retry) when it cannot be opened. `reserve` costs one synced write; when the disk refuses that, it rejects
 * with `STORE_IO` (retry), and the next call first reads again what the file says.
 */
export function createFileLedger({
  path,
  keyFingerprint,
  env = systemEnv,
  logger = noopLogger,
}: FileLedgerOptions): SignLedger {
  return createLedger(
    {
      lock: createKeyLock(keyFingerprint, { env }),
      open: async () => await openLedgerFile(path, keyFingerprint),
      logger,
    },
    { path, address: keyFingerprint },
  )
}
