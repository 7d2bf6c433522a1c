/*
 * The one place where the state of the chain moves: validate, execute, save. A follower applies the blocks of
 * others, an aggregator its own, which are signed between execution and saving.
 */
import type { Block, BlockSave, BlockStore } from '../core/block-store.ts'
import type { Env } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { KvOp } from '../core/kv.ts'
import type { Logger } from '../core/logger.ts'
import type { Metrics } from '../core/metrics.ts'
import type { Proposers } from '../core/proposers.ts'
import { headerHash, type SignedHeader } from '../types/header.ts'
import { nextState, type State } from '../types/state.ts'
import { validateHeader } from '../types/validate.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { describeError, EvolveError } from '../util/errors.ts'
import type { PatientExecutor } from './execute.ts'
import { BLOCK_METRICS } from './metrics.ts'
import { linkedData, type Tip, tipAfter, validateBlock } from './validate-block.ts'

/** A block to be applied. */
export interface Candidate extends Block {
  /** The DA height at which the later half was found; undefined for blocks that did not come from DA. */
  readonly daHeight: number | undefined
  /** Header and data lie in the header and data stores. Read again at the moment of saving. */
  readonly stored: boolean
  /** Whoever stored the block checked the header's signature: with `stored`, it is not checked again. */
  readonly proven?: boolean
}

/** Signs an executed block: `header` as it was executed, without or with an outdated signature. */
export type SignBlock = (header: SignedHeader, after: State) => Promise<SignedHeader>

/** An executed block that is not saved yet. */
export interface Executed {
  readonly candidate: Candidate
  /** The block as it will be saved. */
  readonly block: Block
  readonly tip: Tip
}

/** Moves the state of the chain. Not for concurrent use. */
export interface Applier {
  /** The end of the chain: what is saved. */
  readonly tip: Tip
  /** Begins at a stored tip. */
  reset(tip: Tip): void
  /**
   * Checks a block against `tip` and executes it; nothing is saved. Rejects with verdict `reject` (the block is
   * wrong), `halt` (it contradicts our state, or execution failed for good), or the signal's reason. With `own`
   * the header is not signed yet.
   */
  execute(
    tip: Tip,
    candidate: Candidate,
    options: { readonly signal: AbortSignal; readonly own?: boolean },
  ): Promise<Executed>
  /**
   * Saves executed blocks that follow the tip, in one atomic batch with changes of other parts of the database, and
   * moves the tip. When it failed, call it again with the same blocks: what was written all the same is not written
   * again; `STORE_CONFLICT` (halt) when something else lies there.
   */
  save(executed: readonly Executed[], options?: { readonly alongside?: readonly KvOp[] }): Promise<void>
  /**
   * Executes and saves one block, asking `sign` in between. When saving or signing failed, call it again with the
   * same block: it goes on where it was. An executed height belongs to its block: until that is saved, another
   * block is refused with `HEIGHT_TAKEN`. The changes `alongside` are in the batch of the block.
   */
  apply(
    candidate: Candidate,
    options: {
      readonly signal: AbortSignal
      readonly sign?: SignBlock
      readonly alongside?: readonly KvOp[]
    },
  ): Promise<Block>
}

