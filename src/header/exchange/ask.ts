import type { Env } from '../../core/env.ts'
import type { ItemKind } from '../../core/header.ts'
import type { Network, PeerId } from '../../core/network.ts'
import { linkSignals } from '../../util/async.ts'
import { equalBytes, toHex } from '../../util/bytes.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { decodeResponse, encodeRequest, FrameReader, type HeaderRequest, ResponseStatus } from './codec.ts'
import type { ClientLimits } from './limits.ts'

/** What is asked: items from a height on, the item with a hash, or the head. */
export type Question =
  | { readonly type: 'range'; readonly from: number; readonly amount: number }
  | { readonly type: 'hash'; readonly hash: Uint8Array }
  | { readonly type: 'head' }

/**
 * How an answer ended.
 *
 * - `complete`: everything asked for is here.
 * - `short`: the peer ended it with less, or we cut it because of its size.
 * - `missing`: NOT_FOUND.
 * - `empty`: ended without a word.
 * - `failed`: reset, out of time, or ended inside a frame; what came before is good.
 * - `unreachable`: the peer took no stream.
 * - `garbage`: something came that no honest peer sends; what came before it is good.
 * - `aborted`: we gave up, for reasons of our own.
 */
export type AnswerEnd =
  | 'complete'
  | 'short'
  | 'missing'
  | 'empty'
  | 'failed'
  | 'unreachable'
  | 'garbage'
  | 'aborted'

/** What a peer answered. */
export interface Answer<H> {
  readonly end: AnswerEnd
  /** What is good of it: each item is what was asked for at its place. */
  readonly items: readonly H[]
  readonly bytes: number
  /** How long it took, milliseconds. */
  readonly ms: number
  /** The peer sent more than was asked for. */
  readonly surplus: boolean
  /** Why it ended so; undefined for `complete` and `short`. */
  readonly error: EvolveError | undefined
}

/** Parts of {@link ask}. */
export interface AskDeps<H> {
  readonly network: Network
  readonly kind: ItemKind<H>
  readonly env: Env
}

/** Options of {@link ask}. */
export interface AskOptions {
  readonly protocol: string
  /** Every item must be of this chain, to the letter. */
  readonly chainId: string
  readonly limits: ClientLimits
  /** Whether items must also pass `kind.validate`. */
  readonly validate: boolean
  /** Told of the bytes of each piece; false ends the answer there. */
  readonly onBytes?: (count: number) => boolean
  readonly signal: AbortSignal
}

function requestFor(question: Question): HeaderRequest {
  if (question.type === 'hash') return { hash: question.hash, amount: 1n }
  if (question.type === 'head') return { origin: 0n, amount: 1n }
  return { origin: BigInt(question.from), amount: BigInt(question.amount) }
}

