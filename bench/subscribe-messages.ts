/** Many subscribers in one process. */
export interface SubscribeOrder {
  /** `http://host:port` of a node. */
  readonly url: string
  /** Subscribers to new blocks. */
  readonly count: number
  /** Subscribers to whole blocks that read nothing after the first bytes. */
  readonly stuck: number
}

/** All subscribers have been told which height comes. */
export interface Subscribed {
  readonly subscribed: number
}

/** Blocks as the node saved them: what is asked, with the height before the first and the moment of each. */
export interface Saved {
  readonly from: number
  readonly at: readonly number[]
}

/** How the subscribers were told of those blocks. */
export interface Told {
  /** Events for blocks of the window, of all subscribers. */
  readonly events: number
  /** Events that should have come and did not, or came out of turn. */
  readonly missing: number
  /** Milliseconds from the moment a block was saved to its arrival: half of the events, and 99 %. */
  readonly median: number
  readonly most: number
  /** Subscribers whose stream has ended. */
  readonly ended: number
}

/** Anything that the process tells. */
export type SubscribeMessage = Subscribed | Told
