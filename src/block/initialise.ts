/*
 * Where a node begins: at its stored state, or at genesis.
 */
import type { BlockStore } from '../core/block-store.ts'
import { type Env, sleep } from '../core/env.ts'
import type { Executor } from '../core/executor.ts'
import type { Logger } from '../core/logger.ts'
import { dataHash } from '../types/data.ts'
import type { Genesis } from '../types/genesis.ts'
import { initialState, type State } from '../types/state.ts'
import { EMPTY_BYTES } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import type { PatientExecutor } from './execute.ts'
import type { Tip } from './validate-block.ts'

/** Longest single sleep while waiting for genesis, milliseconds: timers take no more than 2^31 - 1. */
const LONGEST_SLEEP = 3_600_000

/** What beginning needs. */
export interface InitialiseDeps {
  readonly blockStore: BlockStore
  readonly genesis: Genesis
  readonly logger: Logger
}

/**
 * The stored tip, or undefined before the first start. Rejects with `GENESIS_MISMATCH` when the stored state is not
 * of this genesis and `STORE_INCONSISTENT` when state and blocks do not fit together, both with verdict `halt`.
 */
export async function loadTip(deps: InitialiseDeps): Promise<Tip | undefined> {
  const { blockStore, genesis, logger } = deps
  const stored = await blockStore.state()
  if (stored === undefined) return undefined
  checkGenesis(stored, genesis)
  const height = await blockStore.height()
  if (height !== stored.lastBlockHeight) {
    throw new EvolveError(
      'STORE_INCONSISTENT',
      `the stored state is of height ${stored.lastBlockHeight}, the last stored block of height ${height}`,
      { verdict: 'halt', data: { state: stored.lastBlockHeight, height } },
    )
  }
  const state = withProposer(stored, genesis, logger)
  if (height < genesis.initialHeight) return { state, lastDataHash: EMPTY_BYTES }
  const data = await blockStore.data(height)
  if (data === undefined)
    logger.warn('data of the last block is missing; its link is not checked', { height })
  return { state, lastDataHash: data === undefined ? undefined : dataHash(data) }
}

/** Has the executor prepare the genesis state and saves the state before the first block. */
export async function beginAtGenesis(
  deps: InitialiseDeps & { readonly executor: Executor; readonly patient: PatientExecutor },
  options: { readonly signal: AbortSignal },
): Promise<Tip> {
  const { blockStore, genesis, logger } = deps
  const root = await initChain(deps, options)
  const state = initialState(genesis, root)
  await blockStore.saveState(state)
  logger.info('chain begins', { chainId: genesis.chainId, initialHeight: genesis.initialHeight })
  return { state, lastDataHash: EMPTY_BYTES }
}

/** Calls the executor's `initChain` with patience; resolves with the root of the genesis state. */
export async function initChain(
  deps: { readonly genesis: Genesis; readonly executor: Executor; readonly patient: PatientExecutor },
  options: { readonly signal: AbortSignal },
): Promise<Uint8Array> {
  const { executor, patient, genesis } = deps
  const { chainId, initialHeight, startTime: time } = genesis
  return await patient.call({
    what: 'preparing the genesis state',
    height: initialHeight - 1,
    signal: options.signal,
    task: async (signal) => await executor.initChain({ time, initialHeight, chainId }, { signal }),
  })
}

/** Waits until the chain may begin. Rejects with the signal's reason when aborted. */
export async function waitForGenesis(
  deps: { readonly env: Env; readonly genesis: Genesis; readonly logger: Logger },
  options: { readonly signal: AbortSignal },
): Promise<void> {
  const { env, genesis, logger } = deps
  const left = (): number => Number((genesis.startTime - env.now() + 999_999n) / 1_000_000n)
  if (left() > 0) logger.info('waiting for genesis time', { milliseconds: left() })
  while (left() > 0) await sleep(env, Math.min(left(), LONGEST_SLEEP), options.signal)
}

function checkGenesis(state: State, genesis: Genesis): void {
  const mismatch = (what: string, stored: string | number, expected: string | number): EvolveError =>
    new EvolveError(
      'GENESIS_MISMATCH',
      `the stored state does not belong to this genesis: expected ${what} ${expected}, got ${stored}`,
      { verdict: 'halt', data: { what, expected, found: stored } },
    )
  if (state.chainId !== genesis.chainId) throw mismatch('chain id', state.chainId, genesis.chainId)
  if (state.initialHeight !== genesis.initialHeight) {
    throw mismatch('initial height', state.initialHeight, genesis.initialHeight)
  }
  if (state.lastBlockHeight < genesis.initialHeight - 1) {
    throw mismatch('height of at least', state.lastBlockHeight, genesis.initialHeight - 1)
  }
  if (state.daHeight !== 0 && state.daHeight < genesis.daStartHeight) {
    throw mismatch('DA height of at least', state.daHeight, genesis.daStartHeight)
  }
}

function withProposer(state: State, genesis: Genesis, logger: Logger): State {
  if (state.nextProposerAddress.length > 0) return state
  logger.warn('the stored state names no proposer; going on with that of genesis', {
    height: state.lastBlockHeight,
  })
  return { ...state, nextProposerAddress: genesis.proposerAddress }
}
