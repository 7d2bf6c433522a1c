/*
 * Who hears of new blocks.
 */
import { toHex } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { blobEventJson, headerJson } from './answers.ts'
import type { LocalBlock } from './block.ts'

/** What is subscribed to: every header, or every height with the blobs of a namespace. */
export type Topic = { readonly kind: 'headers' } | { readonly kind: 'blobs'; readonly namespace: Uint8Array }

/** Subscribers to new blocks. */
export interface Subscriptions {
  /**
   * Calls `take` with the JSON of each block from now on. Returns what ends it, which is safe to call twice.
   * Throws `LOCAL_DA_BUSY` when there are too many.
   */
  add(topic: Topic, take: (json: string) => void): () => void
  /** Tells all subscribers. */
  publish(block: LocalBlock): void
  readonly size: number
}

/** Makes {@link Subscriptions}, at most `most` of them. */
export function createSubscriptions(most: number): Subscriptions {
  const subscribers = new Set<{ readonly topic: Topic; readonly take: (json: string) => void }>()
  return {
    add(topic, take) {
      if (subscribers.size >= most) {
        throw new EvolveError('LOCAL_DA_BUSY', `too many subscriptions: at most ${most}`, {
          verdict: 'retry',
        })
      }
      const own = { topic, take }
      subscribers.add(own)
      return () => void subscribers.delete(own)
    },
    publish(block) {
      // Large blobs are put into JSON once, however many want them.
      const texts = new Map<string, string>()
      for (const { topic, take } of subscribers) {
        const name = topic.kind === 'headers' ? '' : toHex(topic.namespace)
        let text = texts.get(name)
        if (text === undefined) {
          text = JSON.stringify(
            topic.kind === 'headers' ? headerJson(block) : blobEventJson(block, topic.namespace),
          )
          texts.set(name, text)
        }
        take(text)
      }
    },
    get size() {
      return subscribers.size
    },
  }
}
