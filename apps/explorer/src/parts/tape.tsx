import type { BlockSummary } from 'evolve-node/client'
import { useRef } from 'preact/hooks'
import { countOf, formatCount } from '../format.ts'
import { navigate } from '../router.tsx'
import { blockPath } from '../routes.ts'
import { type FinalityState, finalityOf } from './finality.tsx'
import { useSlide } from './slide.ts'

/** Bars that are drawn, and their measures in units of the drawing. */
const BARS = 100
const [STEP, WIDTH, HEIGHT, LEAST] = [10, 7, 64, 5]

const WORDS: Readonly<Record<FinalityState, string>> = {
  pending: 'not final yet',
  header: 'header on DA',
  final: 'final',
}

/** How high the bar of a block is: the logarithm of its transactions, as part of the fullest block's. */
function barHeight(txCount: number, most: number): number {
  if (txCount === 0 || most === 0) return LEAST
  return LEAST + 3 + (HEIGHT - LEAST - 3) * (Math.log1p(txCount) / Math.log1p(most))
}

/** The newest blocks as a row of bars, the newest at the right: as high as they are full, coloured by finality. */
export function Tape({ blocks }: { readonly blocks: readonly BlockSummary[] }) {
  const group = useRef<SVGGElement>(null)
  const newest = blocks[0]?.height
  useSlide(group, newest, (added) => `translateX(${Math.min(added, BARS) * STEP}px)`)
  const most = Math.max(0, ...blocks.map(({ txCount }) => txCount))
  const final = blocks.filter(({ final: yes }) => yes).length
  const open = (event: MouseEvent): void => {
    const height = event.target instanceof Element ? event.target.getAttribute('data-height') : null
    if (height !== null) navigate(blockPath(Number(height)))
  }
  if (newest === undefined) return <div class="tape" />
  return (
    <svg
      class="tape"
      viewBox={`0 0 ${BARS * STEP} ${HEIGHT}`}
      preserveAspectRatio="xMaxYMax slice"
      role="img"
      aria-label={`The last ${countOf(blocks.length, 'block')}; ${formatCount(final)} final; ${formatCount(most)} transactions at most`}
      onClick={open}
    >
      <g ref={group}>
        {blocks.slice(0, BARS).map((block) => {
          const high = barHeight(block.txCount, most)
          const state = finalityOf(block)
          return (
            <rect
              key={block.height}
              class={`bar ${state}`}
              data-height={block.height}
              x={(BARS - 1 - (newest - block.height)) * STEP + (STEP - WIDTH) / 2}
              y={HEIGHT - high}
              width={WIDTH}
              height={high}
              rx="1.5"
            >
              <title>{`Block ${formatCount(block.height)} · ${countOf(block.txCount, 'transaction')} · ${WORDS[state]}`}</title>
            </rect>
          )
        })}
      </g>
    </svg>
  )
}
