import type { Service } from './lifecycle.ts'

/** A blob on DA, or one to be posted there. */
export interface Blob {
  /** 29 bytes. */
  readonly namespace: Uint8Array
  readonly data: Uint8Array
  /** How the data is cut into shares; only version 0 is made here. */
  readonly shareVersion: number
  /** Share commitment, 32 bytes. What a DA node says, until it was computed from the data. */
  readonly commitment: Uint8Array
  /** Who paid for it, in share version 1. */
  readonly signer?: Uint8Array
  /** Place of its first share in the square; -1 when it was not posted yet. */
  readonly index: number
}

/** What we need of a DA block's header. */
export interface DaHeader {
  readonly height: number
  /** Hash of the DA block; empty when the DA node does not tell. */
  readonly hash: Uint8Array
  /** Hash of the DA block below; empty when the DA node does not tell. */
  readonly previousHash: Uint8Array
  /** Unix nanoseconds; 0n when the DA node does not tell. */
  readonly time: bigint
}

/** The DA chain has grown. */
export interface DaEvent {
  readonly height: number
}

/**
 * Why a call to DA failed: the code of the EvolveError it rejects with, verdict `retry` unless noted.
 *
 * - `DA_UNREACHABLE`: no connection, or it broke; `DA_TIMEOUT`: no answer in time
 * - `DA_UNAUTHORIZED`: the auth token is missing or wrong
 * - `DA_NOT_FOUND`: no such blob
 * - `DA_FROM_FUTURE`: that height does not exist yet
 * - `DA_TOO_BIG`: the submission is over the size limit
 * - `DA_NOT_INCLUDED`: it timed out waiting to be included in a block
 * - `DA_IN_MEMPOOL`: it is in the mempool already
 * - `DA_SEQUENCE`: the account's sequence number was wrong
 * - `DA_MALFORMED`: the answer was not what it should be, or larger than allowed
 * - `DA_FAILED`: anything else that the DA node says
 */
export type DaErrorCode =
  | 'DA_UNREACHABLE'
  | 'DA_TIMEOUT'
  | 'DA_UNAUTHORIZED'
  | 'DA_NOT_FOUND'
  | 'DA_FROM_FUTURE'
  | 'DA_TOO_BIG'
  | 'DA_NOT_INCLUDED'
  | 'DA_IN_MEMPOOL'
  | 'DA_SEQUENCE'
  | 'DA_MALFORMED'
  | 'DA_FAILED'

/** How a submission is paid for and sent: celestia-node's own names and values, passed on as they are. */
export type DaSubmitOptions = Readonly<Record<string, unknown>>

/** A DA node. Every call rejects with an EvolveError of a {@link DaErrorCode}, or with the signal's reason. */
export interface DaClient extends Service {
  /** Whether the last call got an answer. True before the first. */
  readonly reachable: boolean
  /** Posts blobs together; resolves with the DA height that holds them. */
  submit(
    blobs: readonly Blob[],
    options: { readonly signal: AbortSignal; readonly submit?: DaSubmitOptions },
  ): Promise<number>
  /**
   * All blobs of some namespaces at a height, whoever posted them; none when there are none. Of very many only the
   * first are kept, within the client's bounds: `keep` says which blobs are worth it. It is asked once for each, in
   * order, while the answer is read, which may still fail; it must not throw.
   */
  getAll(
    height: number,
    namespaces: readonly Uint8Array[],
    options: { readonly signal: AbortSignal; readonly keep?: (blob: Blob) => boolean },
  ): Promise<Blob[]>
  /** The header of a DA height. */
  header(height: number, options: { readonly signal: AbortSignal }): Promise<DaHeader>
  /** The newest header of the DA network. */
  head(options: { readonly signal: AbortSignal }): Promise<DaHeader>
  /**
   * Tells of DA heights as they come, from whenever it was connected; none may be relied on to come, and none comes
   * while the node cannot be subscribed to. Ends, without error, when the subscription breaks.
   * Rejects with `DA_UNREACHABLE` when there is no connection that can carry a subscription.
   */
  subscribe(namespace: Uint8Array, options: { readonly signal: AbortSignal }): AsyncIterable<DaEvent>
}
