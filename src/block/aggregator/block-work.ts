/*
 * One block from the sequencer to the peers. Each step rests on the one before being durable:
 *
 *   record of the block ─► ledger ─┐
 *                     └─► execution ─► signature ─► block, states, queue and record in one batch ─► peers
 *
 * The record comes before the ledger: a height that the ledger holds but whose block nobody knows could never be made.
 * Where the next block is due as soon as this one is saved, its record goes into the batch of this one.
 */
import type { Block, BlockStore } from '../../core/block-store.ts'
import { withTimeout } from '../../core/env.ts'
import type { Batch } from '../../core/sequencer.ts'
import { noopTracing } from '../../core/tracing.ts'
import { encodeHeader, headerHash, type SignedHeader } from '../../types/header.ts'
import type { State } from '../../types/state.ts'
import { abortable } from '../../util/async.ts'
import { equalBytes } from '../../util/bytes.ts'
import { EvolveError, verdictOf } from '../../util/errors.ts'
import type { Applier } from '../apply.ts'
import { BLOCK_METRICS } from '../metrics.ts'
import type { Persistence } from '../persistence.ts'
import { type Tip, tipAfter } from '../validate-block.ts'
import type { BlockTimes } from './clock.ts'
import { assertNotForeign, assertProposer } from './guard.ts'
import { makeBlock, roomForTxs, takeBatch } from './make-block.ts'
import type { ProducerDeps, ProducerOptions } from './options.ts'
import type { PendingBlock, PendingRecord } from './pending-block.ts'

/** What making blocks needs beyond what the producer was given. */
export interface BlockWorkDeps
  extends Pick<
    ProducerDeps,
    | 'committed'
    | 'env'
    | 'executorWrites'
    | 'genesis'
    | 'ledger'
    | 'logger'
    | 'metrics'
    | 'publish'
    | 'sequencer'
    | 'signer'
    | 'storedHeaderHeight'
    | 'tracing'
  > {
  readonly record: PendingRecord
  readonly persistence: Persistence
  readonly times: BlockTimes
}

/** What {@link BlockWork.make} is to do, and when it ends. */
export interface MakeOptions {
  readonly signal: AbortSignal
  /** Whether the next block will be due when this one is saved, as far as is known now. */
  readonly nextIsDue: () => boolean
}

/** A saved block. */
export interface MadeBlock {
  readonly block: Block
  /** The next one, where it is under way already. Nothing was reserved for it. */
  readonly next: PendingBlock | undefined
}

/** The steps of a block. Failures that may pass are waited out; what is rejected carries verdict `halt`, or is the signal's reason. */
export interface BlockWork {
  /** Makes `pending`, or a new block when there is none, executes, signs and saves it. */
  make(applier: Applier, pending: PendingBlock | undefined, options: MakeOptions): Promise<MadeBlock>
  /** Puts saved blocks before the peers. A failure is logged, since the next publication makes it good. */
  publish(blocks: readonly Block[], options: { readonly signal: AbortSignal }): Promise<void>
  /** Publishes the last block of the chain if the peers were not given it. */
  republish(blockStore: BlockStore, height: number, options: { readonly signal: AbortSignal }): Promise<void>
}

