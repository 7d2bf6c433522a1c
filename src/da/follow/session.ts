/*
 * The reading of DA from an opened journal on, until something fails. What is in memory is then thrown away, and the
 * next session begins with what is on disk.
 */
import { createBreathing } from '../../core/breathing.ts'
import type { Env } from '../../core/env.ts'
import type { ItemSink } from '../../core/header.ts'
import type { KvPart } from '../../core/kv.ts'
import type { Logger } from '../../core/logger.ts'
import type { Metrics } from '../../core/metrics.ts'
import type { Proposers } from '../../core/proposers.ts'
import type { P2PData } from '../../types/data.ts'
import type { Genesis } from '../../types/genesis.ts'
import { headerHash, type P2PSignedHeader, type SignedHeader } from '../../types/header.ts'
import { equalBytes } from '../../util/bytes.ts'
import { createWake, linkSignals } from '../../util/async.ts'
import { isEvolveError } from '../../util/errors.ts'
import type { CandidateLimits } from './candidates.ts'
import type { Cursor } from './cursor.ts'
import { type DaBlock, decodeFound } from './found.ts'
import { createInbox } from './inbox.ts'
import { createIntake, type Intake } from './intake.ts'
import { type Journal, openJournal } from './journal.ts'
import { createJudge } from './judge.ts'
import { createMatcher, type Matcher } from './matcher.ts'
import { FOLLOW_METRICS } from './metrics.ts'
import { goBackToFork } from './reorg.ts'
import type { Retriever } from './retriever.ts'

/** What a {@link DaSource} needs. */
export interface DaSourceDeps {
  readonly retriever: Retriever
  /** The DA part of the database. */
  readonly kv: KvPart
  /** Where headers and data go. Both are started before the source and stopped after it. */
  readonly headers: ItemSink<P2PSignedHeader>
  readonly data: ItemSink<P2PData>
  readonly proposers: Proposers
  readonly genesis: Genesis
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
  /** Told of a second header for a stored height, validly signed by the proposer of the first. May come repeatedly. */
  readonly conflict?: (header: SignedHeader, daHeight: number) => void
}

/** Options of a {@link DaSource}. */
export interface DaSourceOptions extends CandidateLimits {
  /** First DA height to read when nothing was read yet; 0 when it is not known. */
  readonly startHeight: number
  /**
   * So many DA heights below its head reading begins when `startHeight` is 0 and no peer told of a lower one: for who
   * makes the blocks, and need not read all that was on DA before it came there.
   */
  readonly startBelowHead?: number
  /** DA heights that are dealt with in one step, at most, where they have gathered [32]. */
  readonly together?: number
}

/** So close to the head of DA, what is new to us may be new to the peers. */
const NEAR_HEAD = 2

/** DA heights below the hint of the first header at which reading begins: its neighbours may lie lower. */
const HINT_MARGIN = 1_000

/** Told of what happens. */
export interface SessionEvents {
  opened(journal: Journal): void
  /** A step is durable; the next DA height to deal with. */
  committed(next: number): void
  /** A header that is not stored was found, validly signed by its author, the expected proposer of its height. */
  seen(height: number, author: Uint8Array): void
  /** A half that was found at a DA height entered its store. */
  entered(height: number, daHeight: number): void
}

/** Parts of a running session. */
interface Session {
  readonly journal: Journal
  readonly intake: Intake
  readonly matcher: Matcher
  readonly breathe: () => Promise<void>
}

