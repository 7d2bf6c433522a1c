import type { CancelTimer, Env } from '../../core/env.ts'
import { deferred, type Deferred } from '../../util/async.ts'
import type { EvolveError } from '../../util/errors.ts'
import type { SubscriptionEvent } from './event.ts'
import type { Outlet } from './outlet.ts'

/** What subscribers are held to, in milliseconds unless said otherwise. */
export interface SubscriptionLimits {
  /** Heights that a subscriber may be behind while it does not take what it was given. */
  readonly lag: number
  /** How long it may take for that before its lag counts. */
  readonly patience: number
  /** How long it may take for that at all. */
  readonly stall: number
  /** How long a dropped one may take to take what it was given, and why it was dropped. */
  readonly grace: number
  /** Silence after which a subscriber is told that the node is there. */
  readonly heartbeat: number
}

/** The limits of a node. */
export const SUBSCRIPTION_LIMITS: SubscriptionLimits = {
  lag: 256,
  patience: 1_000,
  stall: 30_000,
  grace: 30_000,
  heartbeat: 15_000,
}

/** An open subscription, from the side of who serves it. */
export interface Subscription<Message> {
  /** The first height it will be told; 0 where there are none. */
  readonly next: number
  /**
   * Begins to tell. Resolves when it is over: with the reason, or undefined after `close`. Call it once.
   */
  tell(outlet: Outlet<Message>): Promise<EvolveError | undefined>
  /** The subscriber has gone. Safe to call twice and at any time. */
  close(): void
}

/** A subscriber that is told. */
export interface Member<Message> {
  /** The height that it is told next. */
  next: number
  /** Took all it was given; is being brought up to the head; has to take what it was given first. */
  state: 'idle' | 'busy' | 'blocked'
  /** Since when it has been blocked, while it is. */
  blockedSince: number
  /** When it was sent something last. */
  sentAt: number
  /** What was read for it and not sent yet. */
  rest: readonly SubscriptionEvent<Message>[]
  readonly outlet: Outlet<Message>
  readonly ended: Deferred<EvolveError | undefined>
}

/** Makes a {@link Member} that is yet to be brought up to the head. */
export function createMember<Message>(env: Env, next: number, outlet: Outlet<Message>): Member<Message> {
  return {
    next,
    state: 'busy',
    blockedSince: 0,
    sentAt: env.monotonic(),
    rest: [],
    outlet,
    ended: deferred(),
  }
}

/** Hands an event to a member, which is blocked afterwards if it should be left alone. */
export function send<Message>(env: Env, member: Member<Message>, event: SubscriptionEvent<Message>): void {
  member.next = event.next
  member.sentAt = env.monotonic()
  if (!member.outlet.send(event)) block(member)
}

/** Tells a member that the node is there, if it was told nothing for too long. */
export function beat<Message>(env: Env, member: Member<Message>, heartbeat: number): void {
  if (member.state !== 'idle' || env.monotonic() - member.sentAt < heartbeat) return
  member.sentAt = env.monotonic()
  if (!member.outlet.heartbeat(member.next)) block(member)
}

function block<Message>(member: Member<Message>): void {
  member.state = 'blocked'
  member.blockedSince = member.sentAt
}

/** Connections of subscribers that are over and have not taken what they were given. */
export interface Leavers {
  /** Closes the connection of a member that is over when its time is. */
  add(member: { readonly outlet: { destroy(): void } }, grace: number): void
  /** Closes all at once. */
  clear(): void
}

/** Makes {@link Leavers}. */
export function createLeavers(env: Env): Leavers {
  const leaving = new Map<object, { readonly cancel: CancelTimer; readonly destroy: () => void }>()
  return {
    add(member, grace) {
      const destroy = (): void => {
        leaving.delete(member)
        member.outlet.destroy()
      }
      leaving.set(member, { cancel: env.timer(grace, destroy, { background: true }), destroy })
    },
    clear() {
      for (const { cancel, destroy } of leaving.values()) {
        cancel()
        destroy()
      }
    },
  }
}