function wrong(message: string, cause?: unknown): EvolveError {
  return new EvolveError('BAD_ANSWER', message, {
    verdict: 'reject',
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Throws unless `item` is what was asked for at place `index` of the answer. */
function checkItem<H>(kind: ItemKind<H>, question: Question, chainId: string, item: H, index: number): void {
  const chain = kind.chainId(item)
  if (chain !== chainId) throw wrong(`item of chain ${chainId} expected, one of ${chain} came`)
  if (question.type === 'range' && kind.height(item) !== question.from + index) {
    throw wrong(`height ${question.from + index} expected, ${kind.height(item)} came`)
  }
  if (question.type === 'hash' && !equalBytes(kind.hash(item), question.hash)) {
    throw wrong(`item with hash ${toHex(question.hash)} expected, one with ${toHex(kind.hash(item))} came`)
  }
}

/** Reads the answer to one question as it comes in. */
class AnswerReader<H> {
  readonly items: H[] = []
  bytes = 0
  /** Nothing more is wanted. */
  done = false
  missing = false
  surplus = false
  cut = false
  fault: EvolveError | undefined
  readonly #deps: AskDeps<H>
  readonly #question: Question
  readonly #options: AskOptions
  readonly #frames: FrameReader
  readonly #amount: number

  constructor(deps: AskDeps<H>, question: Question, options: AskOptions) {
    this.#deps = deps
    this.#question = question
    this.#options = options
    this.#frames = new FrameReader(options.limits.maxFrameBytes)
    this.#amount = question.type === 'range' ? question.amount : 1
  }

  get complete(): boolean {
    return this.items.length === this.#amount
  }

  get atBoundary(): boolean {
    return this.#frames.atBoundary
  }

  /** Takes the next piece; false when no more is to be read. */
  push(piece: Uint8Array): boolean {
    this.bytes += piece.length
    if (this.done) {
      this.surplus = true
      return false
    }
    const wanted = this.#options.onBytes?.(piece.length) ?? true
    try {
      this.#frames.push(piece, (frame) => this.#frame(frame))
    } catch (error) {
      this.fault = isEvolveError(error, 'BAD_ANSWER') ? error : wrong('answer makes no sense', error)
      this.done = true
      return false
    }
    if (this.done && !this.#frames.atBoundary) this.surplus = true
    if (this.done) return !this.surplus
    this.cut = !wanted || this.bytes >= this.#options.limits.maxAnswerBytes
    return !this.cut
  }

  #frame(frame: Uint8Array): boolean {
    if (this.done) {
      this.surplus = true
      return false
    }
    const { kind } = this.#deps
    const { body, status } = decodeResponse(frame)
    if (status === ResponseStatus.NotFound) {
      this.missing = this.items.length === 0
      // After items the plain end of the answer would have said the same.
      this.surplus = !this.missing
      this.done = true
      return true
    }
    if (status !== ResponseStatus.Ok) throw wrong(`status OK or NOT_FOUND expected, ${status} came`)
    if (body.length === 0) throw wrong('status OK without an item')
    const item = kind.decode(body)
    checkItem(kind, this.#question, this.#options.chainId, item, this.items.length)
    if (this.#options.validate) kind.validate(item)
    this.items.push(item)
    this.done = this.complete
    return true
  }
}

function endOf<H>(
  read: AnswerReader<H>,
  failure: unknown,
  aborted: boolean,
): { readonly end: AnswerEnd; readonly error?: EvolveError } {
  if (read.fault !== undefined) return { end: 'garbage', error: read.fault }
  if (read.complete) return { end: 'complete' }
  if (read.missing) {
    return {
      end: 'missing',
      error: new EvolveError('NOT_FOUND', 'the peer does not have it', { verdict: 'retry' }),
    }
  }
  if (read.cut) return { end: read.items.length > 0 ? 'short' : 'aborted' }
  if (failure !== undefined) {
    const error = isEvolveError(failure)
      ? failure
      : new EvolveError('REQUEST_FAILED', 'request failed', { verdict: 'retry', cause: failure })
    if (aborted) return { end: 'aborted', error }
    return { end: error.code === 'PEER_UNREACHABLE' ? 'unreachable' : 'failed', error }
  }
  if (!read.atBoundary && !read.done) {
    return {
      end: 'failed',
      error: new EvolveError('STREAM_RESET', 'answer ended inside a frame', { verdict: 'retry' }),
    }
  }
  if (read.items.length > 0) return { end: 'short' }
  return {
    end: 'empty',
    error: new EvolveError('EMPTY_ANSWER', 'answer ended without a word', { verdict: 'retry' }),
  }
}

/**
 * Asks one peer one question. Never rejects: what went wrong is in the answer. The answer is over when the peer
 * closes its side, or a moment after everything asked for is here, or when the time for the request is.
 */
export async function ask<H>(
  deps: AskDeps<H>,
  peer: PeerId,
  question: Question,
  options: AskOptions,
): Promise<Answer<H>> {
  const { network, env } = deps
  const { limits, signal } = options
  const read = new AnswerReader(deps, question, options)
  const over = linkSignals(signal)
  const start = env.monotonic()
  const endAfter = (ms: number, what: string): (() => void) =>
    env.timer(ms, () =>
      over.abort(new EvolveError('TIMEOUT', `${what} within ${ms} ms`, { verdict: 'retry' })),
    )
  let cancel = endAfter(limits.requestTimeout, 'no end of the answer')
  let failure: unknown
  try {
    await network.request(peer, options.protocol, encodeRequest(requestFor(question)), {
      signal: over.signal,
      onData(piece) {
        const wasDone = read.done
        const more = read.push(piece)
        if (read.done && !wasDone) {
          cancel()
          cancel = endAfter(limits.linger, 'answer is here, but not closed')
        }
        return more
      },
    })
  } catch (error) {
    failure = error
  } finally {
    cancel()
    over.release()
  }
  const { end, error } = endOf(read, failure, signal.aborted)
  return {
    end,
    items: read.items,
    bytes: read.bytes,
    ms: env.monotonic() - start,
    surplus: read.surplus,
    error,
  }
}
