/*
 * New items by gossip (go-header p2p/subscriber.go). A message is relayed only after it decoded, validated, and
 * the verifier let it in; what becomes of its sender depends on whether an honest one could have sent it.
 */
import { sha256 } from '#crypto'
import type { Env } from '../../core/env.ts'
import type { GossipVerifier, ItemKind, Subscriber } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { GossipMessage, GossipTopic, GossipVerdict, Network } from '../../core/network.ts'
import { abortable, createSerial, deferred } from '../../util/async.ts'
import { toHex } from '../../util/bytes.ts'
import { EvolveError, isEvolveError, verdictOf } from '../../util/errors.ts'
import { LruCache } from '../../util/lru.ts'
import { checkTime } from '../verify.ts'
import { createWaiting } from './waiting.ts'

/** Parts of a {@link createSubscriber}. */
export interface SubscriberDeps<H> {
  readonly network: Network
  readonly kind: ItemKind<H>
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Options of {@link createSubscriber}. */
export interface SubscriberOptions {
  readonly topic: string
  /** Largest message in bytes; larger ones are wrong. Default 5 MiB, as the Go peers have it. */
  readonly maxMessageBytes?: number
  /** Messages of one sender that may be under judgement at once; more are ignored. Default 64. */
  readonly perSender?: number
  /** Messages of all senders that may be under judgement at once. Default 1,024. */
  readonly maxMessages?: number
  /** Bytes of all messages under judgement. Default 16 MiB. */
  readonly maxBytes?: number
}

/** Digests of good messages that are remembered, so that repeating them costs next to nothing. */
const REMEMBERED = 1024

/** What was decided of a message, and why if it was not accepted. */
interface Judgement {
  readonly verdict: GossipVerdict
  readonly error?: unknown
}

/**
 * Makes a {@link Subscriber}. `setVerifier` throws `VERIFIER_SET` the second time. `broadcast` rejects with
 * `BROADCAST_FAILED` when it is not started or publishing fails; that nobody is there to receive is no failure.
 */
export function createSubscriber<H>(
  { network, kind, env, logger: parent, metrics }: SubscriberDeps<H>,
  options: SubscriberOptions,
): Subscriber<H> {
  const { topic: topicName, maxMessageBytes = 5 * 1024 * 1024 } = options
  const logger = parent.child({ component: 'gossip', kind: kind.name })
  const waiting = createWaiting({
    perSender: options.perSender ?? 64,
    messages: options.maxMessages ?? 1024,
    bytes: options.maxBytes ?? 16 * 1024 * 1024,
  })
  // By digest of the whole message: an item's hash need not cover its signature.
  const good = new LruCache<string, true>(REMEMBERED)
  const judging = new Set<Promise<unknown>>()
  const serial = createSerial()
  const verifierSet = deferred<GossipVerifier<H>>()
  let hasVerifier = false
  let joined: { readonly topic: GossipTopic; readonly stopping: AbortController } | undefined

  function read(message: GossipMessage): H {
    const { data } = message
    if (data.length > maxMessageBytes) {
      throw new EvolveError(
        'MESSAGE_TOO_LARGE',
        `expected at most ${maxMessageBytes} bytes, got ${data.length}`,
        { verdict: 'reject' },
      )
    }
    try {
      return kind.decode(data)
    } catch (error) {
      if (isEvolveError(error)) throw error
      throw new EvolveError('DECODE_FAILED', 'the message is no item', { verdict: 'reject', cause: error })
    }
  }

  function rejectTooEarly(item: H): void {
    try {
      checkTime(kind, item, env.now())
    } catch (error) {
      // What is from the near future is the verifier's to keep.
      if (verdictOf(error, 'reject') !== 'ignore') throw error
    }
  }

  async function judge(message: GossipMessage, signal: AbortSignal): Promise<Judgement> {
    const digest = toHex(sha256(message.data))
    if (good.has(digest)) {
      return { verdict: 'ignore', error: new EvolveError('KNOWN_HEADER', 'the message was here before') }
    }
    let leave: (() => void) | undefined
    try {
      const item = read(message)
      kind.validate(item)
      rejectTooEarly(item)
      leave = waiting.enter(message.sender, message.data.length)
      if (leave === undefined) {
        throw new EvolveError('TOO_MANY_MESSAGES', 'no place for another message', { verdict: 'ignore' })
      }
      const verifier = await abortable(verifierSet.promise, signal)
      await verifier(item, { from: message.sender, signal })
      good.set(digest, true)
      return { verdict: 'accept' }
    } catch (error) {
      if (isEvolveError(error, 'KNOWN_HEADER')) good.set(digest, true)
      // What carries no verdict is a fault of ours.
      const verdict = verdictOf(error, 'ignore') === 'reject' ? 'reject' : 'ignore'
      return { verdict, error }
    } finally {
      leave?.()
    }
  }

  function report(message: GossipMessage, { verdict, error }: Judgement, signal: AbortSignal): void {
    metrics.count('header_gossip_messages_total', 1, { kind: kind.name, verdict })
    metrics.count('header_gossip_bytes_total', message.data.length, { kind: kind.name })
    if (error === undefined || signal.aborted) return
    const fields = { verdict, sender: message.sender, error }
    const given = error instanceof EvolveError ? error.verdict : undefined
    if (given === 'halt') logger.error('a gossiped item contradicts what is believed', fields)
    else if (given === undefined && !isEvolveError(error, 'KNOWN_HEADER')) {
      logger.warn('judging a gossiped item failed', fields)
    } else logger.debug('a gossiped item was not let in', fields)
  }

  async function validate(message: GossipMessage, signal: AbortSignal): Promise<GossipVerdict> {
    const judgement = judge(message, signal)
    judging.add(judgement)
    try {
      const judged = await judgement
      report(message, judged, signal)
      return judged.verdict
    } finally {
      judging.delete(judgement)
    }
  }

  return {
    async start() {
      await serial.run(async () => {
        if (joined !== undefined) return
        const stopping = new AbortController()
        const topic = await network.join(
          topicName,
          async (message) => await validate(message, stopping.signal),
        )
        joined = { topic, stopping }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (joined === undefined) return
        const { topic, stopping } = joined
        joined = undefined
        try {
          await topic.leave()
        } finally {
          stopping.abort(new EvolveError('SUBSCRIBER_STOPPED', `left ${topicName}`, { verdict: 'ignore' }))
          await Promise.allSettled(judging)
        }
      })
    },
    setVerifier(verifier) {
      if (hasVerifier) throw new EvolveError('VERIFIER_SET', `${topicName} has a verifier already`)
      hasVerifier = true
      verifierSet.resolve(verifier)
    },
    async broadcast(item) {
      const data = kind.encode(item)
      try {
        if (joined === undefined) throw new EvolveError('SUBSCRIBER_STOPPED', `${topicName} is not joined`)
        good.set(toHex(sha256(data)), true)
        const peers = await joined.topic.publish(data)
        metrics.count('header_gossip_sent_total', 1, { kind: kind.name })
        logger.debug('sent an item', { height: kind.height(item), peers })
      } catch (cause) {
        throw new EvolveError('BROADCAST_FAILED', `item ${kind.height(item)} could not be sent`, {
          data: { height: kind.height(item) },
          verdict: 'retry',
          cause,
        })
      }
    },
  }
}
