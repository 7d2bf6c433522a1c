/** What a node of the benchmark `tip` is to be. */
export interface TipOrder {
  readonly home: string
  /** Genesis file as text. */
  readonly genesis: string
  /** Hex of the proposer's seed: with it the node is the aggregator. */
  readonly proposerSeed?: string
  readonly peers: readonly string[]
  /** The default application, or the one that the Go full node runs. */
  readonly app: 'kv' | 'testapp'
  /** Milliseconds. */
  readonly blockTime: number
  /** Transactions an aggregator offers itself. */
  readonly txsPerSecond: number
}

/** What a block goes through in a node: `saved` is the aggregator's commit, too. */
export const STAGES = ['header', 'data', 'executed', 'saved'] as const
/** One of {@link STAGES}. */
export type Stage = (typeof STAGES)[number]

/** A height and a moment in unix milliseconds, on one clock for all processes of the machine. */
export type Moment = readonly [height: number, at: number]

/** What a node tells. */
export type TipMessage =
  | { readonly type: 'started'; readonly addresses: readonly string[] }
  /** Once, when it executed a block that is not older than two block times. */
  | { readonly type: 'tip' }
  /** Answer to the message `tell`: when each stage was over for each height so far. */
  | {
      readonly type: 'moments'
      readonly moments: Readonly<Record<Stage, readonly Moment[]>>
      /** CPU seconds so far. */
      readonly cpu: number
    }
