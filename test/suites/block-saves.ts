import type { BlockSave } from '../../src/core/block-store.ts'
import { initialState, nextState, type State } from '../../src/types/state.ts'
import { EMPTY_BYTES } from '../../src/util/bytes.ts'
import { makeChain, type TestChainOptions } from '../support/chain.ts'

/** Blocks as the block store takes them, and the state before the first. */
export function makeSaves(options: TestChainOptions): { initial: State; saves: readonly BlockSave[] } {
  const { genesis, blocks } = makeChain(options)
  const initial = initialState(genesis, blocks[0]?.header.header.appHash ?? EMPTY_BYTES)
  const saves: BlockSave[] = []
  let state = initial
  for (const [index, block] of blocks.entries()) {
    const stateRoot = blocks[index + 1]?.header.header.appHash ?? EMPTY_BYTES
    state = nextState(state, block.header, { stateRoot, nextProposerAddress: EMPTY_BYTES })
    saves.push({ ...block, state, stored: false })
  }
  return { initial, saves }
}
