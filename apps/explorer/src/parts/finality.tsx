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
  header: 'Header',
  final: 'Final',
}

/** DA heights of a block's halves; one where they are the same. */
function heightsWords({ headerDaHeight, dataDaHeight }: BlockSummary): string {
  const heights = [...new Set([headerDaHeight, dataDaHeight])].filter((height) => height !== undefined)
  return heights.map(formatCount).join(' · ')
}

/** The same in a sentence. */
function longWords({ headerDaHeight, dataDaHeight }: BlockSummary): string {
  const part = (name: string, height: number | undefined): string[] =>
    height === undefined ? [] : [`${name} at DA height ${formatCount(height)}`]
  if (headerDaHeight === dataDaHeight) return part('header and data', headerDaHeight).join('')
  return [...part('header', headerDaHeight), ...part('data', dataDaHeight)].join(', ')
}

interface FinalityProps {
  readonly block: BlockSummary
  /** Whether there is room for a sentence. */
  readonly long?: boolean
}

/** Says whether a block is on DA, and at which heights. */
export function Finality({ block, long = false }: FinalityProps) {
  const state = finalityOf(block)
  const heights = long ? longWords(block) : heightsWords(block)
  return (
    <span class={`finality ${state}`}>
      <span class="dot" aria-hidden="true" />
      {long && state === 'header' ? 'Header on DA' : WORDS[state]}{' '}
      {heights === '' ? null : <span class="da-heights">{long ? heights : `at ${heights}`}</span>}
    </span>
  )
}
