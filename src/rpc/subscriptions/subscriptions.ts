/*
 * All subscriptions of a node: how many there may be, what they are told, and their end.
 */
import { create } from '@bufbuild/protobuf'
import type { Env } from '../../core/env.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { NodeView } from '../../core/node-view.ts'
import { REQUEST_METRICS } from '../../core/request-metrics.ts'
import { headerHash } from '../../types/header.ts'
import { EvolveError } from '../../util/errors.ts'
import { createBlockReader } from '../block-reader.ts'
import {
  type SubscribeBlocksResponse,
  SubscribeBlocksResponseSchema,
  type SubscribeFinalityResponse,
  SubscribeFinalityResponseSchema,
  type SubscribeStatusResponse,
  SubscribeStatusResponseSchema,
} from '../gen/evolve/v1/chain_pb.ts'
import { dataMessage, headerMessage, statusMessage, type SummaryParts, summaryMessage } from '../messages.ts'
import { createEvent } from './event.ts'
import { createFeed, type Feed } from './feed.ts'
import { SUBSCRIPTION_LIMITS, type Subscription, type SubscriptionLimits } from './member.ts'
import { createStatusFeed } from './status-feed.ts'

/** Options of {@link createSubscriptions}. */
export interface SubscriptionsOptions {
  /** Subscriptions of all kinds that may be open at once. */
  readonly maxSubscribers: number
  readonly limits?: Partial<SubscriptionLimits>
}

/**
 * The subscriptions of a node. Opening one rejects with `TOO_MANY_SUBSCRIBERS`, `NODE_STOPPING` when it is not started,
 * `BLOCK_PRUNED` or `BLOCK_NOT_FOUND` for heights that will not come, `INVALID_REQUEST`. `from` is the first height wanted;
 * undefined for the next new one. Whoever opened one calls `close` when its subscriber has gone.
 */
export interface Subscriptions extends Service {
  blocks(options: {
    readonly from: number | undefined
    readonly full: boolean
  }): Promise<Subscription<SubscribeBlocksResponse>>
  finality(options: { readonly from: number | undefined }): Promise<Subscription<SubscribeFinalityResponse>>
  /** With at least `interval` milliseconds between two; 0 for the usual time. */
  status(options: { readonly interval: number }): Promise<Subscription<SubscribeStatusResponse>>
}

