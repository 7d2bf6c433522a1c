/*
 * Whether the end of an imported chain can be believed, and whether the application's state is the one it names.
 */
import type { Kv } from '../core/kv.ts'
import type { EntryExecutor } from '../execution/entry-executor.ts'
import { createBlockStore } from '../store/block-store.ts'
import { KEYS } from '../store/keys.ts'
import { damaged, type SnapshotManifest } from '../store/snapshot-format.ts'
import { subKv } from '../store/sub-kv.ts'
import type { Block } from '../core/block-store.ts'
import type { Genesis } from '../types/genesis.ts'
import type { State } from '../types/state.ts'
import { validateHeader } from '../types/validate.ts'
import { equalBytes, toHex } from '../util/bytes.ts'
import { EvolveError } from '../util/errors.ts'
import { proposerAfter, reading } from './snapshot-chain.ts'

/** What is known of the chain beforehand. */
export interface VerifyDeps {
  readonly genesis: Genesis
  readonly executor: (kv: Kv) => EntryExecutor
}

/**
 * Looks at a filled database as a node that starts does. The last header must be validly signed, by the proposer that
 * genesis names unless its hash is `trusted`. The application's entries before the last block must be those of the
 * state root in that header; then the block is executed once more, which gives the next proposer, too. What would undo older blocks is not proven by
 * anything, and is dropped. Rejects with `SNAPSHOT_UNTRUSTED` and `SNAPSHOT_DAMAGED`.
 */
export async function verifySnapshot(
  kv: Kv,
  { genesis, executor: makeExecutor }: VerifyDeps,
  manifest: SnapshotManifest,
  options: { readonly trusted: boolean; readonly signal: AbortSignal },
): Promise<void> {
  const blocks = createBlockStore({ kv })
  await blocks.start()
  try {
    const state = await blocks.state()
    const block = await blocks.block(manifest.height)
    if (state === undefined || block === undefined) throw damaged('its last block is missing')
    reading('the last header', () => validateHeader(block.header))
    if (!options.trusted) assertProposer(genesis, state, block)
    const executor = makeExecutor(subKv(kv, Uint8Array.of(KEYS.executor)))
    const { chainId, initialHeight, startTime: time } = genesis
    await asApplication(async () => await executor.initChain({ chainId, initialHeight, time }, options))
    await verifyState(executor, { state, block, genesis }, options.signal)
  } finally {
    await blocks.stop()
  }
}

function assertProposer(genesis: Genesis, { nextProposerAddress }: State, { header }: Block): void {
  const expected = genesis.proposerAddress
  const { height, proposerAddress } = header.header
  const named = [proposerAddress, nextProposerAddress].find((address) => !equalBytes(address, expected))
  if (named === undefined) return
  throw new EvolveError(
    'SNAPSHOT_UNTRUSTED',
    `the snapshot says that ${toHex(named)} proposes at height ${height}, genesis.json names ${toHex(expected)}: give --trusted-hash with the header hash of height ${height} from somebody you trust`,
  )
}

async function verifyState(
  executor: EntryExecutor,
  { state, block, genesis }: { readonly state: State; readonly block: Block; readonly genesis: Genesis },
  signal: AbortSignal,
): Promise<void> {
  const { height, time, appHash, proposerAddress } = block.header.header
  const at = await asApplication(async () => await executor.latestHeight({ signal }))
  if (at !== height) throw damaged(`the application's state is of height ${at}, not of ${height}`)
  await asApplication(async () => await executor.rollback(height - 1, { signal }))
  const before = await asApplication(async () => await executor.recomputedRoot())
  const kept = await executor.stateRoot()
  if (!equalBytes(before, appHash) || !equalBytes(kept, appHash)) {
    throw damaged(`the application's state before block ${height} is not the one that its header names`)
  }
  const { stateRoot, nextProposerAddress } = await asApplication(
    async () =>
      await executor.executeTxs(
        { txs: block.data.txs, height, time, previousStateRoot: appHash },
        { signal },
      ),
  )
  if (!equalBytes(stateRoot, state.appHash)) {
    throw damaged(`executing block ${height} gives another state root than the stored one`)
  }
  // Whoever is named here signs what comes next: it must be who proposed this block, or whom the application names.
  const proposer = nextProposerAddress.length > 0 ? nextProposerAddress : proposerAddress
  if (!equalBytes(proposer, proposerAfter(state, genesis))) {
    throw damaged(`executing block ${height} gives another next proposer than the stored one`)
  }
  await executor.prune(height, { signal })
}

/** What the application says of records that make no sense is damage. */
async function asApplication<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    if (error instanceof EvolveError) throw damaged("the application's state cannot be used", error)
    throw error
  }
}
