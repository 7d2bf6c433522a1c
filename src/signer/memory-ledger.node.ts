import { type Env, systemEnv } from '../core/env.ts'
import { type Logger, noopLogger } from '../core/logger.ts'
import type { SignLedger } from '../core/signer.ts'
import { createKeyLock } from './key-lock.node.ts'
import { newLedger } from './ledger-slots.ts'
import { createLedger } from './ledger.ts'

/**
 * Makes a ledger that lives as long as the object does: for keys that are thrown away with the process. While it is
 * started no other process of this machine signs with the key.
 */
export function createMemoryLedger({
  keyFingerprint,
  env = systemEnv,
  logger = noopLogger,
}: {
  /** Address of the key that signs, 32 bytes. */
  readonly keyFingerprint: Uint8Array
  readonly env?: Env
  readonly logger?: Logger
}): SignLedger {
  const bytes = newLedger(keyFingerprint)
  return createLedger(
    {
      lock: createKeyLock(keyFingerprint, { env }),
      open: async () => ({
        read: async () => bytes.slice(),
        write: async (part, offset) => bytes.set(part, offset),
        async sync() {},
        async close() {},
      }),
      logger,
    },
    { path: '(in memory)', address: keyFingerprint },
  )
}
