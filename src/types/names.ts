/** Which half of a block is synchronised. */
export type SyncKind = 'headerSync' | 'dataSync'

/** The libp2p protocol by which peers of a chain ask for missing items. */
export function exchangeProtocol(chainId: string, kind: SyncKind): string {
  return `/${chainId}-${kind}/header-ex/v0.0.3`
}

/** The pubsub topic on which new items of a chain are gossiped. */
export function gossipTopic(chainId: string, kind: SyncKind): string {
  return `/${chainId}-${kind}/header-sub/v0.0.1`
}

/** The libp2p protocol by which nodes of a chain pass transactions on to the aggregator. */
export function submissionProtocol(chainId: string): string {
  return `/${chainId}/evolve-tx/v0.0.1`
}
