import type { GossipsubMessage } from '@libp2p/gossipsub'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { GossipMessage, GossipTopic, GossipVerdict, PeerId } from '../core/network.ts'
import { EvolveError } from '../util/errors.ts'
import { MAX_MESSAGE_BYTES, type OpenGossipSub } from './gossip-service.ts'

/** Messages under judgement at once: in all, and of one sender. What comes on top is ignored. */
const MAX_JUDGED = { messages: 1024, bytes: 128 * 1024 * 1024 }
const MAX_JUDGED_OF_SENDER = { messages: 256, bytes: 32 * 1024 * 1024 }

interface Load {
  messages: number
  bytes: number
}

type Validator = (message: GossipMessage) => Promise<GossipVerdict>

/** The joined topics. */
export interface Gossip {
  /** See `Network.join`. Throws `TOPIC_JOINED` and `TOPIC_NOT_ALLOWED`. */
  join(topic: string, validate: Validator): GossipTopic
  /** Stops taking messages. */
  close(): void
}

function fits(load: Load | undefined, size: number, limit: Load): boolean {
  return load === undefined || (load.messages < limit.messages && load.bytes + size <= limit.bytes)
}

/** Makes a {@link Gossip} over a started service; `topics` are all that may be joined. */
export function createGossip(
  {
    service,
    logger,
    metrics,
  }: {
    readonly service: OpenGossipSub
    readonly logger: Logger
    readonly metrics: Metrics
  },
  topics: readonly string[],
): Gossip {
  const validators = new Map<string, Validator>()
  const total: Load = { messages: 0, bytes: 0 }
  const bySender = new Map<PeerId, Load>()

  async function judge(message: GossipMessage, topic: string): Promise<GossipVerdict> {
    const validate = validators.get(topic)
    const size = message.data.length
    if (validate === undefined) return 'ignore'
    if (size > MAX_MESSAGE_BYTES) return 'reject'
    const own = bySender.get(message.sender) ?? { messages: 0, bytes: 0 }
    if (!fits(total, size, MAX_JUDGED) || !fits(own, size, MAX_JUDGED_OF_SENDER)) return 'ignore'
    bySender.set(message.sender, own)
    for (const load of [total, own]) {
      load.messages++
      load.bytes += size
    }
    try {
      return await validate(message)
    } catch (error) {
      logger.error('gossip validator failed', { topic, sender: message.sender, error })
      return 'ignore'
    } finally {
      for (const load of [total, own]) {
        load.messages--
        load.bytes -= size
      }
      if (own.messages === 0) bySender.delete(message.sender)
    }
  }

  async function take({ msg, msgId, propagationSource }: GossipsubMessage): Promise<void> {
    if (msg.type !== 'signed') return
    const sender = propagationSource.toString()
    // A copy, for whoever keeps it would keep all that was read from the socket with it.
    const data = new Uint8Array(msg.data)
    metrics.count('p2p_message_receive_bytes_total', data.length, { message_type: msg.topic })
    try {
      const verdict = await judge({ data, from: msg.from.toString(), sender }, msg.topic)
      metrics.count('p2p_gossip_messages_total', 1, { verdict })
      service.reportMessageValidationResult(msgId, sender, verdict)
    } catch (error) {
      logger.error('gossip message not reported', { sender, error })
    }
  }
  const onMessage = ({ detail }: CustomEvent<GossipsubMessage>): void => void take(detail)
  service.addEventListener('gossipsub:message', onMessage)

  async function publish(topic: string, data: Uint8Array): Promise<number> {
    if (data.length > MAX_MESSAGE_BYTES) {
      throw new EvolveError(
        'MESSAGE_TOO_LARGE',
        `a gossip message may have ${MAX_MESSAGE_BYTES} bytes, this one has ${data.length}`,
        { data: { topic } },
      )
    }
    const { recipients } = await service.publish(topic, data)
    metrics.count('p2p_message_send_bytes_total', data.length * recipients.length, { message_type: topic })
    return recipients.length
  }

  return {
    join(topic, validate) {
      if (!topics.includes(topic)) {
        throw new EvolveError('TOPIC_NOT_ALLOWED', `${topic} is not among the topics of this host`)
      }
      if (validators.has(topic)) throw new EvolveError('TOPIC_JOINED', `${topic} is joined already`)
      validators.set(topic, validate)
      service.subscribe(topic)
      return {
        publish: async (data) => await publish(topic, data),
        async leave() {
          if (validators.get(topic) !== validate) return
          validators.delete(topic)
          if (service.getTopics().includes(topic)) service.unsubscribe(topic)
        },
      }
    },
    close() {
      service.removeEventListener('gossipsub:message', onMessage)
      validators.clear()
    },
  }
}
