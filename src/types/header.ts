/** Protocol versions a header was made under. */
export interface Version {
  readonly block: bigint
  readonly app: bigint
}

/** Fields that headers carried before the slim form; present only when one of them was on the wire. */
export interface LegacyFields {
  readonly lastCommitHash: Uint8Array
  readonly consensusHash: Uint8Array
  readonly lastResultsHash: Uint8Array
}

/** A block's header. Hashes and addresses are 32 bytes where set, empty where not. */
export interface Header {
  readonly version: Version
  /** From 1; at most 2^53 - 1. */
  readonly height: number
  /** Unix nanoseconds, below 2^63. */
  readonly time: bigint
  /** Hash of the header below; empty at the first height. */
  readonly lastHeaderHash: Uint8Array
  /** DA commitment of the block's data. */
  readonly dataHash: Uint8Array
  /** State root before this block was executed. */
  readonly appHash: Uint8Array
  readonly proposerAddress: Uint8Array
  readonly validatorHash: Uint8Array
  readonly chainId: string
  readonly legacy?: LegacyFields
}

/** Who signed: the address and the public key in libp2p's protobuf form. */
export interface Signer {
  readonly address: Uint8Array
  readonly publicKey: Uint8Array
}

/** A header with its proposer's signature. */
export interface SignedHeader {
  readonly header: Header
  readonly signature: Uint8Array
  readonly signer: Signer
}

/** A signed header as peers send it. */
export interface P2PSignedHeader extends SignedHeader {
  /** DA height at which the header may be found; a hint, not a fact. */
  readonly daHeightHint?: number
}
