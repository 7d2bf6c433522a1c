import type { FetchedRange } from '../../core/header.ts'
import type { PeerId } from '../../core/network.ts'
import { createWake } from '../../util/async.ts'
import { EvolveError } from '../../util/errors.ts'
import { type Answer, ask, type AskDeps, type Question } from './ask.ts'
import { type ClientLimits, ITEM_COST, MAX_REQUEST_ITEMS } from './limits.ts'
import type { PeerTracker } from './peer-tracker.ts'
import { ReorderBuffer, type Span } from './reorder-buffer.ts'
import { SessionPeers } from './session-peers.ts'

/** Parts of a {@link RangeSession}. */
export interface SessionDeps<H> extends AskDeps<H> {
  readonly tracker: PeerTracker
}

/** Options of a {@link RangeSession}. */
export interface SessionOptions {
  readonly protocol: string
  readonly chainId: string
  readonly limits: ClientLimits
  /** Ends the session. */
  readonly signal: AbortSignal
}

/** Heights that are not here yet: `from` moves up as answers come. */
interface Task {
  from: number
  readonly to: number
  readonly attempts: Set<Attempt>
}

/** A task asked of a peer. */
interface Attempt {
  readonly task: Task
  readonly peer: PeerId
  readonly from: number
  readonly amount: number
  readonly startedAt: number
  readonly controller: AbortController
  /** What its answer is expected to cost. */
  readonly reserved: number
  received: number
}

const MAX_ATTEMPTS = 3
/** An answer is late when it takes so many times as long as usual. */
const LATE_FACTOR = 3

/**
 * Fetches one range from all peers together. Requests of up to 64 items go out, many at a time; answers are put in
 * order and given out as soon as those below are here.
 *
 * - What a peer does not give is asked of another; what everybody waits for too long is asked of a second one.
 * - Held and arriving items are bounded in bytes; nothing is asked for that would not fit, save what is needed next.
 * - The range ends early when every peer that may be asked now says NOT_FOUND for the next height.
 * - It fails with `NO_PEERS` when nobody could be asked for a while. Peers that failed are tried again only when
 *   no other is left.
 */
export class RangeSession<H> {
  readonly #deps: SessionDeps<H>
  readonly #options: SessionOptions
  readonly #limits: ClientLimits
  readonly #to: number
  readonly #buffer: ReorderBuffer<H>
  readonly #peers: SessionPeers
  readonly #tasks = new Set<Task>()
  readonly #attempts = new Set<Attempt>()
  readonly #running = new Set<Promise<void>>()
  readonly #wake = createWake()
  /** Heights from here on are not in any task yet. */
  #planned: number
  #itemBytes: number
  /** Usual time of a full answer, milliseconds; 0 before the first. */
  #usual = 0
  #reserved = 0
  #received = 0
  #ended = false
  #closed = false
  #failure: unknown
  #alarm: { readonly at: number; readonly cancel: () => void } | undefined

