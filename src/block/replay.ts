/*
 * Brings the executor to the height of the block store: after a crash the two may differ by a block, after the
 * loss of the executor's data by all.
 */
import type { Block, BlockStore } from '../core/block-store.ts'
import type { Executor } from '../core/executor.ts'
import type { Logger } from '../core/logger.ts'
import type { Genesis } from '../types/genesis.ts'
import type { State } from '../types/state.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { describeError, EvolveError } from '../util/errors.ts'
import type { PatientExecutor } from './execute.ts'
import { initChain } from './initialise.ts'

/** What a replay needs. */
export interface ReplayDeps {
  readonly blockStore: BlockStore
  readonly executor: Executor
  readonly patient: PatientExecutor
  readonly genesis: Genesis
  readonly logger: Logger
}

/** Blocks between two log lines of a long replay. */
const LOG_EVERY = 1_000

/**
 * Makes the executor's last height that of `state`. Behind: the stored blocks are executed again, each result
 * compared with what was stored (`EXECUTOR_DIVERGED`). Ahead: it is rolled back; without that ability one block
 * ahead is accepted, since executors take the last block again after a crash, and more is `EXECUTOR_AHEAD`. An
 * executor that cannot tell its height is taken to be where the store is. `REPLAY_BLOCK_MISSING` when a block that
 * is needed is not in the store. All of these carry verdict `halt`.
 */
export async function bringExecutorTo(
  state: State,
  deps: ReplayDeps,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { genesis, logger } = deps
  const target = state.lastBlockHeight
  const found = await executorHeight(deps, options)
  if (found === undefined) return
  logger.debug('executor height', { height: found, target })
  if (found > target) {
    // A fresh executor says 0, which is above nothing; one that has executed says at least the initial height.
    if (found >= genesis.initialHeight) await rollBack(found, target, deps, options)
    return
  }
  if (found === target || target < genesis.initialHeight) return
  logger.info('executor is behind the store; executing stored blocks again', {
    from: found + 1,
    to: target,
  })
  if (found < genesis.initialHeight) await checkGenesisRoot(deps, options)
  const first = Math.max(found + 1, genesis.initialHeight)
  let next = loadBlock(deps, first)
  for (let height = first; height <= target; height++) {
    const block = await next
    if (height < target) {
      next = loadBlock(deps, height + 1)
      // It is awaited in the next turn, if that comes.
      next.catch(() => undefined)
    }
    const after = height === target ? state : await deps.blockStore.stateAt(height)
    // A header carries the root before its block: without the state, the next header tells what must come out.
    const root = after?.appHash ?? (await next).header.header.appHash
    await replay(block, { root, proposer: after?.nextProposerAddress }, deps, options)
    if (height % LOG_EVERY === 0) logger.info('executing stored blocks again', { height, to: target })
  }
  logger.info('executor is where the store is', { height: target, executed: target - first + 1 })
}

async function executorHeight(
  { executor, patient, genesis }: ReplayDeps,
  { signal }: { readonly signal: AbortSignal },
): Promise<number | undefined> {
  if (executor.latestHeight === undefined) return undefined
  const latestHeight = executor.latestHeight.bind(executor)
  return await patient.call({
    what: 'asking for the executed height',
    height: genesis.initialHeight,
    signal,
    task: async (inner) => await latestHeight({ signal: inner }),
  })
}

async function rollBack(
  found: number,
  target: number,
  deps: ReplayDeps,
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { executor, patient, logger } = deps
  const facts = { height: found, target }
  let cause: unknown
  if (executor.rollback !== undefined) {
    const rollback = executor.rollback.bind(executor)
    logger.warn('executor is ahead of the store; rolling it back', facts)
    try {
      await patient.call({
        what: 'rolling back the executor',
        height: target,
        attempts: 1,
        signal: options.signal,
        task: async (signal) => await rollback(target, { signal }),
      })
      if ((await executorHeight(deps, options)) === target) return
    } catch (error) {
      options.signal.throwIfAborted()
      cause = error
    }
  }
  if (found === target + 1) {
    logger.warn('executor is one block ahead of the store; that block will be executed again', {
      ...facts,
      ...(cause === undefined ? {} : { error: cause }),
    })
    return
  }
  throw new EvolveError(
    'EXECUTOR_AHEAD',
    `the executor is at height ${found}, the block store at ${target}, and the executor ${executor.rollback === undefined ? 'cannot roll back' : `did not roll back${cause === undefined ? '' : ` (${describeError(cause)})`}`}: roll it back to ${target} by hand`,
    { verdict: 'halt', data: facts, cause },
  )
}

async function checkGenesisRoot(deps: ReplayDeps, options: { readonly signal: AbortSignal }): Promise<void> {
  const { blockStore, genesis } = deps
  const root = await initChain(deps, options)
  const before = await blockStore.stateAt(genesis.initialHeight - 1)
  const expected = before?.appHash ?? (await loadBlock(deps, genesis.initialHeight)).header.header.appHash
  if (!equalBytes(root, expected)) {
    throw diverged(genesis.initialHeight - 1, 'state root', expected, root)
  }
}

async function loadBlock({ blockStore }: ReplayDeps, height: number): Promise<Block> {
  const block = await blockStore.block(height)
  if (block !== undefined) return block
  throw new EvolveError(
    'REPLAY_BLOCK_MISSING',
    `block ${height} must be executed again but is not in the store`,
    {
      verdict: 'halt',
      data: { height },
    },
  )
}

async function replay(
  { header: { header }, data }: Block,
  expected: { readonly root: Uint8Array; readonly proposer: Uint8Array | undefined },
  { executor, patient }: ReplayDeps,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const { height, time, appHash: previousStateRoot } = header
  const { stateRoot, nextProposerAddress } = await patient.call({
    what: 'executing a stored block again',
    height,
    signal,
    task: async (inner) =>
      await executor.executeTxs({ txs: data.txs, height, time, previousStateRoot }, { signal: inner }),
  })
  if (!equalBytes(stateRoot, expected.root)) throw diverged(height, 'state root', expected.root, stateRoot)
  const named = nextProposerAddress.length > 0 ? nextProposerAddress : undefined
  if (named !== undefined && expected.proposer !== undefined && !equalBytes(named, expected.proposer)) {
    throw diverged(height, 'next proposer', expected.proposer, named)
  }
}

function diverged(height: number, what: string, expected: Uint8Array, found: Uint8Array): EvolveError {
  return new EvolveError(
    'EXECUTOR_DIVERGED',
    `executing block ${height} again gave another ${what}: expected ${toHex(expected)}, got ${toHex(found)}`,
    { verdict: 'halt', data: { height, what, expected: toHex(expected), found: toHex(found) } },
  )
}
