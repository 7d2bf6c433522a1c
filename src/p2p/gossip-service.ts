import { signEd25519 } from '#crypto'
import type { PrivateKey, Stream } from '@libp2p/interface'
import { type GossipSub, type GossipSubComponents, gossipsub, type Message } from '@libp2p/gossipsub'
import type { PeerId } from '../core/network.ts'
import { concatBytes } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { facade } from './facade.ts'
import { pacedReads } from './paced-reads.ts'
import { framed } from './streams.ts'

/** Largest message in bytes, as in the Go nodes. */
export const MAX_MESSAGE_BYTES: number = 5 * 1024 * 1024

/** Largest frame: a message with topic, sender, signature and what else travels along. */
const MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + 64 * 1024

/** Bytes that may wait for a peer that does not read; past them its stream is reset. */
const MAX_OUTBOUND_BYTES = 16 * 1024 * 1024

/** Bytes of one peer that are read ahead of what was processed. */
const MAX_UNPROCESSED_BYTES = 1024 * 1024

/** Ids of messages that are remembered to know duplicates by. */
const MAX_SEEN = 200_000

/** What we use of gossipsub beyond its published interface. */
export interface OpenGossipSub extends GossipSub {
  reportMessageValidationResult(id: string, sender: string, verdict: 'accept' | 'ignore' | 'reject'): void
}

interface OutboundStream {
  push(message: Uint8Array): void
  pushPrefixed(frame: Uint8Array): void
}

interface TimeCache {
  readonly entries: Map<string | number, unknown>
  put(key: string | number, value: unknown): boolean
}

function hasFunction(value: object, name: string): boolean {
  return typeof Reflect.get(value, name) === 'function'
}

function isOpen(service: GossipSub): service is OpenGossipSub {
  return hasFunction(service, 'reportMessageValidationResult')
}

function isOutboundStream(value: unknown): value is OutboundStream {
  return (
    typeof value === 'object' &&
    value !== null &&
    hasFunction(value, 'push') &&
    hasFunction(value, 'pushPrefixed')
  )
}

function isTimeCache(value: unknown): value is TimeCache {
  if (typeof value !== 'object' || value === null) return false
  return hasFunction(value, 'put') && Reflect.get(value, 'entries') instanceof Map
}

function changed(what: string): EvolveError {
  return new EvolveError(
    'GOSSIP_LIBRARY_CHANGED',
    `@libp2p/gossipsub no longer has the ${what} that is built upon`,
  )
}

/** gossipsub frames outgoing messages with a helper that stops at 4 MiB; ours have the limit of the Go nodes. */
function liftLengthLimit(stream: unknown): void {
  if (!isOutboundStream(stream)) throw changed('outbound streams')
  stream.push = (message) => stream.pushPrefixed(framed(message))
}

/** Told when the stream to a peer ended; `isBack` says whether another has taken its place since. */
export type StreamLost = (peer: PeerId, isBack: () => boolean) => void

function watchOutbound(service: GossipSub, lost: StreamLost): void {
  const streams: unknown = Reflect.get(service, 'streamsOutbound')
  if (!(streams instanceof Map)) throw changed('table of outbound streams')
  const put = streams.set.bind(streams)
  const remove = streams.delete.bind(streams)
  streams.set = (peer: string, stream: unknown) => {
    liftLengthLimit(stream)
    return put(peer, stream)
  }
  streams.delete = (peer: string) => {
    const had = remove(peer)
    if (had) lost(peer, () => streams.has(peer))
    return had
  }
}

/** The library forgets ids by age only, and whoever signs fast enough could fill the memory before they age. */
function boundSeen(service: GossipSub): void {
  const cache: unknown = Reflect.get(service, 'seenCache')
  if (!isTimeCache(cache)) throw changed('cache of seen messages')
  const put = cache.put.bind(cache)
  cache.put = (key, value) => {
    const collided = put(key, value)
    for (const oldest of cache.entries.keys()) {
      if (cache.entries.size <= MAX_SEEN) break
      cache.entries.delete(oldest)
    }
    return collided
  }
}

/** The library makes a new key object for every signature, which costs more than signing with it. */
function quickSigner(key: PrivateKey): PrivateKey {
  if (key.type !== 'Ed25519') return key
  const seed = key.raw.slice(0, 32)
  return facade(key, { sign: (message) => signEd25519(seed, message.subarray()) })
}

/** The id of a message as the Go nodes make it: the sender's peer id, then the sequence number, big endian. */
export function messageId(message: Message): Uint8Array {
  if (message.type !== 'signed') throw new EvolveError('UNSIGNED_MESSAGE', 'gossip messages must be signed')
  const sequence = new Uint8Array(8)
  new DataView(sequence.buffer).setBigUint64(0, message.sequenceNumber)
  return concatBytes(message.from.toMultihash().bytes, sequence)
}

/**
 * libp2p's pubsub, speaking GossipSub and FloodSub, set up to work with the Go nodes of both kinds.
 * Throws `GOSSIP_LIBRARY_CHANGED` when the installed library is not the one this was written for.
 */
export function gossipService(
  topics: readonly string[],
  lost: StreamLost,
): (components: GossipSubComponents) => OpenGossipSub {
  const create = gossipsub({
    globalSignaturePolicy: 'StrictSign',
    fallbackToFloodsub: true,
    floodPublish: true,
    allowPublishToZeroTopicPeers: true,
    asyncValidation: true,
    doPX: false,
    emitSelf: false,
    allowedTopics: [...topics],
    msgIdFn: messageId,
    maxInboundDataLength: MAX_FRAME_BYTES,
    maxOutboundBufferSize: MAX_OUTBOUND_BYTES,
    maxInboundStreams: 4,
    maxOutboundStreams: 4,
    // A peer's next frame is read when its last one was processed: what it sends too fast waits on its side.
    awaitRpcHandler: true,
    awaitRpcMessageHandler: true,
    decodeRpcLimits: {
      maxSubscriptions: 128,
      maxMessages: 5000,
      maxIhaveMessageIDs: 5000,
      maxIwantMessageIDs: 5000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 128,
      maxPeerInfos: 16,
    },
    // Nothing that an honest peer may do lowers its score: many peers can share an address, and a busy one can be
    // late with what it promised. Who sends wrong items is dealt with where they are judged.
    scoreParams: { IPColocationFactorWeight: 0, behaviourPenaltyWeight: 0 },
  })
  return (components) => {
    const { registrar } = components
    const paced: typeof registrar = facade(registrar, {
      handle: async (protocol, handler, options) =>
        await registrar.handle(
          protocol,
          (stream: Stream, connection) => handler(pacedReads(stream, MAX_UNPROCESSED_BYTES), connection),
          options,
        ),
    })
    const service = create({
      privateKey: quickSigner(components.privateKey),
      peerId: components.peerId,
      peerStore: components.peerStore,
      connectionManager: components.connectionManager,
      logger: components.logger,
      registrar: paced,
    })
    if (!isOpen(service)) throw changed('report of validation results')
    watchOutbound(service, lost)
    boundSeen(service)
    return service
  }
}
