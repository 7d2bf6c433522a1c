import type { Service } from './lifecycle.ts'

/** The key that signs what this node makes. It may live elsewhere: in a key management service, say. */
export interface Signer {
  /** Raw ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** SHA-256 of the public key: what headers and genesis name. */
  readonly address: Uint8Array
  /** Ed25519 signature (64 bytes) over `message`. */
  sign(message: Uint8Array): Promise<Uint8Array>
}

/** The last height that was, or may have been, signed, and the hash of its header. */
export interface LedgerEntry {
  readonly height: number
  readonly hash: Uint8Array
}

/**
 * Remembers which header was signed last, apart from everything else a node keeps, so that no height is signed twice
 * whatever happens to the rest: crash, power cut, an old copy of the database. One process at a time: `start` rejects
 * with `SIGNER_IN_USE` while another one has it, with `LEDGER_CORRUPT` (`halt`) when what it kept is damaged.
 */
export interface SignLedger extends Service {
  /** What was reserved last; undefined when nothing ever was. */
  readonly last: LedgerEntry | undefined
  /**
   * Resolves when it is durable that the header `hash`, and no other, is signed at `height`; only then may it be
   * signed. Reserving the last entry again changes nothing. Rejects with `ALREADY_SIGNED` (`halt`) below the last
   * height, and at it for another hash.
   */
  reserve(height: number, hash: Uint8Array): Promise<void>
}
