import type { Client as ConnectClient } from '@connectrpc/connect'
import type { Env } from '../../core/env.ts'
import type { ChainService, Heartbeat } from '../gen/evolve/v1/chain_pb.ts'
import { heightArgument } from './arguments.ts'
import { blockOf, finalBlockOf, numberOf, statusOf, summaryOf } from './messages.ts'
import { createSubscription, type SubscriptionSource, type Told } from './subscription.ts'
import type {
  Block,
  BlockSummary,
  CallOptions,
  FinalBlock,
  NodeStatus,
  SubscriptionOptions,
} from './types.ts'

/** Options of subscriptions that begin at a height. */
export interface FromOptions extends SubscriptionOptions {
  /** First height wanted: what is there already comes first. Default the next new one. */
  readonly from?: number
}

/** What a client is told as it comes. */
export interface Subscriptions {
  /**
   * Blocks as the node executes them: each once, in order, without a gap. When the connection is lost it goes on where
   * it was. Leave the loop, or abort the signal, to end it.
   *
   * With `full` they come whole, otherwise as summaries. Whoever does not keep up is dropped by the node and goes on
   * from there.
   *
   * @example
   * for await (const { height, txCount } of client.subscribeBlocks({ from: 1 })) console.log(height, txCount)
   */
  subscribeBlocks(options: FromOptions & { readonly full: true }): AsyncIterableIterator<Block, undefined>
  subscribeBlocks(
    options?: FromOptions & { readonly full?: false },
  ): AsyncIterableIterator<BlockSummary, undefined>
  /** Heights as they become final: each once, in order, as {@link Subscriptions.subscribeBlocks}. */
  subscribeFinality(options?: FromOptions): AsyncIterableIterator<FinalBlock, undefined>
  /**
   * The status now, and whenever it has changed, at most once in `interval` milliseconds (default 1,000; from 100 to
   * 60,000).
   */
  subscribeStatus(
    options?: SubscriptionOptions & { readonly interval?: number },
  ): AsyncIterableIterator<NodeStatus, undefined>
  /**
   * Whole blocks of a range, in order, as fast as they are taken: from height `from` (default the first that is there) to
   * `to` (default the latest now). Goes on where it was when the connection is lost.
   *
   * @example
   * for await (const { data } of client.streamBlocks({ from: 1, to: 100 })) console.log(data.txs.length)
   */
  streamBlocks(options?: FromOptions & { readonly to?: number }): AsyncIterableIterator<Block, undefined>
}

/** What the subscriptions of a client are made of. */
export interface SubscriptionsDeps {
  readonly url: string
  readonly env: Env
  readonly chain: ConnectClient<typeof ChainService>
  readonly status: (options: CallOptions) => Promise<NodeStatus>
}

function heartbeat({ nextHeight }: Heartbeat): Told<never> {
  const next = nextHeight === 0n ? undefined : numberOf(nextHeight, 'the next height')
  return { value: undefined, height: undefined, next }
}

function told<T>(value: T, height: number | undefined): Told<T> {
  return { value, height, next: undefined }
}

/** Makes the subscriptions of a client. */
export function createSubscriptions({ url, env, chain, status }: SubscriptionsDeps): Subscriptions {
  type BlockMessage = Parameters<typeof blockOf>[0] & { readonly heartbeat?: Heartbeat | undefined }

  function blockSource<T>(
    from: number | undefined,
    full: boolean,
    heightOf: (block: T) => number,
    valueOf: (message: BlockMessage) => T,
  ): SubscriptionSource<BlockMessage, T> {
    heightArgument('from', from)
    return {
      url,
      env,
      from,
      open: (next, options) => chain.subscribeBlocks({ from: heightArgument('from', next), full }, options),
      read(message) {
        if (message.summary === undefined && message.heartbeat !== undefined)
          return heartbeat(message.heartbeat)
        const block = valueOf(message)
        return told(block, heightOf(block))
      },
    }
  }

  function subscribeBlocks(
    options: FromOptions & { readonly full: true },
  ): AsyncIterableIterator<Block, undefined>
  function subscribeBlocks(
    options?: FromOptions & { readonly full?: false },
  ): AsyncIterableIterator<BlockSummary, undefined>
  function subscribeBlocks(
    options: FromOptions & { readonly full?: boolean } = {},
  ): AsyncIterableIterator<Block | BlockSummary, undefined> {
    const { from, full = false } = options
    if (!full) {
      const summary = blockSource(
        from,
        false,
        (block: BlockSummary) => block.height,
        (message) => summaryOf(message.summary),
      )
      return createSubscription(summary, options)
    }
    const whole = blockSource(from, true, ({ summary }) => summary.height, blockOf)
    return createSubscription(whole, options)
  }

  return {
    subscribeBlocks,
    subscribeFinality(options = {}) {
      const { from } = options
      heightArgument('from', from)
      return createSubscription(
        {
          url,
          env,
          from,
          open: (next, call) => chain.subscribeFinality({ from: heightArgument('from', next) }, call),
          read(message) {
            if (message.height === 0n && message.heartbeat !== undefined) return heartbeat(message.heartbeat)
            const block = finalBlockOf(message)
            return told(block, block.height)
          },
        },
        options,
      )
    },
    subscribeStatus(options = {}) {
      const { interval = 1_000 } = options
      return createSubscription(
        {
          url,
          env,
          from: undefined,
          open: (_, call) => chain.subscribeStatus({ intervalMs: interval }, call),
          read(message) {
            if (message.status === undefined && message.heartbeat !== undefined)
              return heartbeat(message.heartbeat)
            return told(statusOf(message.status), undefined)
          },
        },
        options,
      )
    },
    streamBlocks({ to, ...options } = {}) {
      heightArgument('from', options.from)
      heightArgument('to', to)
      async function* run(): AsyncGenerator<Block, undefined> {
        const { signal } = options
        const now =
          to === undefined || options.from === undefined
            ? await status(signal === undefined ? {} : { signal })
            : undefined
        const from = options.from ?? now?.earliestHeight ?? 1
        const last = to ?? now?.height ?? 0
        yield* createSubscription(
          {
            url,
            env,
            from,
            to: last,
            open: (next, call) =>
              chain.streamBlocks({ from: heightArgument('from', next), to: BigInt(last) }, call),
            read({ block }) {
              const value = blockOf(block ?? {})
              return told(value, value.summary.height)
            },
          },
          options,
        )
      }
      return run()
    },
  }
}
