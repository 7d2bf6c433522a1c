/** Which part of a generated chain a DA is to hold, and how densely. */
export interface ServeDaOrder {
  /** Folder and genesis of the chain. */
  readonly home: string
  readonly genesis: string
  readonly blocks: number
  /** Blocks in one DA block. */
  readonly perHeight: number
}

/** A DA that holds the chain. */
export interface ServedDa {
  readonly address: string
  /** DA heights that hold the chain, from 1. */
  readonly heights: number
}

/** How a DA answers from now on. */
export interface DaManners {
  /** Milliseconds before every answer. */
  readonly latency: number
  /** Whether it opens WebSockets. */
  readonly webSocket: boolean
}

/** The DA has heard of its new manners. */
export interface DaMannersSet {
  readonly set: true
  /** Calls since it runs. */
  readonly calls: number
}

/** What a node that reads DA is to do. */
export interface FollowDaOrder {
  readonly home: string
  /** Genesis file as text. */
  readonly genesis: string
  readonly address: string
  /** Height at which it has caught up. */
  readonly target: number
  /** DA heights read at a time; the node's own choice when left out. */
  readonly parallel?: number
}

/** What it ended on, and milliseconds from the beginning of its process. */
export interface FollowDaResult {
  readonly done: true
  readonly height: number
  /** Hex. */
  readonly stateRoot: string
  readonly lastHeaderHash: string
  /** Started, whatever there is to catch up. */
  readonly readyMs: number
  /** All headers, and all data, are in their stores. */
  readonly headersMs: number
  readonly dataMs: number
  readonly blocksMs: number
  /** How it spoke to DA. */
  readonly transport: 'websocket' | 'http'
}

/** Namespaces of the benchmarks' chains. */
export const DA_NAMESPACES = { header: 'bench-headers', data: 'bench-data' } as const
