import type { FullNodeOptions } from '../src/node/full-node.ts'

/** Where transactions come from: nowhere, or as many as are taken, offered within the process. */
export type Load = 'none' | 'embedded'

/** A node of a network that makes blocks. */
export interface ProduceOrder {
  readonly role: 'aggregator' | 'follower'
  readonly home: string
  /** Genesis file as text. */
  readonly genesis: string
  /** Hex of the 32-byte seed of the proposer; unused by followers. */
  readonly proposerSeed: string
  readonly peers: readonly string[]
  readonly blockTime: number
  readonly load: Load
  /** Whether transactions are taken over HTTP. */
  readonly endpoint?: boolean
  /** Whether it can be asked over RPC. */
  readonly rpc?: boolean
  /** URL of a DA node, and where on it the chain lies. */
  readonly daAddress?: string
  readonly da?: Required<FullNodeOptions>['da']
}

/** The node runs. */
export interface Ready {
  readonly addresses: readonly string[]
  /** `host:port` for transactions; empty without an endpoint. */
  readonly endpoint: string
  /** `http://host:port` of its RPC; empty without one. */
  readonly rpc: string
}

/** What to tell: where the node stands, or what it did in the next milliseconds. */
export type Question = { readonly height: true } | { readonly window: number }

/** Height of the last executed block. */
export interface Standing {
  readonly height: number
}

/** What a node did in a window of time. */
export interface Window {
  readonly ms: number
  /** Height before the first block of the window. */
  readonly from: number
  /** When each block of the window was executed and saved: milliseconds of this machine's clock. */
  readonly at: readonly number[]
  /** Transactions in those blocks. */
  readonly txs: number
  /** Subscribers that were dropped so far, where there is RPC. */
  readonly dropped?: number
}

/** Anything that a node of these benchmarks tells. */
export type ProduceMessage = Ready | Standing | Window

/** How transactions are posted over HTTP. */
export interface PostOrder {
  /** `host:port`. */
  readonly endpoint: string
  /** Transactions a second; 0 for as many as are answered. */
  readonly rate: number
}

/** Transactions that were taken so far. */
export interface Posted {
  readonly taken: number
}
