import type { Env } from '../../core/env.ts'
import type { Exchange, ExchangeOptions, FetchedRange, ItemKind } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Network, PeerId } from '../../core/network.ts'
import { linkSignals } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'
import { findHead } from './head.ts'
import { CLIENT_LIMITS, type ClientLimits } from './limits.ts'
import { PeerTracker } from './peer-tracker.ts'
import { RangeSession } from './session.ts'
import { askFirst } from './single.ts'

/** Parts of an {@link Exchange}. */
export interface ExchangeDeps<H> {
  readonly network: Network
  readonly kind: ItemKind<H>
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Peers asked first for single items and the head. Where none of them is connected, others are. */
  readonly trusted?: () => readonly PeerId[]
  /** Throws unless an item is proven: only proven items are taken for the peers' head. */
  readonly check?: (item: H, options: { readonly signal: AbortSignal }) => Promise<void>
}

/** Options of an {@link Exchange}; limits that are left out are those of {@link CLIENT_LIMITS}. */
export interface ExchangeClientOptions extends Partial<ClientLimits> {
  /** Protocol id, as `exchangeProtocol` of types/names gives it. */
  readonly protocol: string
  /** Items of another chain are refused; letter case counts. */
  readonly chainId: string
}

function closed(): EvolveError {
  return new EvolveError('EXCHANGE_CLOSED', 'exchange is not running', { verdict: 'retry' })
}

/**
 * Makes an {@link Exchange} over the request/response protocol. Heads and single items are validated by
 * `kind.validate`; items of a range are decoded and have the right chain and height, and whoever takes them
 * validates them, and blames the piece they came in if they are wrong.
 * Source: go-header v0.8.6 p2p/exchange.go.
 */
export function createExchange<H>(deps: ExchangeDeps<H>, options: ExchangeClientOptions): Exchange<H> {
  const { network, kind, env, metrics } = deps
  const { protocol, chainId } = options
  const limits: ClientLimits = { ...CLIENT_LIMITS, ...options }
  const logger = deps.logger.child({ component: 'exchange' })
  const tracker = new PeerTracker({ network, env, logger, metrics }, { protocol, limits })
  const parts = { network, kind, env, tracker, trusted: deps.trusted ?? (() => []), check: deps.check }
  let running:
    | {
        readonly stopping: AbortController
        readonly calls: Set<Promise<unknown>>
        readonly sessions: Set<RangeSession<H>>
      }
    | undefined

  /** Runs a call that ends when the caller's signal aborts or the exchange stops. */
  async function call<T>(outer: AbortSignal, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    if (running === undefined) throw closed()
    const { stopping, calls } = running
    const over = linkSignals(stopping.signal, outer)
    const result = task(over.signal)
    calls.add(result)
    try {
      return await result
    } finally {
      calls.delete(result)
      over.release()
    }
  }

  async function* range(from: number, to: number, outer: AbortSignal): AsyncGenerator<FetchedRange<H>> {
    if (running === undefined) throw closed()
    checkHeight(from)
    if (from >= to) return
    checkHeight(to)
    const { stopping, sessions } = running
    const over = linkSignals(stopping.signal, outer)
    const session = new RangeSession(parts, { from, to }, { protocol, chainId, limits, signal: over.signal })
    sessions.add(session)
    try {
      for (;;) {
        const piece = await session.next()
        if (piece === undefined) return
        yield piece
      }
    } finally {
      over.release()
      await session.close()
      sessions.delete(session)
    }
  }

  return {
    async start() {
      if (running !== undefined) return
      running = { stopping: new AbortController(), calls: new Set(), sessions: new Set() }
      tracker.start()
    },
    async stop() {
      if (running === undefined) return
      const { stopping, calls, sessions } = running
      running = undefined
      stopping.abort(closed())
      await Promise.allSettled([...calls, ...[...sessions].map(async (session) => await session.close())])
      tracker.stop()
    },
    head: async ({ signal }: ExchangeOptions) =>
      await call(
        signal,
        async (inner) => await findHead(parts, { protocol, chainId, limits, signal: inner }),
      ),
    get: async (hash, { signal }) =>
      await call(
        signal,
        async (inner) =>
          await askFirst(parts, { type: 'hash', hash }, { protocol, chainId, limits, signal: inner }),
      ),
    async at(height, { signal }) {
      checkHeight(height)
      return await call(
        signal,
        async (inner) =>
          await askFirst(
            parts,
            { type: 'range', from: height, amount: 1 },
            { protocol, chainId, limits, signal: inner },
          ),
      )
    },
    range: (from, to, { signal }) => range(from, to, signal),
  }
}

function checkHeight(height: number): void {
  if (Number.isSafeInteger(height) && height >= 1) return
  throw new EvolveError('INVALID_HEIGHT', `a height is a whole number from 1 on, got ${height}`)
}
