import type { NodePhase } from '../../src/core/status.ts'

/** What a node process is to be, as JSON in its first argument. */
export interface NodeOrder {
  readonly role: 'aggregator' | 'follower'
  readonly home: string
  /** Genesis file as text. */
  readonly genesis: string
  /** Hex of the 32-byte seeds of the libp2p identity and, for an aggregator, of the proposer. */
  readonly nodeSeed: string
  readonly proposerSeed: string
  readonly port: number
  readonly peers: readonly string[]
  /** URL of the DA node; none when left out. */
  readonly da?: string
  readonly blockTime: number
  readonly daBlockTime: number
  /** Port for transactions; none when left out. */
  readonly kvPort?: number
}

/** What a local DA process is to be. */
export interface DaOrder {
  readonly home: string
  readonly port: number
  readonly blockTime: number
}

/** What a node process tells. */
export type NodeMessage =
  | { readonly type: 'started'; readonly height: number; readonly finalHeight: number; readonly took: number }
  | {
      readonly type: 'block'
      readonly height: number
      /** Hex. */
      readonly hash: string
      readonly stateRoot: string
      readonly txs: number
    }
  | { readonly type: 'final'; readonly height: number }
  | {
      readonly type: 'status'
      readonly phase: NodePhase
      readonly height: number
      readonly targetHeight: number
      readonly finalHeight: number
      readonly memory: number
    }
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