/** Makes {@link BlockWork}. */
export function createBlockWork(
  deps: BlockWorkDeps,
  { maxBlockBytes = 5_242_880, publishTimeout = 10_000 }: ProducerOptions,
): BlockWork {
  const {
    env,
    executorWrites,
    genesis,
    ledger,
    logger,
    metrics,
    persistence,
    record,
    sequencer,
    signer,
    times,
    tracing = noopTracing,
  } = deps
  const room = roomForTxs(maxBlockBytes, genesis.chainId)

  function blockAfter(tip: Tip, { txs, upTo }: Batch): PendingBlock {
    const { lastBlockHeight, lastBlockTime } = tip.state
    const first = lastBlockHeight < genesis.initialHeight
    const time = first ? genesis.startTime : times.after(lastBlockTime)
    return { block: makeBlock(tip, { txs, time, publicKey: signer.publicKey }), upTo }
  }

  /** Takes the transactions of the next block and makes it, so that it cannot be another any more. */
  async function prepare({ tip }: Applier, signal: AbortSignal): Promise<PendingBlock> {
    const batch = await persistence.run(
      'taking transactions',
      signal,
      async () => await takeBatch(sequencer, room, { signal }),
    )
    const pending = blockAfter(tip, batch)
    await persistence.run('saving the block under way', signal, async () => await record.save(pending))
    return pending
  }

  /** As `prepare`, while the block below is not saved yet, and without writing. What fails is left to `prepare`. */
  async function prepareAhead(
    tip: Tip,
    after: number,
    { signal, nextIsDue }: MakeOptions,
  ): Promise<PendingBlock | undefined> {
    if (!nextIsDue() || !equalBytes(tip.state.nextProposerAddress, signer.address)) return undefined
    try {
      return blockAfter(tip, await takeBatch(sequencer, room, { after, signal }))
    } catch (error) {
      signal.throwIfAborted()
      logger.debug('the next block cannot be prepared yet', { error })
      return undefined
    }
  }

  /** Signs only what the ledger holds. It is asked at once, while the block is executed, and again if that failed. */
  function signing(block: Block, signal: AbortSignal): (header: SignedHeader) => Promise<SignedHeader> {
    const { height } = block.header.header
    const hash = headerHash(block.header.header)
    let early: Promise<void> | undefined = ledger.reserve(height, hash)
    // It is awaited before the signature, if that comes.
    early.catch(() => undefined)
    return async ({ header, signer: by }) => {
      const reserved = early ?? ledger.reserve(height, hash)
      early = undefined
      await abortable(reserved, signal)
      assertNotForeign(deps.storedHeaderHeight(), height)
      signal.throwIfAborted()
      const signature = await abortable(signer.sign(encodeHeader(header)), signal)
      return { header, signature, signer: by }
    }
  }

  async function applyOwn(
    applier: Applier,
    { block, upTo }: PendingBlock,
    options: MakeOptions,
  ): Promise<MadeBlock> {
    const { signal } = options
    const { height } = block.header.header
    const candidate = { ...block, daHeight: undefined, stored: false }
    const signIt = signing(block, signal)
    let next: PendingBlock | undefined
    let mark = 0
    // Read when the block is saved, which is after it was signed.
    const alongside = [...record.removal(), ...sequencer.removal(upTo, height)]
    async function sign(header: SignedHeader, state: State): Promise<SignedHeader> {
      const [signed, prepared] = await Promise.all([
        signIt(header),
        prepareAhead(tipAfter(state, block.data), upTo, options),
      ])
      if (prepared !== undefined) alongside.push(...record.saving(prepared))
      next = prepared
      const held = executorWrites?.held()
      for (const op of held?.ops ?? []) alongside.push(op)
      mark = held?.mark ?? 0
      return signed
    }
    executorWrites?.hold()
    try {
      const saved = await persistence.run(
        'making a block',
        signal,
        async () => await applier.apply(candidate, { signal, sign, alongside }),
      )
      return { block: saved, next }
    } catch (error) {
      mark = 0
      signal.throwIfAborted()
      if (verdictOf(error, 'halt') === 'halt') throw error
      throw new EvolveError('INVALID_OWN_BLOCK', `our own block ${height} is not valid`, {
        verdict: 'halt',
        cause: error,
        data: { height },
      })
    } finally {
      // What is not in the block's batch is written now, as if nothing had been held back.
      try {
        await persistence.run('letting the executor write', signal, async () => {
          await executorWrites?.written(mark)
        })
      } catch (error) {
        logger.warn('what the executor wrote is not saved yet', { height, error })
      }
    }
  }

  async function produce(
    applier: Applier,
    known: PendingBlock | undefined,
    options: MakeOptions,
  ): Promise<{ readonly pending: PendingBlock; readonly made: MadeBlock }> {
    const batch = async (): Promise<PendingBlock> => await prepare(applier, options.signal)
    const pending = known ?? (await tracing.span('BlockExecutor.RetrieveBatch', {}, batch))
    const txs = pending.block.data.txs.length
    const made = await tracing.span(
      'BlockExecutor.ApplyBlock',
      { 'tx.count': txs },
      async () => await applyOwn(applier, pending, options),
    )
    return { pending, made }
  }

  function tellCommitted(txs: readonly Uint8Array[], height: number): void {
    try {
      deps.committed?.(txs)
    } catch (error) {
      logger.error('telling of committed transactions failed', { height, error })
    }
  }

  async function publish(
    blocks: readonly Block[],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> {
    try {
      await withTimeout(
        env,
        publishTimeout,
        signal,
        'publishing a block',
        async (inner) => await deps.publish(blocks, { signal: inner }),
      )
    } catch (error) {
      signal.throwIfAborted()
      if (verdictOf(error, 'retry') === 'halt') throw error
      logger.warn('publishing a block failed', { height: blocks.at(-1)?.header.header.height, error })
    }
  }

  return {
    async make(applier, known, options) {
      const began = env.monotonic()
      const { nextProposerAddress, lastBlockHeight } = applier.tip.state
      const height = lastBlockHeight + 1
      assertProposer(signer.address, height, nextProposerAddress)
      assertNotForeign(deps.storedHeaderHeight(), height)
      const { pending, made } = await tracing.span(
        'BlockExecutor.ProduceBlock',
        { 'block.height': height },
        async () => await produce(applier, known, options),
      )
      sequencer.committed(pending.upTo, height)
      tellCommitted(made.block.data.txs, height)
      metrics.observe(BLOCK_METRICS.operationDuration, (env.monotonic() - began) / 1_000, {
        operation: 'block_production',
      })
      return made
    },
    publish,
    async republish(blockStore, height, { signal }) {
      if (height < genesis.initialHeight || deps.storedHeaderHeight() >= height) return
      const block = await persistence.run(
        'reading the last block',
        signal,
        async () => await blockStore.block(height),
      )
      if (block !== undefined) await publish([block], { signal })
    },
  }
}
