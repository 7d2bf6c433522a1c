import { sha256Name } from '#crypto'
import { withTimeout } from '../core/env.ts'
import type { Service } from '../core/lifecycle.ts'
import type { Metrics } from '../core/metrics.ts'
import type { PeerId, RequestContext } from '../core/network.ts'
import { createSerial, linkSignals } from '../util/async.ts'
import { EvolveError } from '../util/errors.ts'
import { decodeSubmitRequest, encodeSubmitAnswer, type SubmitAnswer, SubmitCode } from './codec.ts'
import { createForwarder, type ForwarderDeps } from './forward.ts'
import { REQUEST_OVERHEAD, SUBMISSION_LIMITS, type SubmissionLimits } from './limits.ts'
import { answerOf, asSubmitError, noAggregator, noRoom, txRefused } from './outcome.ts'
import { createPeerRates } from './peer-rates.ts'

/** Counter: transactions handed to this node, by `from` (`here`, `peer`) and `outcome`. */
export const SUBMISSIONS_METRIC = 'transactions_submitted_total'

/** What a {@link Submission} needs. */
export interface SubmissionDeps extends ForwarderDeps {
  /** Takes a transaction for the blocks that this node makes; undefined on nodes that make none. */
  readonly local?: (tx: Uint8Array, options: { readonly signal: AbortSignal }) => Promise<void>
  readonly metrics: Metrics
}

/** Options of {@link createSubmission}; limits that are left out are those of {@link SUBMISSION_LIMITS}. */
export interface SubmissionOptions extends Partial<SubmissionLimits> {
  /** Protocol id, as `submissionProtocol` of types/names gives it. */
  readonly protocol: string
  /** Whether transactions are taken, from users and from peers. */
  readonly take: boolean
}

/** Takes transactions from users and peers, and brings them to the aggregator. */
export interface Submission extends Service {
  /** As `NodeView.submit`. */
  submit(tx: Uint8Array, options: { readonly signal: AbortSignal }): Promise<void>
}

/** Where a transaction comes from. */
interface Origin {
  /** The peer that passed it on; undefined for one that was handed to this node. */
  readonly from: PeerId | undefined
  /** Connections it has travelled over. */
  readonly hops: number
}

/** Makes a {@link Submission}. Its network must be started before it, and stopped after it. */
export function createSubmission(deps: SubmissionDeps, options: SubmissionOptions): Submission {
  const { network, local, env, metrics } = deps
  const { protocol, take } = options
  const limits: SubmissionLimits = { ...SUBMISSION_LIMITS, ...options }
  const logger = deps.logger.child({ component: 'submission' })
  const serial = createSerial()
  const forwarder = createForwarder({ ...deps, logger }, { protocol, limits })
  const rates = createPeerRates(env, (peer) => network.isConfigured(peer), limits)
  /** Names of transactions that are being passed on, and by how many. */
  const passing = new Map<string, number>()
  let own = 0
  let peers = 0
  let run: { readonly stopping: AbortController; readonly remove: () => Promise<void> } | undefined

  async function passOn(tx: Uint8Array, { from, hops }: Origin, signal: AbortSignal): Promise<number> {
    if (hops >= limits.maxHops) {
      throw noAggregator(
        `this node makes no blocks, and the transaction came over ${hops} connections already`,
      )
    }
    const name = sha256Name(tx)
    const others = passing.get(name) ?? 0
    // Two nodes that hand it to each other would wait for each other.
    if (others > 0 && from !== undefined) throw noAggregator('the transaction is on its way here already')
    passing.set(name, others + 1)
    try {
      const attempt = from === undefined ? limits.ownAttempt : limits.passedAttempt
      return await forwarder.forward(tx, { hops: hops + 1, from, attempt, signal })
    } finally {
      const left = (passing.get(name) ?? 1) - 1
      if (left === 0) passing.delete(name)
      else passing.set(name, left)
    }
  }

  /** Brings a transaction to the aggregator; gives the connections between. */
  async function bring(tx: Uint8Array, origin: Origin, signal: AbortSignal): Promise<number> {
    if (tx.length === 0) throw txRefused('a transaction has at least one byte, got none')
    if (tx.length > limits.maxTxBytes) {
      throw txRefused(`a transaction has at most ${limits.maxTxBytes} bytes, got ${tx.length}`)
    }
    const ms = origin.from === undefined ? limits.ownTimeout : limits.passedTimeout
    return await withTimeout(env, ms, signal, 'bringing a transaction to the aggregator', async (inTime) => {
      if (local === undefined) return await passOn(tx, origin, inTime)
      await local(tx, { signal: inTime })
      return 0
    })
  }

  function count(from: 'here' | 'peer', outcome: string): void {
    metrics.count(SUBMISSIONS_METRIC, 1, { from, outcome })
  }

  async function answerTo(bytes: Uint8Array, peer: PeerId, signal: AbortSignal): Promise<SubmitAnswer> {
    const inTime = rates.take(peer, bytes.length)
    const { tx, hops } = decodeSubmitRequest(bytes)
    if (!inTime) return answerOf(noRoom('you pass on more transactions than one peer may; wait a little'))
    if (peers >= limits.peersUnderWay) {
      return answerOf(noRoom(`${peers} transactions of peers are under way here, no more are taken`))
    }
    peers++
    try {
      const distance = await bring(tx, { from: peer, hops }, signal)
      count('peer', 'taken')
      return { code: SubmitCode.taken, message: '', distance }
    } catch (error) {
      signal.throwIfAborted()
      count('peer', asSubmitError(error).code)
      return answerOf(error)
    } finally {
      peers--
    }
  }

  async function* serve(bytes: Uint8Array, { peer, signal }: RequestContext): AsyncGenerator<Uint8Array> {
    yield encodeSubmitAnswer(await answerTo(bytes, peer, signal))
  }

  return {
    async submit(tx, { signal }) {
      signal.throwIfAborted()
      if (!take) {
        throw new EvolveError(
          'TX_NOT_ACCEPTED',
          'this node takes no transactions (rpc.take_transactions is false)',
        )
      }
      if (run === undefined) throw noAggregator('this node does not run')
      if (own >= limits.ownUnderWay) throw noRoom(`${own} transactions are under way here, no more are taken`)
      own++
      const linked = linkSignals(signal, run.stopping.signal)
      try {
        await bring(tx, { from: undefined, hops: 0 }, linked.signal)
        count('here', 'taken')
      } catch (error) {
        signal.throwIfAborted()
        const failure = asSubmitError(error)
        count('here', failure.code)
        throw failure
      } finally {
        linked.release()
        own--
      }
    },
    async start({ signal } = {}) {
      await serial.run(async () => {
        if (run !== undefined) return
        signal?.throwIfAborted()
        const remove = take
          ? await network.serve(
              protocol,
              {
                maxRequestBytes: limits.maxTxBytes + REQUEST_OVERHEAD,
                readTimeout: limits.streamTimeout,
                writeTimeout: limits.streamTimeout,
                maxStreamsPerPeer: limits.streamsPerPeer,
              },
              serve,
            )
          : async (): Promise<void> => {}
        run = { stopping: new AbortController(), remove }
      })
    },
    async stop() {
      await serial.run(async () => {
        if (run === undefined) return
        const { stopping, remove } = run
        run = undefined
        stopping.abort(noAggregator('this node stops'))
        await remove()
      })
    },
  }
}
