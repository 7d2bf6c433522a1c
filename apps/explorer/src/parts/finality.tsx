import type { BlockSummary } from 'evolve-node/client'
import { formatCount } from '../format.ts'

/** Whether a block is on DA: nothing of it as far as is known, its header, or all of it. */
export type FinalityState = 'pending' | 'header' | 'final'

/** The state of a block. */
export function finalityOf({ final, headerDaHeight }: BlockSummary): FinalityState {
  if (final) return 'final'
  return headerDaHeight === undefined ? 'pending' : 'header'
}

const WORDS: Readonly<Record<FinalityState, string>> = {
  pending: 'Pending',
  header: 'Header on DA',
  final: 'Final',
}

/** DA heights of a block's halves; one where they are the same. */
export function daHeights({ headerDaHeight, dataDaHeight }: BlockSummary): string {
  const heights = [...new Set([headerDaHeight, dataDaHeight])].filter((height) => height !== undefined)
  return heights.map(formatCount).join(' · ')
}

/** Says whether a block is on DA, and at which heights. */
export function Finality({ block }: { readonly block: BlockSummary }) {
  const state = finalityOf(block)
  const heights = daHeights(block)
  return (
    <span class={`finality ${state}`}>
      <span class="dot" aria-hidden="true" />
      {WORDS[state]}
      {heights === '' ? null : <span class="da-heights">{` ${heights}`}</span>}
    </span>
  )
}
