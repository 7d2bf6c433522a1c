import { type Env, sleep, withTimeout } from '../../core/env.ts'
import type { HeaderStore, ItemKind } from '../../core/header.ts'
import type { Service } from '../../core/lifecycle.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Network, PeerId, RequestContext } from '../../core/network.ts'
import { createSerial, linkSignals } from '../../util/async.ts'
import { EMPTY_BYTES } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { decodeRequest, encodeResponseFrames, type HeaderRequest, ResponseStatus } from './codec.ts'
import { createFairSlots } from './fair-slots.ts'
import { MAX_REQUEST_ITEMS, SERVER_LIMITS, type ServerLimits } from './limits.ts'
import { createThrottle } from './throttle.ts'

/** Parts of an exchange server. */
export interface ExchangeServerDeps<H> {
  readonly network: Network
  readonly store: HeaderStore<H>
  readonly kind: Pick<ItemKind<H>, 'height'>
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Options of an exchange server; limits that are left out are those of {@link SERVER_LIMITS}. */
export interface ExchangeServerOptions extends Partial<ServerLimits> {
  /** Protocol id, as `exchangeProtocol` of types/names gives it. */
  readonly protocol: string
}

/** Heights asked for: from `from` up to and without `to`. */
interface Asked {
  readonly from: number
  readonly to: number
}

const NOTHING: Asked = { from: 0, to: 0 }

/** What a request costs its peer at least, in items: looking up what is not there is work too. */
const LEAST_ITEMS = 4
const HASH_BYTES = 32

function refused(what: string): EvolveError {
  return new EvolveError('REQUEST_REFUSED', what, { verdict: 'reject' })
}

/** Throws for what no honest peer asks. */
function refuseNonsense({ origin, amount }: HeaderRequest): void {
  if (origin === undefined) return
  if (amount === 0n) throw refused('a request for no items')
  if (origin + amount >= 1n << 64n) throw refused(`heights ${origin} + ${amount} overflow 64 bits`)
  if (origin > 0n && amount > BigInt(MAX_REQUEST_ITEMS)) {
    throw refused(`${amount} items asked for, the most is ${MAX_REQUEST_ITEMS}`)
  }
}

/** The heights of a request, cut to what the store has. The head is one item, whatever amount was asked for. */
function heightsOf(origin: bigint, amount: bigint, store: HeaderStore<unknown>): Asked {
  const { height, tailHeight } = store
  if (origin === 0n) return height === 0 ? NOTHING : { from: height, to: height + 1 }
  if (origin > BigInt(height) || origin < BigInt(tailHeight)) return NOTHING
  const from = Number(origin)
  return { from, to: Math.min(from + Number(amount), height + 1) }
}

/** Frames of `bodies` in pieces of about `pieceBytes`: small ones together, large ones cut. */
function* piecesOf(bodies: readonly Uint8Array[], pieceBytes: number): Generator<Uint8Array> {
  for (let first = 0; first < bodies.length; ) {
    let end = first
    for (let bytes = 0; end < bodies.length && bytes < pieceBytes; end++) bytes += bodies[end]?.length ?? 0
    const frames = encodeResponseFrames(bodies.slice(first, end), ResponseStatus.Ok)
    for (let at = 0; at < frames.length; at += pieceBytes) yield frames.subarray(at, at + pieceBytes)
    first = end
  }
}

/**
 * Answers peers' requests from a store, with the bytes as they lie there.
 *
 * Reset is only for requests that no honest peer sends, for a peer far over its rate, and for a store that fails:
 * whoever asks for what is not here hears NOT_FOUND at once, also while the store is empty, because a peer that is
 * reset is left alone by those who ask, and one that says NOT_FOUND is asked again.
 * Source: go-header v0.8.6 p2p/server.go.
 */
export function createExchangeServer<H>(
  deps: ExchangeServerDeps<H>,
  options: ExchangeServerOptions,
): Service {
  const { network, store, kind, env, metrics } = deps
  const { protocol } = options
  const limits: ServerLimits = { ...SERVER_LIMITS, ...options }
  const logger = deps.logger.child({ component: 'exchange-server' })
  const serial = createSerial()
  const isConfigured = (peer: PeerId): boolean => network.isConfigured(peer)
  const slots = createFairSlots({
    perPeer: limits.activePerPeer,
    total: limits.active,
    reserved: limits.activeConfigured,
    isConfigured,
  })
  const throttle = createThrottle(env, isConfigured, {
    peer: limits.peerRate,
    total: limits.totalRate,
    misses: limits.missRate,
  })
  let remove: (() => Promise<void>) | undefined

  const count = (outcome: string): void =>
    metrics.count('header_exchange_requests_served_total', 1, { protocol, outcome })

  async function heightsFor(request: HeaderRequest, signal: AbortSignal): Promise<Asked> {
    if (request.hash === undefined) return heightsOf(request.origin, request.amount, store)
    const { hash } = request
    if (hash.length !== HASH_BYTES) return NOTHING
    const item = await inTime(signal, async () => await store.get(hash))
    if (item === undefined) return NOTHING
    const height = kind.height(item)
    return { from: height, to: height + 1 }
  }

  async function inTime<T>(signal: AbortSignal, read: () => Promise<T>): Promise<T> {
    return await withTimeout(env, limits.storeTimeout, signal, 'reading the store', read)
  }

  /** The next items, or none when they are not there or the store takes too long. */
  async function readBytes(asked: Asked, maxBytes: number, signal: AbortSignal): Promise<Uint8Array[]> {
    try {
      return await inTime(signal, async () => await store.rangeBytes(asked.from, asked.to, { maxBytes }))
    } catch (error) {
      if (signal.aborted || !isEvolveError(error, 'TIMEOUT')) throw error
      logger.warn('store is slow, answering NOT_FOUND', { ...asked, error })
      return []
    }
  }

  async function heldBack(
    peer: PeerId,
    load: { readonly items: number; readonly bytes: number },
    signal: AbortSignal,
  ): Promise<void> {
    const wait = throttle.wait(peer, load)
    if (wait > limits.maxThrottle) {
      throw new EvolveError('RATE_LIMITED', `peer is ${wait} ms over its rate`, { verdict: 'retry' })
    }
    throttle.take(peer, load)
    if (wait > 0) await sleep(env, wait, signal)
  }

  async function* answer(
    request: HeaderRequest,
    peer: PeerId,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const asked = await heightsFor(request, signal)
    await heldBack(peer, { items: Math.max(asked.to - asked.from, LEAST_ITEMS), bytes: 0 }, signal)
    let { from } = asked
    let sent = 0
    while (from < asked.to && sent < limits.maxAnswerBytes) {
      const bodies = await readBytes({ from, to: asked.to }, limits.readBytes, signal)
      if (bodies.length === 0) break
      const bytes = bodies.reduce((sum, body) => sum + body.length, 0)
      await heldBack(peer, { items: 0, bytes }, signal)
      for (const piece of piecesOf(bodies, limits.pieceBytes)) {
        signal.throwIfAborted()
        yield piece
      }
      from += bodies.length
      sent += bytes
    }
    const items = from - asked.from
    if (items > 0) metrics.count('header_exchange_items_served_total', items, { protocol })
    else yield await notFound(peer, signal)
    count(items > 0 ? 'ok' : 'not_found')
  }

  /** Who asks again and again for what is not here hears so more slowly. */
  async function notFound(peer: PeerId, signal: AbortSignal): Promise<Uint8Array> {
    const wait = throttle.miss(peer)
    if (wait > 0) await sleep(env, Math.min(wait, limits.maxThrottle), signal)
    return encodeResponseFrames([EMPTY_BYTES], ResponseStatus.NotFound)
  }

  async function* serve(bytes: Uint8Array, context: RequestContext): AsyncGenerator<Uint8Array> {
    const { peer } = context
    const over = linkSignals(context.signal)
    const cancel = env.timer(limits.answerTimeout, () =>
      over.abort(new EvolveError('TIMEOUT', `answer took longer than ${limits.answerTimeout} ms`)),
    )
    let release: (() => void) | undefined
    try {
      const request = decodeRequest(bytes)
      refuseNonsense(request)
      release = await slots.acquire(peer, { signal: over.signal })
      yield* answer(request, peer, over.signal)
    } catch (error) {
      count(isEvolveError(error, 'RATE_LIMITED') ? 'rate_limited' : 'reset')
      logger.debug('request reset', { peer, error })
      throw error
    } finally {
      release?.()
      cancel()
      over.release()
    }
  }

  return {
    async start() {
      await serial.run(async () => {
        remove ??= await network.serve(protocol, limits, serve)
      })
    },
    async stop() {
      await serial.run(async () => {
        const stop = remove
        remove = undefined
        await stop?.()
      })
    },
  }
}
