/**
 * A node asked over the network, from Node or a browser: calls, and subscriptions as async iterators.
 *
 * @example
 * import { createClient } from 'evolve-node/client'
 *
 * const client = createClient('http://127.0.0.1:7331')
 * const { height } = await client.status()
 * const { data } = await client.block(height)
 * for await (const final of client.subscribeFinality({ from: height })) console.log('final', final.height)
 */
export { type BlockId, type Client, type ClientOptions, createClient } from './client.ts'
export type { ClientErrorCode } from './errors.ts'
export type { FromOptions, Subscriptions } from './subscriptions.ts'
export type {
  Block,
  BlockSummary,
  CallOptions,
  FinalBlock,
  Interruption,
  NetworkInfo,
  NodeInfo,
  NodeStatus,
  SubscriptionOptions,
  Transaction,
  TransactionInBlock,
  TransactionPage,
} from './types.ts'
export type { DaSubmission, PeerConnection } from '../../core/node-view.ts'
export type { DaStatus, NodeRates, NodeRole } from '../../core/status.ts'
export type { Data, Metadata } from '../../types/data.ts'
export type { Header, SignedHeader } from '../../types/header.ts'
export { fromHex, toHex } from '../../util/bytes.ts'
export { EvolveError, isEvolveError } from '../../util/errors.ts'