/** What {@link createSubscriptions} needs. */
export interface SubscriptionsDeps {
  readonly node: NodeView
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Milliseconds between two looks at who is silent or slow, at most. */
const TICK = 5_000

/** Bytes of a block without its transactions, about, in all its forms. */
const BLOCK_BYTES = 4_096

/** Makes {@link Subscriptions}. */
export function createSubscriptions(deps: SubscriptionsDeps, options: SubscriptionsOptions): Subscriptions {
  const { node, env, metrics } = deps
  const logger = deps.logger.child({ component: 'subscriptions' })
  const limits = { ...SUBSCRIPTION_LIMITS, ...options.limits }
  const shared = { env, logger, metrics }
  const reader = createBlockReader(node)
  const first = node.genesis.initialHeight

  const reading = new Map<number, Promise<SummaryParts>>()
  /** Both feeds of blocks want a new one at the same moment: it is read once. */
  async function whole(height: number): Promise<SummaryParts> {
    const under = reading.get(height)
    if (under !== undefined) return await under
    const begun = reader.whole(height)
    reading.set(height, begun)
    try {
      return await begun
    } finally {
      reading.delete(height)
    }
  }

  const head = async (): Promise<number> => Math.max(await reader.latest(), first - 1)
  const blockFeed = (full: boolean): Feed<SubscribeBlocksResponse> =>
    createFeed(
      shared,
      {
        kind: full ? 'whole_blocks' : 'blocks',
        batch: 16,
        head,
        async read(height) {
          const parts = await whole(height)
          const message = create(SubscribeBlocksResponseSchema, {
            summary: summaryMessage(parts),
            ...(full ? { header: headerMessage(parts.header), data: dataMessage(parts.data) } : {}),
          })
          return createEvent(SubscribeBlocksResponseSchema, message, height)
        },
        // The message shares its bytes with nobody; each form has them once more.
        size: ({ summary }) => BLOCK_BYTES + (full ? 4 * Number(summary?.txBytes ?? 0n) : 0),
      },
      limits,
    )
  const summaries = blockFeed(false)
  const wholes = blockFeed(true)
  const finals = createFeed<SubscribeFinalityResponse>(
    shared,
    {
      kind: 'finality',
      batch: 16,
      head: async () => await node.blocks.daIncludedHeight(),
      async read(height) {
        const [inclusion, header] = await Promise.all([
          node.blocks.inclusionOf(height),
          node.blocks.header(height),
        ])
        if (inclusion === undefined || header === undefined) throw reader.missing(height)
        const message = create(SubscribeFinalityResponseSchema, {
          height: BigInt(height),
          hash: headerHash(header.header),
          headerDaHeight: BigInt(inclusion.headerDaHeight),
          dataDaHeight: BigInt(inclusion.dataDaHeight),
        })
        return createEvent(SubscribeFinalityResponseSchema, message, height)
      },
      size: () => BLOCK_BYTES,
    },
    limits,
  )
  const statuses = createStatusFeed<SubscribeStatusResponse>(
    {
      ...shared,
      current: () =>
        createEvent(
          SubscribeStatusResponseSchema,
          create(SubscribeStatusResponseSchema, { status: statusMessage(node.status()) }),
          undefined,
        ),
    },
    limits,
  )
  const feeds = [summaries, wholes, finals, statuses]

  let open = 0
  let running: (() => void) | undefined

  function assertRunning(): void {
    if (running === undefined) throw stopping()
  }

  /** Takes one of the places, and gives it back when opening fails. */
  async function place<T>(task: (release: () => void) => Promise<T>): Promise<T> {
    assertRunning()
    if (open >= options.maxSubscribers) {
      metrics.count(REQUEST_METRICS.dropped, 1, { reason: 'full' })
      throw new EvolveError(
        'TOO_MANY_SUBSCRIBERS',
        `this node serves ${options.maxSubscribers} subscribers at most, and there are as many`,
      )
    }
    open++
    try {
      const result = await task(() => open--)
      // It may have been stopped meanwhile: then nobody else would end this one.
      assertRunning()
      return result
    } catch (error) {
      open--
      throw error
    }
  }

  function assertThere(from: number | undefined): void {
    if (from !== undefined && from < Math.max(first, node.status().earliestHeight)) throw reader.missing(from)
  }

  function tick(): () => void {
    return env.timer(
      Math.min(TICK, limits.heartbeat / 2, limits.stall / 2),
      () => {
        for (const feed of feeds) feed.tick()
        cancelTick = tick()
      },
      { background: true },
    )
  }
  let cancelTick = (): void => {}

  return {
    async blocks({ from, full }) {
      return await place(async (release) => {
        assertThere(from)
        return await (full ? wholes : summaries).open(from, release)
      })
    },
    async finality({ from }) {
      return await place(async (release) => {
        assertThere(from)
        return await finals.open(from, release)
      })
    },
    async status({ interval }) {
      return await place(async (release) => statuses.open(interval, release))
    },
    async start() {
      if (running !== undefined) return
      cancelTick = tick()
      const unwatch = [
        node.onBlock(() => {
          summaries.poke()
          wholes.poke()
        }),
        node.onFinal(() => finals.poke()),
      ]
      running = () => {
        cancelTick()
        for (const undo of unwatch) undo()
      }
    },
    async stop() {
      if (running === undefined) return
      running()
      running = undefined
      for (const feed of feeds) feed.end(stopping())
    },
  }
}

function stopping(): EvolveError {
  return new EvolveError('NODE_STOPPING', 'the node stops; its subscriptions end', { verdict: 'retry' })
}
