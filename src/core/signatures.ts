import type { SignatureBatch } from '../util/signature-batch.ts'
import type { Service } from './lifecycle.ts'

/** Checks many ed25519 signatures at once, off the caller's thread. */
export interface SignatureChecker extends Service {
  /**
   * One byte a check, in the order of the batch: 1 where the signature is good. 0 proves nothing: a wrong signature, an
   * odd one that the quick check does not know, or nobody there to check. Whoever asks decides those by himself. Never
   * rejects.
   */
  check(batch: SignatureBatch): Promise<Uint8Array>
}