  /** Fetches heights from `span.from` up to and without `span.to`. */
  constructor(deps: SessionDeps<H>, span: Span, options: SessionOptions) {
    this.#deps = deps
    this.#options = options
    this.#limits = options.limits
    this.#to = span.to
    this.#planned = span.from
    this.#buffer = new ReorderBuffer(span.from)
    // Until it is known better, so that nothing asked for first can be too much.
    this.#itemBytes = options.limits.aimBytes / MAX_REQUEST_ITEMS
    this.#peers = new SessionPeers(deps, options.limits, () => this.#dispatch())
    options.signal.addEventListener('abort', this.#onAbort, { once: true })
    if (options.signal.aborted) this.#onAbort()
    this.#dispatch()
  }

  /** The next piece in order; undefined at the end of the range or of the peers' chain. */
  async next(): Promise<FetchedRange<H> | undefined> {
    for (;;) {
      this.#options.signal.throwIfAborted()
      const piece = this.#buffer.take()
      if (piece !== undefined) {
        const { items, peer } = piece
        this.#dispatch()
        return {
          items,
          peer,
          blame: (reason) => this.#blame(peer, reason),
          doubt: () => this.#deps.tracker.stalled(peer),
        }
      }
      if (this.#failure !== undefined) throw this.#failure
      if (this.#ended || this.#buffer.cursor >= this.#to) return undefined
      await this.#wake.wait(this.#options.signal)
    }
  }

  /** Ends everything that is under way; resolves when it has ended. */
  async close(): Promise<void> {
    this.#closed = true
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#peers.close()
    this.#alarm?.cancel()
    this.#alarm = undefined
    for (const { controller } of this.#attempts) controller.abort()
    await Promise.all(this.#running)
  }

  readonly #onAbort = (): void => {
    this.close().catch(() => undefined)
  }

  /** Sends what can be sent, and decides whether it is over. Called after everything that may change either. */
  #dispatch(): void {
    if (this.#closed || this.#ended || this.#failure !== undefined) return
    const now = this.#deps.env.monotonic()
    const { front } = this.#buffer
    this.#peers.review(now, this.#attempts.size > 0)
    if (this.#isEnd(front, now)) {
      this.#finish()
      return
    }
    if (this.#peers.lost(now)) {
      const message = `nobody to ask for height ${front} for ${this.#limits.noPeersAfter} ms`
      this.#fail(new EvolveError('NO_PEERS', message, { verdict: 'retry', data: { height: front } }))
      return
    }
    // First what everybody waits for: it must not find all places taken.
    this.#hedge(now)
    while (this.#launchNext(now));
    this.#setAlarm(now)
  }

  #fail(error: unknown): void {
    this.#failure ??= error
    this.#finish()
  }

  #finish(): void {
    this.#ended = true
    for (const { controller } of this.#attempts) controller.abort()
    this.#alarm?.cancel()
    this.#alarm = undefined
    this.#wake.wake()
  }

  /** Asks for the lowest heights that nobody is asked for; false when that cannot be now. */
  #launchNext(now: number): boolean {
    const task = this.#nextTask()
    if (task === undefined) return false
    const amount = this.#amountOf(task.to - task.from)
    const needed = task.from === this.#buffer.cursor
    const cost = this.#buffer.cost + this.#reserved + this.#costOf(amount)
    const full = this.#attempts.size >= this.#limits.maxInFlight || cost > this.#limits.bufferBytes
    if (full && !needed) return false
    const peer = this.#peers.choose(task.from, { now, urgent: needed, except: [] })
    if (peer === undefined) return false
    if (!this.#tasks.has(task)) {
      this.#tasks.add(task)
      this.#planned = task.to
    }
    this.#launch(task, peer, amount, now)
    return true
  }

  #nextTask(): Task | undefined {
    let lowest: Task | undefined
    for (const task of this.#tasks) {
      if (task.attempts.size === 0 && (lowest === undefined || task.from < lowest.from)) lowest = task
    }
    if (lowest !== undefined || this.#planned >= this.#to) return lowest
    const from = this.#planned
    return { from, to: from + this.#amountOf(this.#to - from), attempts: new Set() }
  }

  #amountOf(length: number): number {
    const fitting = Math.max(1, Math.floor(this.#limits.aimBytes / this.#itemBytes))
    return Math.min(length, MAX_REQUEST_ITEMS, fitting)
  }

  #costOf(amount: number): number {
    return amount * (this.#itemBytes + ITEM_COST)
  }

  #launch(task: Task, peer: PeerId, amount: number, now: number): void {
    const attempt: Attempt = {
      task,
      peer,
      from: task.from,
      amount,
      startedAt: now,
      controller: new AbortController(),
      reserved: this.#costOf(amount),
      received: 0,
    }
    task.attempts.add(attempt)
    this.#attempts.add(attempt)
    this.#reserved += attempt.reserved
    const running = this.#run(attempt)
    this.#running.add(running)
    const over = (): boolean => this.#running.delete(running)
    running.then(over, over)
  }

  async #run(attempt: Attempt): Promise<void> {
    const { protocol, chainId } = this.#options
    const { peer, from, amount } = attempt
    const question: Question = { type: 'range', from, amount }
    const release = this.#peers.occupy(peer)
    try {
      const answer = await ask(this.#deps, peer, question, {
        protocol,
        chainId,
        limits: this.#limits,
        validate: false,
        onBytes: (count) => this.#mayReceive(attempt, count),
        signal: attempt.controller.signal,
      })
      release()
      this.#settle(attempt, question, answer)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** Whether an answer may go on: it may unless it fills the buffer while lower heights are still missing. */
  #mayReceive(attempt: Attempt, count: number): boolean {
    attempt.received += count
    this.#received += count
    if (attempt.task.from === this.#buffer.cursor) return true
    return this.#buffer.cost + this.#received <= this.#limits.bufferBytes
  }

  #settle(attempt: Attempt, question: Question, answer: Answer<H>): void {
    const { task, peer } = attempt
    task.attempts.delete(attempt)
    this.#attempts.delete(attempt)
    this.#reserved -= attempt.reserved
    this.#received -= attempt.received
    this.#deps.tracker.judge(peer, question, answer)
    if (this.#closed) return
    const now = this.#deps.env.monotonic()
    this.#peers.answered(peer, attempt.from, answer)
    this.#learn(attempt, answer)
    const items = answer.items.slice(task.from - attempt.from)
    if (items.length > 0) {
      const bytes = (answer.bytes / answer.items.length) * items.length
      const cost = bytes + items.length * ITEM_COST
      const moved = this.#buffer.add({ from: task.from, items, peer, cost })
      task.from += items.length
      if (moved) this.#peers.frontMoved(this.#buffer.front, now)
    }
    if (task.from >= task.to) {
      this.#tasks.delete(task)
      for (const other of task.attempts) this.#lost(other, now)
    }
    this.#dispatch()
    this.#wake.wake()
  }

  /** Remembers how large items are and how long answers take. */
  #learn(attempt: Attempt, answer: Answer<H>): void {
    if (answer.items.length > 0) {
      this.#itemBytes = (this.#itemBytes * 3 + answer.bytes / answer.items.length) / 4
    } else if (answer.end === 'aborted') {
      // Not one item fitted: the next try must expect so much.
      this.#itemBytes = Math.max(this.#itemBytes, attempt.received)
    }
    if (answer.end !== 'complete') return
    this.#usual = this.#usual === 0 ? answer.ms : (this.#usual * 7 + answer.ms) / 8
  }

  get #lateAfter(): number {
    return Math.max(this.#limits.hedgeAfter, LATE_FACTOR * this.#usual)
  }

  /** Another peer was first: this one's answer is no longer waited for, and if it is late neither are its others. */
  #lost(attempt: Attempt, now: number): void {
    attempt.controller.abort()
    const late = now - this.#lateAfter
    if (attempt.startedAt > late) return
    this.#deps.tracker.stalled(attempt.peer)
    for (const other of this.#attempts) {
      if (other.peer === attempt.peer && other.startedAt <= late) other.controller.abort()
    }
  }

  #frontTask(): Task | undefined {
    for (const task of this.#tasks) if (task.from === this.#buffer.front) return task
    return undefined
  }

  /** When the answer that everything waits for is to be asked of one more peer; undefined when of no more. */
  #hedgeAt(task: Task | undefined): number | undefined {
    if (task === undefined || task.attempts.size === 0 || task.attempts.size >= MAX_ATTEMPTS) return undefined
    let latest = 0
    for (const { startedAt } of task.attempts) latest = Math.max(latest, startedAt)
    return latest + this.#lateAfter
  }

  #hedge(now: number): void {
    const task = this.#frontTask()
    const at = this.#hedgeAt(task)
    if (task === undefined || at === undefined || at > now) return
    const except = [...task.attempts].map((attempt) => attempt.peer)
    const peer = this.#peers.choose(task.from, { now, urgent: true, except })
    if (peer !== undefined) this.#launch(task, peer, this.#amountOf(task.to - task.from), now)
  }

  #isEnd(front: number, now: number): boolean {
    if (front >= this.#to || (this.#frontTask()?.attempts.size ?? 0) > 0) return false
    return this.#peers.allLack(front, now)
  }

  #setAlarm(now: number): void {
    const hedgeAt = this.#hedgeAt(this.#frontTask())
    const at = Math.min(
      this.#peers.nextChange(now),
      hedgeAt !== undefined && hedgeAt > now ? hedgeAt : Infinity,
    )
    if (at === Infinity || (this.#alarm !== undefined && this.#alarm.at <= at)) return
    this.#alarm?.cancel()
    const cancel = this.#deps.env.timer(at - now, () => {
      this.#alarm = undefined
      this.#dispatch()
    })
    this.#alarm = { at, cancel }
  }

  #blame(peer: PeerId, reason: unknown): void {
    this.#deps.tracker.punish(peer, reason)
    if (this.#closed) return
    this.#peers.exclude(peer)
    for (const { from, to } of this.#buffer.drop(peer)) this.#tasks.add({ from, to, attempts: new Set() })
    this.#dispatch()
  }
}
