/*
 * What comes height by height, told to many. Every subscriber has its own place in the one order of heights, and is told
 * what is in the store there: from the past or just now makes no difference, so that nothing is left out or told twice.
 * That there is something new is only a hint to look; blocks that were saved together need no special care.
 */
import { type Env, giveWay } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { REQUEST_METRICS } from '../../core/request-metrics.ts'
import { EvolveError, isEvolveError } from '../../util/errors.ts'
import { tellable } from '../errors.ts'
import type { SubscriptionEvent } from './event.ts'
import {
  beat,
  createLeavers,
  createMember,
  type Member,
  send,
  type Subscription,
  type SubscriptionLimits,
} from './member.ts'
import type { Outlet } from './outlet.ts'
import { createWindow } from './window.ts'

/** Where the events of a {@link Feed} come from. */
export interface FeedSource<Message> {
  /** Label of its measurements. */
  readonly kind: string
  /** Heights that are read at once at most. */
  readonly batch: number
  /** Height of the newest event; one below the first when there is none. */
  head(): Promise<number>
  /** The event of a height up to the head. Rejects when it is not here. */
  read(height: number): Promise<SubscriptionEvent<Message>>
  /** Bytes of an event, about. */
  readonly size: (message: Message) => number
}

/** Tells subscribers what comes height by height. */
export interface Feed<Message> {
  /** Looks for what is new. */
  poke(): void
  /**
   * Opens a subscription that begins with height `from`, or with the next new one. A height that is not there yet is
   * waited for. `release` is called once, when it is over.
   */
  open(from: number | undefined, release: () => void): Promise<Subscription<Message>>
  /** Looks after those who are silent or slow. */
  tick(): void
  /** Ends all subscriptions with `reason`. */
  end(reason: EvolveError): void
}

