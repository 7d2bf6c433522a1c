/**
 * Header synchronisation for any kind of item, wire-compatible with go-header: an item kind, a store, gossip,
 * request/response and the syncer that puts them together.
 */
export { createExchange } from './exchange/client.ts'
export type { ExchangeClientOptions, ExchangeDeps } from './exchange/client.ts'
export {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  FrameReader,
  ResponseStatus,
} from './exchange/codec.ts'
export type { HeaderRequest, HeaderResponse } from './exchange/codec.ts'
export { createExchangeServer } from './exchange/server.ts'
export type { ExchangeServerDeps, ExchangeServerOptions } from './exchange/server.ts'
export { createSubscriber } from './gossip/subscriber.ts'
export type { SubscriberDeps, SubscriberOptions } from './gossip/subscriber.ts'
export type { StorePrefixes } from './store/keys.ts'
export { createHeaderStore } from './store/kv-store.ts'
export type { HeaderStoreDeps, HeaderStoreOptions } from './store/kv-store.ts'
export { createSyncer } from './sync/syncer.ts'
export type { Syncer, SyncerDeps, SyncerOptions } from './sync/syncer.ts'
export { checkTime, CLOCK_DRIFT, isSoftFailure, MAX_FUTURE, verify, verifyRange } from './verify.ts'
export type { VerifiedRange } from './verify.ts'
export type {
  Admit,
  Exchange,
  ExchangeOptions,
  FetchedRange,
  GossipVerifier,
  HeaderStore,
  ItemKind,
  Subscriber,
  SyncState,
} from '../core/header.ts'
