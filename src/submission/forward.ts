import { type Env, withTimeout } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { Network, PeerId } from '../core/network.ts'
import type { PeerConnection } from '../core/node-view.ts'
import { abortable, type Deferred, deferred } from '../util/async.ts'
import { concatBytes } from '../util/bytes.ts'
import { describeError, EvolveError } from '../util/errors.ts'
import { decodeSubmitAnswer, encodeSubmitRequest, type SubmitAnswer, SubmitCode } from './codec.ts'
import type { SubmissionLimits } from './limits.ts'
import { noAggregator, noRoom, txRefused } from './outcome.ts'
import { createPeerMemory } from './peer-memory.ts'

/** What a {@link Forwarder} needs. */
export interface ForwarderDeps {
  readonly network: Network
  /** Open connections, with the protocols that peers say they speak. */
  readonly connections: () => readonly Pick<PeerConnection, 'peer' | 'protocols'>[]
  readonly env: Env
  readonly logger: Logger
}

/** How one transaction is passed on. */
export interface ForwardOptions {
  /** Connections it will have travelled over when the next node has it. */
  readonly hops: number
  /** Who passed it to us, and is not asked. */
  readonly from: PeerId | undefined
  /** Milliseconds for one peer. */
  readonly attempt: number
  readonly signal: AbortSignal
}

/** Passes transactions on to peers. */
export interface Forwarder {
  /**
   * Asks one peer after another until one has taken it, and gives the connections between us and the aggregator. Rejects
   * with `TX_REFUSED` as soon as one that the operator named says so, or two others, or one when nobody else took it; with `TX_NO_ROOM`, `NO_AGGREGATOR`, or the signal's reason.
   */
  forward(tx: Uint8Array, options: ForwardOptions): Promise<number>
}

/** So many strangers must say that a transaction is refused before the rest is not asked. */
const STRANGERS = 2

/** Failures that a message names. */
const NAMED_FAILURES = 3

/** Makes a {@link Forwarder}. */
export function createForwarder(
  deps: ForwarderDeps,
  { protocol, limits }: { readonly protocol: string; readonly limits: SubmissionLimits },
): Forwarder {
  const { network, connections, env, logger } = deps
  const memory = createPeerMemory({ env, isConfigured: (peer) => network.isConfigured(peer) }, limits)
  const busy = new Map<PeerId, { active: number; readonly line: Set<Deferred<void>> }>()

  /** Waits until a peer can be asked; a peer has no more requests at once than it answers. */
  async function enter(peer: PeerId, signal: AbortSignal): Promise<void> {
    const gate = busy.get(peer) ?? { active: 0, line: new Set() }
    busy.set(peer, gate)
    if (gate.active < limits.requestsPerPeer) {
      gate.active++
      return
    }
    const place = deferred<void>()
    gate.line.add(place)
    try {
      await abortable(place.promise, signal)
    } catch (error) {
      // Out of the line already: the place was given to us, and goes to the next.
      if (!gate.line.delete(place)) leave(peer)
      throw error
    }
  }

  function leave(peer: PeerId): void {
    const gate = busy.get(peer)
    if (gate === undefined) return
    for (const next of gate.line) {
      gate.line.delete(next)
      next.resolve()
      return
    }
    gate.active--
    if (gate.active === 0) busy.delete(peer)
  }

  async function ask(peer: PeerId, request: Uint8Array, signal: AbortSignal): Promise<SubmitAnswer> {
    const pieces: Uint8Array[] = []
    let length = 0
    await network.request(peer, protocol, request, {
      signal,
      onData(piece) {
        length += piece.length
        if (length > limits.maxAnswerBytes) {
          throw new EvolveError(
            'ANSWER_TOO_BIG',
            `an answer has at most ${limits.maxAnswerBytes} bytes, got ${length}`,
            { verdict: 'reject' },
          )
        }
        pieces.push(piece.slice())
      },
    })
    return decodeSubmitAnswer(concatBytes(...pieces))
  }

  /** What a peer answers; undefined when it does not, which is then remembered. */
  async function attempt(
    peer: PeerId,
    request: Uint8Array,
    options: ForwardOptions,
  ): Promise<SubmitAnswer | EvolveError> {
    await enter(peer, options.signal)
    try {
      const what = `passing a transaction on to ${peer}`
      return await withTimeout(env, options.attempt, options.signal, what, async (signal) =>
        ask(peer, request, signal),
      )
    } catch (error) {
      options.signal.throwIfAborted()
      memory.failed(peer)
      logger.debug('a transaction was not passed on', { peer, error })
      return noAggregator(describeError(error), error)
    } finally {
      leave(peer)
    }
  }

  /** Peers that speak the protocol, in the order to ask them. */
  function peersToAsk(from: PeerId | undefined): PeerId[] {
    const all = connections()
    const speakers = new Set(
      all.filter(({ protocols }) => protocols.includes(protocol)).map(({ peer }) => peer),
    )
    if (from !== undefined) speakers.delete(from)
    if (speakers.size > 0) return memory.order([...speakers])
    const others = new Set(all.map(({ peer }) => peer))
    if (from !== undefined) others.delete(from)
    throw noAggregator(
      others.size === 0
        ? 'no peer is connected that could pass the transaction on to the aggregator'
        : `none of the ${others.size} connected peers passes transactions on (they do not speak ${protocol}): connect to one that does, or hand the transaction to the aggregator itself`,
    )
  }

  return {
    async forward(tx, options) {
      const request = encodeSubmitRequest({ tx, hops: options.hops })
      const failures: string[] = []
      const refusals: string[] = []
      let full: string | undefined
      for (const peer of peersToAsk(options.from)) {
        options.signal.throwIfAborted()
        const answer = await attempt(peer, request, options)
        if (answer instanceof EvolveError) {
          failures.push(`${peer}: ${answer.message}`)
          continue
        }
        const { code, message, distance } = answer
        if (code === SubmitCode.taken) {
          const near = Math.min(distance, limits.maxHops)
          memory.took(peer, near)
          return near + 1
        }
        const said = `${peer} says: ${message === '' ? 'no reason' : message}`
        if (code === SubmitCode.refused) {
          refusals.push(said)
          if (network.isConfigured(peer) || refusals.length >= STRANGERS) throw txRefused(said)
        }
        if (code === SubmitCode.noRoom) full ??= said
        failures.push(said)
      }
      if (full !== undefined) throw noRoom(full)
      const [refusal] = refusals
      if (refusal !== undefined) throw txRefused(refusal)
      const named = failures.slice(0, NAMED_FAILURES).join('; ')
      throw noAggregator(`no peer has brought the transaction to the aggregator. ${named}`)
    },
  }
}
