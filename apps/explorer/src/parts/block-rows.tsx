import type { BlockSummary } from 'evolve-node/client'
import { useRef } from 'preact/hooks'
import { formatBytes, formatCount } from '../format.ts'
import { Link } from '../router.tsx'
import { blockPath } from '../routes.ts'
import { Age } from './age.tsx'
import { moveAlongRows } from './arrow-keys.ts'
import { Finality } from './finality.tsx'
import { ShortHash } from './hash.tsx'
import { useSlide } from './slide.ts'

/** A row must not come from farther away than this. */
const FARTHEST_ROWS = 12

/** Blocks as a table, the highest first; with `live`, new ones slide in. */
export function BlockTable({
  blocks,
  live = false,
}: {
  readonly blocks: readonly BlockSummary[]
  readonly live?: boolean
}) {
  const body = useRef<HTMLTableSectionElement>(null)
  useSlide(body, live ? blocks[0]?.height : undefined, (added, element) => {
    const row = element.firstElementChild?.getBoundingClientRect().height ?? 0
    return `translateY(-${Math.min(added, FARTHEST_ROWS) * row}px)`
  })
  return (
    <div class="rows">
      <table class="blocks">
        <thead>
          <tr>
            <th scope="col">Height</th>
            <th scope="col" class="wide">
              Hash
            </th>
            <th scope="col" class="number">
              Txs
            </th>
            <th scope="col" class="number middle">
              Size
            </th>
            <th scope="col" class="number">
              Age
            </th>
            <th scope="col">DA</th>
          </tr>
        </thead>
        <tbody ref={body} onKeyDown={moveAlongRows}>
          {blocks.map((block) => (
            <BlockRow key={block.height} block={block} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function BlockRow({ block }: { readonly block: BlockSummary }) {
  const { height, hash, txCount, txBytes, time } = block
  return (
    <tr class={txCount === 0 ? 'row empty' : 'row'}>
      <td>
        <Link to={blockPath(height)} class="row-link" data-row>
          {formatCount(height)}
        </Link>
      </td>
      <td class="wide">
        <ShortHash bytes={hash} />
      </td>
      <td class="number">{formatCount(txCount)}</td>
      <td class="number middle">{formatBytes(txBytes)}</td>
      <td class="number age">
        <Age time={time} />
      </td>
      <td>
        <Finality block={block} />
      </td>
    </tr>
  )
}
