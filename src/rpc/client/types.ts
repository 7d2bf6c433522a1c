/*
 * What a client is told: heights are numbers, times bigint unix nanoseconds, bytes Uint8Array.
 */
import type { NodeRole, NodeStatus as OwnStatus } from '../../core/status.ts'
import type { PeerConnection } from '../../core/node-view.ts'
import type { Data } from '../../types/data.ts'
import type { SignedHeader } from '../../types/header.ts'

/** What does not change while a node runs. */
export interface NodeInfo {
  readonly chainId: string
  /** Version of the node's software. */
  readonly version: string
  readonly role: NodeRole
  readonly initialHeight: number
  /** Unix nanoseconds. */
  readonly genesisTime: bigint
  /** Address of the proposer that genesis names. */
  readonly proposerAddress: Uint8Array
  /** 29 bytes each; undefined for a node without DA. */
  readonly namespaces: { readonly header: Uint8Array; readonly data: Uint8Array } | undefined
  /** Milliseconds between blocks. */
  readonly blockTime: number
  /** Milliseconds between blocks while there are no transactions; undefined where blocks come all the time. */
  readonly lazyInterval: number | undefined
  /** Whether {@link Client.transaction} finds transactions. */
  readonly transactionIndex: boolean
  /** libp2p id. */
  readonly peerId: string
  /** When the node was started, unix nanoseconds. */
  readonly started: bigint
}

/** Where a node stands. Its `phase` is that of the node's software, which may know more than this client's. */
export interface NodeStatus extends Omit<OwnStatus, 'phase'> {
  readonly phase: string
}

/** A block without its transactions. Hashes are 32 bytes. */
export interface BlockSummary {
  readonly height: number
  /** Unix nanoseconds. */
  readonly time: bigint
  /** Hash of the header. */
  readonly hash: Uint8Array
  /** Hash of the header before; empty at the first height. */
  readonly previousHash: Uint8Array
  /** Commitment to the transactions. */
  readonly dataHash: Uint8Array
  /** State root before this block. */
  readonly appHash: Uint8Array
  /** State root after this block; empty where it was pruned. */
  readonly stateRoot: Uint8Array
  readonly proposerAddress: Uint8Array
  readonly txCount: number
  /** Bytes of all transactions together. */
  readonly txBytes: number
  /** Whether both halves were on DA when this was said. */
  readonly final: boolean
  /** DA heights of the halves of a final block. */
  readonly headerDaHeight: number | undefined
  readonly dataDaHeight: number | undefined
}

/** A whole block. */
export interface Block {
  readonly summary: BlockSummary
  readonly header: SignedHeader
  readonly data: Data
}

/** A transaction and its place. */
export interface Transaction {
  /** SHA-256 of its bytes. */
  readonly hash: Uint8Array
  readonly height: number
  /** Place in its block, from 0. */
  readonly index: number
  /** Its bytes; only the first 64 KiB in lists. */
  readonly data: Uint8Array
  /** Length of all its bytes. */
  readonly size: number
}

/** A page of the transactions of a block. */
export interface TransactionPage {
  readonly transactions: readonly Transaction[]
  /** Transactions of the whole block. */
  readonly total: number
}

/** A transaction, and the block that holds it. */
export interface TransactionInBlock {
  readonly transaction: Transaction
  readonly block: BlockSummary
}

/** A height that became final: both halves of its block are on DA. */
export interface FinalBlock {
  readonly height: number
  /** Hash of the header. */
  readonly hash: Uint8Array
  readonly headerDaHeight: number
  readonly dataDaHeight: number
}

/** Who a node is connected to. */
export interface NetworkInfo {
  /** The node's own libp2p id. */
  readonly peerId: string
  /** Multiaddresses it listens on. */
  readonly addresses: readonly string[]
  readonly peers: readonly PeerConnection[]
}

/** Options of every call. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /** Milliseconds until the call, attempts and all, rejects with `RPC_TIMEOUT`. */
  readonly timeout?: number
}

/** Told when a subscription has lost its node and will ask it again. */
export interface Interruption {
  /** Why: `RPC_UNREACHABLE`, `SUBSCRIPTION_DROPPED`, `NODE_STOPPING`, `TOO_MANY_SUBSCRIBERS`, … */
  readonly error: Error
  /** Attempts without an answer so far; 0 for the first interruption. */
  readonly attempt: number
  /** Milliseconds until the next attempt. */
  readonly wait: number
}

/** Options of every subscription. */
export interface SubscriptionOptions {
  /** Ends the subscription: its loop ends, without an error. */
  readonly signal?: AbortSignal
  /**
   * Whether it goes on by itself, where it was, after the node was lost or has dropped it. Default true: then only what
   * will not pass ends it with an error. With false it rejects with what happened.
   */
  readonly reconnect?: boolean
  /** Called each time before it asks again. */
  readonly onInterruption?: (interruption: Interruption) => void
}
