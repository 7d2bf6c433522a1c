/*
 * The status, told to each subscriber as often as he likes: what counts is the latest, so that who is slow gets fewer.
 */
import type { Env } from '../../core/env.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import { REQUEST_METRICS } from '../../core/request-metrics.ts'
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError } from '../../util/errors.ts'
import { invalidRequest } from '../errors.ts'
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

/** Shortest and longest time between two, in milliseconds, and steps of it: those of one step are told together. */
const INTERVAL = { shortest: 100, longest: 60_000, step: 100, usual: 1_000 }

/** Tells subscribers the status. */
export interface StatusFeed<Message> {
  /**
   * Opens a subscription that is told at most once in `interval` milliseconds; 0 stands for 1,000. Throws
   * `INVALID_REQUEST`. `release` is called once, when it is over.
   */
  open(interval: number, release: () => void): Subscription<Message>
  /** Looks after those who are silent or slow. */
  tick(): void
  /** Ends all subscriptions with `reason`. */
  end(reason: EvolveError): void
}

/** What a {@link StatusFeed} needs. */
export interface StatusFeedDeps<Message> {
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** The status as it is now. */
  readonly current: () => SubscriptionEvent<Message>
}

/** Those who are told at the same moments. */
interface Group<Message> {
  readonly members: Set<Member<Message>>
  latest: SubscriptionEvent<Message>
  cancel: () => void
}

/** Makes a {@link StatusFeed}. */
export function createStatusFeed<Message>(
  { env, logger, metrics, current }: StatusFeedDeps<Message>,
  limits: SubscriptionLimits,
): StatusFeed<Message> {
  const groups = new Map<number, Group<Message>>()
  const leavers = createLeavers(env)
  /** What each was told last. */
  const told = new WeakMap<Member<Message>, SubscriptionEvent<Message>>()

  /** Why all that was opened before is over; undefined while nothing is. */
  let lastEnd: { readonly reason: EvolveError } | undefined

  function gauge(): void {
    let open = 0
    for (const { members } of groups.values()) open += members.size
    metrics.gauge(REQUEST_METRICS.subscribers, open, { kind: 'status' })
  }

  function tell(member: Member<Message>, event: SubscriptionEvent<Message>): void {
    if (told.get(member) === event) return
    told.set(member, event)
    send(env, member, event)
  }

  function groupOf(interval: number): Group<Message> {
    const known = groups.get(interval)
    if (known !== undefined) return known
    const again = (): void => {
      const now = current()
      if (!equalBytes(now.bytes('proto'), group.latest.bytes('proto'))) group.latest = now
      for (const member of group.members) if (member.state === 'idle') tell(member, group.latest)
      arm()
    }
    const arm = (): void => {
      group.cancel = env.timer(interval, again, { background: true })
    }
    const group: Group<Message> = { members: new Set(), latest: current(), cancel: () => {} }
    groups.set(interval, group)
    arm()
    return group
  }

  function end(interval: number, member: Member<Message>, reason: EvolveError | undefined): void {
    const group = groups.get(interval)
    if (group?.members.delete(member) !== true) return
    if (group.members.size === 0) {
      group.cancel()
      groups.delete(interval)
    }
    if (member.state === 'blocked' && reason !== undefined) leavers.add(member, limits.grace)
    member.state = 'idle'
    gauge()
    member.ended.resolve(reason)
  }

  function judge(interval: number, member: Member<Message>): void {
    if (member.state !== 'blocked' || env.monotonic() - member.blockedSince < limits.stall) return
    logger.info('a subscriber does not take what it is sent and was dropped', { kind: 'status' })
    metrics.count(REQUEST_METRICS.dropped, 1, { reason: 'slow' })
    end(interval, member, new EvolveError('SUBSCRIPTION_DROPPED', 'too slow: what was sent was not taken'))
  }

  return {
    open(wanted, release) {
      const interval = intervalOf(wanted)
      const ended = lastEnd
      let over = false
      let member: Member<Message> | undefined
      const close = (): void => {
        if (!over) release()
        over = true
        if (member !== undefined) end(interval, member, undefined)
      }
      return {
        next: 0,
        async tell(outlet) {
          if (over) return undefined
          if (lastEnd !== undefined && lastEnd !== ended) return lastEnd.reason
          const group = groupOf(interval)
          const own = createMember(env, 0, outlet)
          own.state = 'idle'
          member = own
          group.members.add(own)
          gauge()
          outlet.onDrain(() => {
            if (own.state === 'blocked') own.state = 'idle'
          })
          tell(own, group.latest)
          try {
            return await own.ended.promise
          } finally {
            close()
          }
        },
        close,
      }
    },
    tick() {
      for (const [interval, { members }] of groups) {
        for (const member of members) {
          judge(interval, member)
          beat(env, member, limits.heartbeat)
        }
      }
    },
    end(reason) {
      lastEnd = { reason }
      for (const [interval, { members }] of groups) {
        for (const member of members) end(interval, member, reason)
      }
      leavers.clear()
    },
  }
}

function intervalOf(wanted: number): number {
  if (wanted === 0) return INTERVAL.usual
  if (!Number.isSafeInteger(wanted) || wanted < INTERVAL.shortest || wanted > INTERVAL.longest) {
    throw invalidRequest(
      `the interval must be from ${INTERVAL.shortest} to ${INTERVAL.longest} ms, got ${wanted}`,
    )
  }
  return Math.ceil(wanted / INTERVAL.step) * INTERVAL.step
}