/** What an {@link Applier} needs. */
export interface ApplierDeps {
  readonly blockStore: BlockStore
  readonly executor: Executor
  readonly patient: PatientExecutor
  readonly proposers: Proposers
  readonly env: Env
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Makes an {@link Applier} that begins at `begin`. */
export function createApplier(deps: ApplierDeps, begin: Tip): Applier {
  const { blockStore, executor, patient, proposers, env, logger, metrics } = deps
  let tip = begin
  /** Executed, perhaps saved: what a failed `apply` left behind. */
  let unsaved: { readonly hash: Uint8Array; executed: Executed; signed: boolean } | undefined
  /** A save failed: whether it did save must be looked up. */
  let uncertain = false

  function observe(operation: string, since: number): void {
    metrics.observe(BLOCK_METRICS.operationDuration, (env.monotonic() - since) / 1_000, { operation })
  }

  async function execute(
    at: Tip,
    candidate: Candidate,
    options: { readonly signal: AbortSignal; readonly own?: boolean },
  ): Promise<Executed> {
    const began = env.monotonic()
    const skipSignature = options.own === true || (candidate.stored && candidate.proven === true)
    validateBlock(at.state, candidate, { skipSignature })
    const data = linkedData(at, candidate, candidate.stored)
    observe('block_validation', began)
    const validated = env.monotonic()
    const { height, time } = candidate.header.header
    const result = await patient.call({
      what: 'executing a block',
      height,
      signal: options.signal,
      task: async (signal) =>
        await executor.executeTxs(
          { txs: data.txs, height, time, previousStateRoot: at.state.appHash },
          { signal },
        ),
    })
    observe('block_execution', validated)
    const state = nextState(at.state, candidate.header, result, candidate.daHeight)
    return { candidate, block: { header: candidate.header, data }, tip: tipAfter(state, data) }
  }

  async function save(
    executed: readonly Executed[],
    { alongside = [] }: { readonly alongside?: readonly KvOp[] } = {},
  ): Promise<void> {
    const last = executed.at(-1)
    if (last === undefined) return
    if (uncertain && (await alreadySaved(last))) {
      logger.warn('blocks were saved although saving them failed', {
        height: last.tip.state.lastBlockHeight,
        blocks: executed.length,
      })
    } else {
      await write(executed, alongside)
    }
    uncertain = false
    moveTo(executed)
  }

  async function write(executed: readonly Executed[], alongside: readonly KvOp[]): Promise<void> {
    const began = env.monotonic()
    const saves = executed.map(
      ({ candidate, block, tip: { state } }): BlockSave => ({
        header: block.header,
        data: block.data,
        state,
        stored: candidate.stored && block.data === candidate.data && block.header === candidate.header,
      }),
    )
    try {
      await blockStore.saveBlocks(saves, { alongside })
    } catch (error) {
      uncertain = true
      throw error
    }
    observe('state_update', began)
  }

  function moveTo(executed: readonly Executed[]): void {
    for (const { tip: next } of executed) {
      tip = next
      const { lastBlockHeight, nextProposerAddress } = next.state
      try {
        proposers.name(lastBlockHeight + 1, nextProposerAddress)
      } catch (error) {
        // The block is saved; who listens to proposers must not make it look as if it were not.
        logger.error('naming the next proposer failed', { height: lastBlockHeight + 1, error })
      }
    }
    unsaved = undefined
    metrics.gauge(BLOCK_METRICS.height, tip.state.lastBlockHeight)
  }

  /** Whether a save that failed did save: the batch was written, but its success did not reach us. */
  async function alreadySaved({ tip: { state } }: Executed): Promise<boolean> {
    const { lastBlockHeight: height, lastHeaderHash: hash } = state
    const stored = await blockStore.height()
    if (stored <= tip.state.lastBlockHeight) return false
    if (stored === height && (await blockStore.heightOf(hash)) === height) return true
    throw new EvolveError(
      'STORE_CONFLICT',
      `block ${height} was to be saved with header hash ${toHex(hash)}, but the store is at height ${stored} with another`,
      { verdict: 'halt', data: { height, stored, expected: toHex(hash) } },
    )
  }

  async function signWith(sign: SignBlock, executed: Executed): Promise<Executed> {
    const header = await sign(executed.block.header, executed.tip.state)
    const { height } = executed.block.header.header
    try {
      if (!equalBytes(headerHash(header.header), executed.tip.state.lastHeaderHash)) {
        throw new EvolveError('INVALID_HEADER', 'the signer changed the header')
      }
      validateHeader(header)
    } catch (cause) {
      throw new EvolveError(
        'INVALID_OWN_SIGNATURE',
        `signing block ${height} did not give a valid header: ${describeError(cause)}`,
        { verdict: 'halt', cause, data: { height } },
      )
    }
    return { ...executed, block: { header, data: executed.block.data } }
  }

  return {
    get tip() {
      return tip
    },
    reset(next) {
      tip = next
      unsaved = undefined
    },
    execute,
    save,
    async apply(candidate, { signal, sign, alongside = [] }) {
      const hash = headerHash(candidate.header.header)
      const { height } = candidate.header.header
      if (unsaved !== undefined && !equalBytes(unsaved.hash, hash)) {
        throw new EvolveError(
          'HEIGHT_TAKEN',
          `block ${toHex(hash)} came while ${toHex(unsaved.hash)} was executed at height ${tip.state.lastBlockHeight + 1} and not saved yet`,
          { verdict: 'retry', data: { height } },
        )
      }
      if (unsaved === undefined) {
        const executed = await execute(tip, candidate, { signal, own: sign !== undefined })
        unsaved = { hash, executed, signed: sign === undefined }
      }
      const pending = unsaved
      if (sign !== undefined && !pending.signed) {
        pending.executed = await signWith(sign, pending.executed)
        pending.signed = true
      }
      await save([pending.executed], { alongside })
      return pending.executed.block
    },
  }
}
