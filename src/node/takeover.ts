/*
 * When an aggregator may begin to make blocks: once it has followed its own chain to the end that others know. A home
 * that was restored from an old copy, or a key that another node used meanwhile, shows here, before anything is signed.
 */
import { type Env, sleep, wakeOrTimeout, withTimeout } from '../core/env.ts'
import type { BlockSink } from '../core/block-source.ts'
import type { HeaderStore } from '../core/header.ts'
import type { Logger } from '../core/logger.ts'
import type { SignLedger } from '../core/signer.ts'
import type { P2PSignedHeader } from '../types/header.ts'
import { createWake, linkSignals } from '../util/async.ts'
import { isEvolveError } from '../util/errors.ts'

/** Whoever may know of blocks that we do not have. */
export interface Witnesses {
  /** DA; undefined when the node has none. */
  readonly da:
    | {
        /** Resolves when all that is on DA now was read. */
        caughtUp(options: { readonly signal: AbortSignal }): Promise<void>
        readonly reachable: boolean
      }
    | undefined
  /** Peers. */
  readonly peers: {
    /** How many the operator named. */
    readonly configured: number
    /** Asks for their head; resolves with undefined when nobody answers. */
    ask(options: { readonly signal: AbortSignal }): Promise<unknown>
    /** Calls `listener` when a peer connects, until the returned function is called. */
    onConnected(listener: () => void): () => void
  }
}

/** What {@link followToTheEnd} needs. */
export interface TakeoverDeps {
  readonly witnesses: Witnesses
  readonly follower: Pick<BlockSink, 'nextHeight' | 'onNextHeight'>
  readonly headers: Pick<HeaderStore<P2PSignedHeader>, 'onHeight'>
  /** Highest height that a header was seen of by who may sign it: in the store, from peers, on DA. */
  readonly known: () => number
  readonly ledger: Pick<SignLedger, 'last'>
  readonly env: Env
  readonly logger: Logger
}

/** Patience in milliseconds. Defaults in brackets. */
export interface TakeoverOptions {
  /** For DA that cannot be reached [5,000]. */
  readonly daPatience?: number
  /** For configured peers to answer [3,000]. */
  readonly peerPatience?: number
  /** For the blocks that the ledger says were signed [30,000]. */
  readonly ledgerPatience?: number
}

/** Milliseconds between two log lines while it waits. */
const TELL_EVERY = 30_000

/**
 * Resolves when the follower has executed every block that DA, peers and the sign ledger know of; or when those that
 * cannot be reached were given their time. Rejects with the signal's reason only.
 */
export async function followToTheEnd(
  deps: TakeoverDeps,
  options: TakeoverOptions,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const { daPatience = 5_000, peerPatience = 3_000, ledgerPatience = 30_000 } = options
  await Promise.all([
    readDa(deps, daPatience, signal),
    deps.witnesses.peers.configured === 0 ? undefined : askPeers(deps, peerPatience, signal),
  ])
  await reach(deps, deps.known, 'waiting for blocks that others have', signal)
  const signed = deps.ledger.last?.height ?? 0
  // The very next one may be under way: the producer finishes it.
  if (signed <= deps.follower.nextHeight) return
  deps.logger.warn('this key has signed blocks that are not here; waiting for DA or peers to bring them', {
    signed,
    height: deps.follower.nextHeight - 1,
  })
  await within(deps.env, ledgerPatience, signal, async (inner) => {
    await reach(
      deps,
      () => Math.max(signed - 1, deps.known()),
      'waiting for blocks that this key has signed',
      inner,
    )
  })
}

async function readDa(
  { witnesses: { da }, env, logger }: TakeoverDeps,
  patience: number,
  signal: AbortSignal,
): Promise<void> {
  if (da === undefined) return
  const over = linkSignals(signal)
  let done = false
  const caughtUp = da.caughtUp({ signal: over.signal }).finally(() => {
    done = true
  })
  try {
    for (;;) {
      await Promise.race([caughtUp, sleep(env, patience, over.signal)])
      if (done) return
      if (!da.reachable) break
      logger.info('reading DA to its end before making blocks')
    }
    logger.warn('DA cannot be reached; making blocks without having seen it', { waited: patience })
  } finally {
    over.abort()
    caughtUp.catch(() => undefined)
  }
}

async function askPeers(
  { witnesses: { peers }, env, logger }: TakeoverDeps,
  patience: number,
  signal: AbortSignal,
): Promise<void> {
  const connected = createWake()
  const unwatch = peers.onConnected(() => connected.wake())
  try {
    const answered = await within(env, patience, signal, async (inner) => {
      for (;;) {
        const head = await peers.ask({ signal: inner }).catch((error: unknown) => {
          inner.throwIfAborted()
          // A head that is known already is an answer.
          return isEvolveError(error, 'KNOWN_HEADER') ? error : undefined
        })
        if (head !== undefined) return
        await connected.wait(inner)
      }
    })
    if (!answered) logger.info('no peer told of its head; making blocks without', { waited: patience })
  } finally {
    unwatch()
  }
}

/** Waits until the follower has executed `target()`, which may rise meanwhile. */
async function reach(
  { follower, headers, env, logger }: TakeoverDeps,
  target: () => number,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  const moved = createWake()
  const undo = [follower.onNextHeight(() => moved.wake()), headers.onHeight(() => moved.wake())]
  let told = { at: env.monotonic(), height: follower.nextHeight - 1 }
  const tell = (): void => {
    const height = follower.nextHeight - 1
    const facts = { height, target: target() }
    if (height > told.height) logger.info(what, facts)
    else logger.warn(`${what}: they do not come. A peer that has them, or da.start_height, may help`, facts)
    told = { at: env.monotonic(), height }
  }
  try {
    while (follower.nextHeight <= target()) {
      if (env.monotonic() - told.at >= TELL_EVERY) tell()
      await wakeOrTimeout(env, moved, TELL_EVERY, signal)
    }
  } finally {
    for (const stop of undo) stop()
  }
}

/** Runs `task` for at most `ms` milliseconds; whether it ended by itself. */
async function within(
  env: Env,
  ms: number,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<void>,
): Promise<boolean> {
  try {
    await withTimeout(env, ms, signal, 'waiting for others', task)
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (isEvolveError(error, 'TIMEOUT')) return false
    throw error
  }
}
