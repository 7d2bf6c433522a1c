/*
 * One block from the sequencer to the peers. Each step rests on the one before being durable:
 *
 *   record of the block ─► ledger ─┐
 *                     └─► execution ─► signature ─► block, state, queue and record in one batch ─► peers
 *
 * The record comes before the ledger: a height that the ledger holds but whose block nobody knows could never be made.
 */
import type { Block, BlockStore } from '../../core/block-store.ts'
import { withTimeout } from '../../core/env.ts'
import { encodeHeader, headerHash, type SignedHeader } from '../../types/header.ts'
import { abortable } from '../../util/async.ts'
import { EvolveError, verdictOf } from '../../util/errors.ts'
import type { Applier } from '../apply.ts'
import { BLOCK_METRICS } from '../metrics.ts'
import type { Persistence } from '../persistence.ts'
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
    | 'genesis'
    | 'ledger'
    | 'logger'
    | 'metrics'
    | 'publish'
    | 'sequencer'
    | 'signer'
    | 'storedHeaderHeight'
  > {
  readonly record: PendingRecord
  readonly persistence: Persistence
  readonly times: BlockTimes
}

/** The steps of a block. Failures that may pass are waited out; what is rejected carries verdict `halt`, or is the signal's reason. */
export interface BlockWork {
  /** Makes `pending`, or a new block when there is none, executes, signs and saves it. */
  make(
    applier: Applier,
    pending: PendingBlock | undefined,
    options: { readonly signal: AbortSignal },
  ): Promise<Block>
  /** Puts a saved block before the peers. A failure is logged, since the next block's publication makes it good. */
  publish(block: Block, options: { readonly signal: AbortSignal }): Promise<void>
  /** Publishes the last block of the chain if the peers were not given it. */
  republish(blockStore: BlockStore, height: number, options: { readonly signal: AbortSignal }): Promise<void>
}

/** Makes {@link BlockWork}. */
export function createBlockWork(
  deps: BlockWorkDeps,
  { maxBlockBytes = 5_242_880, publishTimeout = 10_000 }: ProducerOptions,
): BlockWork {
  const { env, genesis, ledger, logger, metrics, persistence, record, sequencer, signer, times } = deps
  const room = roomForTxs(maxBlockBytes, genesis.chainId)

  /** Takes the transactions of the next block and makes it, so that it cannot be another any more. */
  async function prepare({ tip }: Applier, signal: AbortSignal): Promise<PendingBlock> {
    const { txs, upTo } = await persistence.run(
      'taking transactions',
      signal,
      async () => await takeBatch(sequencer, room, { signal }),
    )
    const { lastBlockHeight, lastBlockTime } = tip.state
    const first = lastBlockHeight < genesis.initialHeight
    const time = first ? genesis.startTime : times.after(lastBlockTime)
    const pending = { block: makeBlock(tip, { txs, time, publicKey: signer.publicKey }), upTo }
    await persistence.run('saving the block under way', signal, async () => await record.save(pending))
    return pending
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
    signal: AbortSignal,
  ): Promise<Block> {
    const { height } = block.header.header
    const candidate = { ...block, daHeight: undefined, stored: false }
    const sign = signing(block, signal)
    const alongside = [...record.removal(), ...sequencer.removal(upTo, height)]
    try {
      return await persistence.run(
        'making a block',
        signal,
        async () => await applier.apply(candidate, { signal, sign, alongside }),
      )
    } catch (error) {
      signal.throwIfAborted()
      if (verdictOf(error, 'halt') === 'halt') throw error
      throw new EvolveError('INVALID_OWN_BLOCK', `our own block ${height} is not valid`, {
        verdict: 'halt',
        cause: error,
        data: { height },
      })
    }
  }

  function tellCommitted(txs: readonly Uint8Array[], height: number): void {
    try {
      deps.committed?.(txs)
    } catch (error) {
      logger.error('telling of committed transactions failed', { height, error })
    }
  }

  async function publish(block: Block, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    try {
      await withTimeout(
        env,
        publishTimeout,
        signal,
        'publishing a block',
        async (inner) => await deps.publish(block, { signal: inner }),
      )
    } catch (error) {
      signal.throwIfAborted()
      if (verdictOf(error, 'retry') === 'halt') throw error
      logger.warn('publishing a block failed', { height: block.header.header.height, error })
    }
  }

  return {
    async make(applier, known, { signal }) {
      const began = env.monotonic()
      const { nextProposerAddress, lastBlockHeight } = applier.tip.state
      const height = lastBlockHeight + 1
      assertProposer(signer.address, height, nextProposerAddress)
      assertNotForeign(deps.storedHeaderHeight(), height)
      if (known !== undefined) logger.info('going on with the block under way', { height })
      const pending = known ?? (await prepare(applier, signal))
      const block = await applyOwn(applier, pending, signal)
      sequencer.committed(pending.upTo, height)
      tellCommitted(block.data.txs, height)
      metrics.observe(BLOCK_METRICS.operationDuration, (env.monotonic() - began) / 1_000, {
        operation: 'block_production',
      })
      return block
    },
    publish,
    async republish(blockStore, height, { signal }) {
      if (height < genesis.initialHeight || deps.storedHeaderHeight() >= height) return
      const block = await persistence.run(
        'reading the last block',
        signal,
        async () => await blockStore.block(height),
      )
      if (block !== undefined) await publish(block, { signal })
    },
  }
}
