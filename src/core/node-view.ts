import type { Genesis } from '../types/genesis.ts'
import type { AppliedBlock } from './applied-block.ts'
import type { P2PData } from '../types/data.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import type { BlockStore } from './block-store.ts'
import type { DaClient } from './da.ts'
import type { HeaderStore } from './header.ts'
import type { PeerId } from './network.ts'
import type { NodeStatus } from './status.ts'

/** An open connection to a peer. */
export interface PeerConnection {
  readonly peer: PeerId
  /** The peer's multiaddress, with its id. */
  readonly address: string
  /** `outbound` when we dialled. */
  readonly direction: 'inbound' | 'outbound'
  /** Unix nanoseconds. */
  readonly openedAt: bigint
  /** Protocol of the encryption: `/tls/1.0.0` or `/noise`. */
  readonly encryption: string | undefined
  /** Protocols that the peer says it speaks; none until it has said so. */
  readonly protocols: readonly string[]
  /** Software that the peer says it is; empty until it has said so. */
  readonly agent: string
  /** Whether the operator named this peer. */
  readonly configured: boolean
}

/** One attempt to post blobs to DA. */
export interface DaSubmission {
  /** Counts from 1 since the node was started. */
  readonly number: number
  /** When its end was known, unix nanoseconds. */
  readonly time: bigint
  readonly kind: 'header' | 'data'
  readonly firstHeight: number
  readonly lastHeight: number
  readonly blobs: number
  readonly bytes: number
  readonly namespace: Uint8Array
  /** Share commitments of the blobs. */
  readonly commitments: readonly Uint8Array[]
  /** DA height that took it; undefined when it was not taken. */
  readonly daHeight: number | undefined
  /** Why it was not taken; undefined when it was. */
  readonly failure: { readonly code: string; readonly message: string } | undefined
  /** Milliseconds. */
  readonly duration: number
}

/** Where a chain lies on DA, and the DA node that this node asks. */
export interface DaView {
  /** 29 bytes. */
  readonly headerNamespace: Uint8Array
  /** 29 bytes. */
  readonly dataNamespace: Uint8Array
  readonly client: DaClient
  /** The latest submissions of an aggregator, newest first; none on other nodes. */
  submissions(): readonly DaSubmission[]
}

/** Where a transaction lies in the chain. */
export interface TxPlace {
  readonly height: number
  /** From 0. */
  readonly index: number
}

/** Finds transactions by the SHA-256 of their bytes. */
export interface TxIndex {
  /** Highest height that is in the index. */
  readonly height: number
  /** The first place of a transaction in the chain; undefined when it is in no indexed block that is still here. */
  find(hash: Uint8Array): Promise<TxPlace | undefined>
}

/** A full node as those see it who ask it from outside: RPC, pages, metrics. */
export interface NodeView {
  readonly genesis: Genesis
  /** Milliseconds between the chain's blocks. */
  readonly blockTime: number
  /** Blocks only when there are transactions, or when `interval` milliseconds are over. Undefined where that is not known. */
  readonly lazy: { readonly interval: number } | undefined
  readonly peerId: PeerId
  readonly blocks: BlockStore
  readonly headers: HeaderStore<P2PSignedHeader>
  readonly data: HeaderStore<P2PData>
  /** Undefined for a node without DA. */
  readonly da: DaView | undefined
  /** Undefined when transactions are not indexed. */
  readonly transactions: TxIndex | undefined
  status(): NodeStatus
  /** Multiaddresses it listens on, each with its peer id. */
  addresses(): string[]
  connections(): PeerConnection[]
  /**
   * Hands a transaction to the chain: to the executor of an aggregator, and from a follower on to it. Resolves when it
   * was taken, which says nothing about whether it gets into a block. Rejects with `TX_REFUSED` (it can never get in),
   * `TX_NO_ROOM` (`retry`), `TX_NOT_ACCEPTED` (this node takes none) or `NO_AGGREGATOR` (`retry`: nobody who takes it
   * can be reached).
   */
  submit(tx: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>
  /** Calls `listener` after each executed block until the returned function is called. */
  onBlock(listener: (block: AppliedBlock) => void): () => void
  /**
   * Calls `listener` when more is final, with the highest final height, until the returned function is called: both halves
   * of that block and of all below are on DA.
   */
  onFinal(listener: (height: number) => void): () => void
}