/** What a {@link Feed} needs. */
export interface FeedDeps {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Sends in one go: others wait that long at most. */
const SENDS = 128

/** Events above this size are read one at a time, so that whoever is blocked between them holds little. */
const LARGE = 65_536

/** Makes a {@link Feed}. */
export function createFeed<Message>(
  { env, logger, metrics }: FeedDeps,
  source: FeedSource<Message>,
  limits: SubscriptionLimits,
): Feed<Message> {
  const { kind, batch } = source
  const members = new Set<Member<Message>>()
  /** What is new, and what of the past was read lately: many may come back at once after a while. */
  const recent = createWindow<Message>(source.size)
  const past = createWindow<Message>(source.size)
  const reading = new Map<number, Promise<SubscriptionEvent<Message>>>()
  const leavers = createLeavers(env)
  /** What gives way does so for a turn, and ends with the members. */
  const { signal } = new AbortController()
  /** Height up to which members are told, or would be. Idle ones are told next what is above it. */
  let head = 0
  let looking = false
  let lookAgain = false
  /** Why all that was opened before is over; undefined while nothing is. */
  let lastEnd: { readonly reason: EvolveError } | undefined

  function gauge(): void {
    metrics.gauge(REQUEST_METRICS.subscribers, members.size, { kind })
  }

  function end(member: Member<Message>, reason: EvolveError | undefined): void {
    if (!members.delete(member)) return
    if (member.state === 'blocked' && reason !== undefined) leavers.add(member, limits.grace)
    member.state = 'idle'
    member.rest = []
    gauge()
    member.ended.resolve(reason)
  }

  function fail(member: Member<Message>, thrown: unknown): void {
    const error = tellable(thrown)
    const cause = isEvolveError(error)
      ? error
      : new EvolveError('SUBSCRIPTION_FAILED', 'reading what was to be told failed', { cause: error })
    end(member, cause)
  }

  function drop(member: Member<Message>): void {
    const { next } = member
    logger.info('a subscriber does not take what it is sent and was dropped', { kind, next, head })
    metrics.count(REQUEST_METRICS.dropped, 1, { reason: 'slow' })
    const message = `too slow: ${head} has come, and what went before ${next} was not taken; go on with ${next}`
    end(member, new EvolveError('SUBSCRIPTION_DROPPED', message, { data: { nextHeight: next } }))
  }

  /** Drops whoever has been blocked for too long. */
  function judge(member: Member<Message>, now: number): void {
    if (member.state !== 'blocked') return
    const blocked = now - member.blockedSince
    const behind = head - member.next >= limits.lag
    if (blocked >= limits.stall || (behind && blocked >= limits.patience)) drop(member)
  }

  async function readOne(height: number): Promise<SubscriptionEvent<Message>> {
    const known = recent.get(height) ?? past.get(height)
    if (known !== undefined) return known
    const under = reading.get(height)
    if (under !== undefined) return await under
    const begun = source.read(height)
    reading.set(height, begun)
    try {
      return await begun
    } finally {
      reading.delete(height)
    }
  }

  /** `count` events from a height on, up to the height `to`. */
  async function read(
    from: number,
    to: number,
    count: number,
  ): Promise<readonly SubscriptionEvent<Message>[]> {
    const heights = Array.from({ length: Math.min(count, to - from + 1) }, (_, index) => from + index)
    return await Promise.all(heights.map(readOne))
  }

  /** Sends a busy member what was read for it, until it is blocked. */
  function sendRest(member: Member<Message>): void {
    const { rest } = member
    let sent = 0
    for (const event of rest) {
      if (member.state !== 'busy') break
      send(env, member, event)
      sent++
    }
    member.rest = rest.slice(sent)
  }

  /** Brings a busy member up to the head, or until it is blocked. */
  async function catchUp(member: Member<Message>): Promise<void> {
    let count = batch
    try {
      sendRest(member)
      while (member.state === 'busy' && member.next <= head) {
        const events = await read(member.next, head, count)
        if (member.state !== 'busy') return
        for (const event of events) if (recent.get(event.next - 1) === undefined) past.add(event)
        count = events.some(({ message }) => source.size(message) > LARGE) ? 1 : batch
        member.rest = events
        sendRest(member)
        // From here on a drain goes on, not this.
        if (member.state !== 'busy') return
        await giveWay(env, signal)
      }
      if (member.state === 'busy') member.state = 'idle'
    } catch (error) {
      fail(member, error)
    }
  }

  /** Tells all who wait for it. */
  async function fanOut(event: SubscriptionEvent<Message>): Promise<void> {
    let sends = 0
    for (const member of members) {
      if (member.state !== 'idle' || member.next !== event.next - 1) continue
      send(env, member, event)
      if (++sends % SENDS === 0) await giveWay(env, signal)
    }
  }

  /** The first height that somebody waits for, up to `newest`. */
  function firstWanted(newest: number): number | undefined {
    let first: number | undefined
    for (const { state, next } of members) {
      if (state === 'idle' && next <= newest) first = Math.min(first ?? next, next)
    }
    return first
  }

  async function look(): Promise<void> {
    const newest = await source.head()
    while (head < newest) {
      const first = firstWanted(newest)
      head = first === undefined ? newest : Math.max(head, first - 1)
      for (const event of await read(head + 1, newest, batch)) {
        recent.add(event)
        head = event.next - 1
        await fanOut(event)
      }
    }
    const now = env.monotonic()
    for (const member of members) judge(member, now)
  }

  async function keepLooking(): Promise<void> {
    looking = true
    while (lookAgain) {
      lookAgain = false
      try {
        await look()
      } catch (error) {
        for (const member of members) if (member.state === 'idle') fail(member, error)
      }
    }
    looking = false
  }

  function poke(): void {
    if (members.size === 0) return
    lookAgain = true
    if (!looking) void keepLooking()
  }

  function join(next: number, outlet: Outlet<Message>): Member<Message> {
    const member = createMember(env, next, outlet)
    members.add(member)
    gauge()
    outlet.onDrain(() => {
      if (member.state !== 'blocked') return
      member.state = 'busy'
      void catchUp(member)
    })
    void catchUp(member)
    // Something may have come since it was looked for last.
    poke()
    return member
  }

  return {
    poke,
    async open(from, release) {
      const next = from ?? (await source.head()) + 1
      const ended = lastEnd
      let member: Member<Message> | undefined
      let over = false
      const close = (): void => {
        if (!over) release()
        over = true
        if (member !== undefined) end(member, undefined)
      }
      return {
        next,
        async tell(outlet) {
          const newest = await source.head()
          if (over) return undefined
          if (lastEnd !== undefined && lastEnd !== ended) return lastEnd.reason
          // Nobody waits for what is between: the new one is brought there by itself.
          if (firstWanted(newest) === undefined) head = Math.max(head, newest)
          member = join(next, outlet)
          try {
            return await member.ended.promise
          } finally {
            close()
          }
        },
        close,
      }
    },
    tick() {
      const now = env.monotonic()
      for (const member of members) {
        judge(member, now)
        beat(env, member, limits.heartbeat)
      }
    },
    end(reason) {
      lastEnd = { reason }
      for (const member of members) end(member, reason)
      leavers.clear()
    },
  }
}
