import type { BlockSummary } from 'evolve-node/client'
import { useEffect, useState } from 'preact/hooks'
import { formatCount, formatRate } from '../format.ts'
import { live } from '../node.ts'
import { BlockTable } from '../parts/block-rows.tsx'
import { Chart } from '../parts/chart.tsx'
import { PauseIcon, PlayIcon } from '../parts/icons.tsx'
import { Overview } from '../parts/overview.tsx'
import { Page } from '../parts/page.tsx'
import { Loading, Nothing } from '../parts/states.tsx'
import { isBehind, SyncProgress } from '../parts/sync-progress.tsx'
import { Link } from '../router.tsx'
import { blocksPath } from '../routes.ts'
import { useValue } from '../value.ts'

/** Blocks in the live list. */
const ROWS = 25

/** The chain as it grows. */
export function HomePage() {
  const info = useValue(live.info)
  const status = useValue(live.status)
  const blocks = useValue(live.blocks)
  useEffect(() => live.watchBlocks(), [])
  return (
    <Page title="Chain" quiet>
      {info === undefined || status === undefined ? (
        <Loading what="the chain" />
      ) : (
        <>
          <Overview info={info} status={status} blocks={blocks} />
          {isBehind(status) ? <SyncProgress status={status} initialHeight={info.initialHeight} /> : null}
          <Charts da={status.da !== undefined} />
          <LatestBlocks blocks={blocks} />
        </>
      )}
    </Page>
  )
}

function Charts({ da }: { readonly da: boolean }) {
  const { times, blocks, transactions, lag } = useValue(live.history)
  return (
    <section class="charts" aria-label="The last minutes">
      <Chart title="Blocks / s" unit="blocks a second" times={times} values={blocks} format={formatRate} />
      <Chart
        title="Transactions / s"
        unit="transactions a second"
        times={times}
        values={transactions}
        format={formatRate}
      />
      {da ? (
        <Chart
          title="Blocks not final"
          unit="executed blocks that are not final"
          times={times}
          values={lag}
          format={formatCount}
        />
      ) : null}
    </section>
  )
}

/** Stands still while somebody reads in it, or has stopped it. */
function LatestBlocks({ blocks }: { readonly blocks: readonly BlockSummary[] }) {
  const [paused, setPaused] = useState<readonly BlockSummary[] | undefined>(undefined)
  const [held, setHeld] = useState<readonly BlockSummary[] | undefined>(undefined)
  const shown = (paused ?? held ?? blocks).slice(0, ROWS)
  const [newest, top] = [blocks[0]?.height ?? 0, shown[0]?.height ?? 0]
  const hold = (): void => setHeld((before) => before ?? blocks)
  const release = (): void => setHeld(undefined)
  return (
    <section class="card latest" aria-labelledby="latest-title">
      <header class="card-head">
        <h2 id="latest-title">Latest blocks</h2>
        <p class="muted waiting" aria-hidden="true">
          {newest > top ? `${formatCount(newest - top)} newer` : ''}
        </p>
        <button
          type="button"
          class="button"
          aria-pressed={paused !== undefined}
          disabled={shown.length === 0}
          onClick={() => setPaused(paused === undefined ? shown : undefined)}
        >
          {paused === undefined ? <PauseIcon /> : <PlayIcon />}
          {paused === undefined ? 'Pause' : 'Go on'}
        </button>
      </header>
      {shown.length === 0 ? (
        <Nothing>No block has been executed yet.</Nothing>
      ) : (
        <div onPointerEnter={hold} onPointerLeave={release} onFocusIn={hold} onFocusOut={release}>
          <BlockTable blocks={shown} live />
        </div>
      )}
      {top > ROWS ? (
        <footer class="card-foot">
          <Link to={blocksPath(top - ROWS)}>Older blocks</Link>
        </footer>
      ) : null}
    </section>
  )
}