/** Follows DA until the signal aborts, or the database or a store fails: rejects then. */
export async function runSession(
  deps: Required<DaSourceDeps>,
  options: DaSourceOptions,
  events: SessionEvents,
  signal: AbortSignal,
): Promise<void> {
  const { retriever, kv, genesis, proposers, env, logger, metrics } = deps
  const { window = 2_000, together = 32 } = options
  const headers = deps.headers.store()
  const data = deps.data.store()
  const breathing = createBreathing(env)
  const breathe = async (): Promise<void> => {
    if (breathing.due()) await breathing.pause(signal)
  }
  const wake = createWake()
  const journal = await openJournal(kv, async () => await firstCursor(deps, options, signal), options)
  const judge = createJudge({ genesis, proposers, headers })
  const intake = createIntake(
    {
      journal,
      judge,
      headers,
      data,
      proposers,
      metrics,
      conflict: deps.conflict,
      seen: (height, author) => events.seen(height, author),
    },
    { chainId: genesis.chainId, window },
  )
  const matcher = createMatcher({
    ...deps,
    journal,
    intake,
    breathe,
    wake: () => wake.wake(),
    entered: (height, daHeight) => events.entered(height, daHeight),
  })
  const session: Session = { journal, intake, matcher, breathe }
  const changed = (): void => {
    matcher.changed()
    wake.wake()
  }
  const undo = [headers.onHeight(changed), data.onHeight(changed), proposers.onChange(changed)]

  async function step(blocks: readonly DaBlock[]): Promise<void> {
    for (const block of blocks) await takeIn(session, block)
    const near = journal.cursor.next > retriever.head - NEAR_HEAD
    await matcher.settle({ signal, broadcast: near })
    const written = await journal.commit()
    metrics.gauge(FOLLOW_METRICS.consumed, journal.cursor.next - 1)
    metrics.gauge(FOLLOW_METRICS.waiting, journal.candidates.size)
    metrics.gauge(FOLLOW_METRICS.waitingBytes, journal.candidates.bytes)
    if (written) events.committed(journal.cursor.next)
  }

  /** Reads on until the cursor has gone back. */
  async function readOn(): Promise<void> {
    const from = journal.cursor.next
    const reading = linkSignals(signal)
    const blocks = retriever.read(from, { signal: reading.signal, known: (height) => journal.hashOf(height) })
    const inbox = createInbox(blocks, wake, together)
    try {
      for (let expected = from; journal.cursor.next === expected; ) {
        await wake.wait(signal)
        const arrived = inbox.take()
        await step(arrived)
        expected += arrived.length
      }
    } finally {
      reading.abort()
      await inbox.close()
    }
  }

  try {
    events.opened(journal)
    if (journal.cursor.unmarkFrom !== undefined) await journal.forgetFrom(journal.cursor.unmarkFrom)
    await restore(session)
    await step([])
    for (;;) {
      try {
        await readOn()
      } catch (error) {
        signal.throwIfAborted()
        if (!isEvolveError(error, 'DA_REORG')) throw error
        await goBackToFork({ journal, retriever, logger, metrics, startHeight: options.startHeight }, error, {
          signal,
        })
        events.committed(journal.cursor.next)
      }
    }
  } finally {
    for (const detach of undo) detach()
    matcher.close()
  }
}

async function takeIn({ journal, intake, breathe }: Session, block: DaBlock): Promise<void> {
  for (const found of block.headers) {
    await breathe()
    await intake.header(found, block.height)
  }
  for (const found of block.data) {
    await breathe()
    await intake.data(found, block.height)
  }
  if (block.crowdedOut !== undefined) intake.crowdedOut(block.crowdedOut, block.height)
  journal.remember(block)
  journal.cursor = { ...journal.cursor, next: block.height + 1 }
}

/** Takes in what lay on disk. */
async function restore({ journal, intake, breathe }: Session): Promise<void> {
  for await (const { daHeight, bytes } of journal.halves()) {
    await breathe()
    const one = decodeFound(bytes, bytes.length)
    if (one.kind !== 'dropped') await intake.restore(one.found, daHeight)
  }
  journal.restored()
}

async function firstCursor(
  deps: DaSourceDeps,
  { startHeight, startBelowHead }: DaSourceOptions,
  signal: AbortSignal,
): Promise<Cursor> {
  const { headers, data, proposers } = deps
  const first = Math.max(1, startHeight > 0 ? startHeight : await unsetStart(deps, startBelowHead, signal))
  return {
    next: first,
    first,
    strictFrom: undefined,
    proposer: proposers.expected(Number.MAX_SAFE_INTEGER),
    stores: { header: headers.store().height, data: data.store().height },
    lost: {},
    doubts: [],
    unmarkFrom: undefined,
  }
}

/** Where reading begins when nobody said it. */
async function unsetStart(
  deps: DaSourceDeps,
  belowHead: number | undefined,
  signal: AbortSignal,
): Promise<number> {
  const hinted = await hintedStart(deps, signal)
  if (hinted !== undefined) return hinted
  return belowHead === undefined ? 1 : (await deps.retriever.askHead({ signal })) - belowHead
}

/**
 * Where the chain begins on DA when only peers tell: at the hint of its first block, if that DA height really holds
 * its header. A hint that leads nowhere is as good as none.
 */
async function hintedStart(
  { headers, data, genesis, retriever, logger }: DaSourceDeps,
  signal: AbortSignal,
): Promise<number | undefined> {
  const first = await headers.store().at(genesis.initialHeight)
  const hint = first?.daHeightHint ?? 0
  if (first === undefined || hint === 0) return undefined
  const block = await retriever.blockAt(hint, { signal })
  const hash = headerHash(first.header)
  if (block?.headers.some(({ header }) => equalBytes(headerHash(header.header), hash)) !== true)
    return undefined
  const dataHint = (await data.store().at(genesis.initialHeight))?.daHeightHint ?? 0
  const start = (dataHint > 0 ? Math.min(hint, dataHint) : hint) - HINT_MARGIN
  logger.info('peers told where the chain begins on DA', { daHeight: hint, start })
  return start
}
