import type { NodeStatus } from 'evolve-node/client'
import { formatCount, formatDuration, formatRate } from '../format.ts'

/** Blocks that a node may be behind without being said to catch up. */
const NEAR = 5

/** Whether there is progress to be shown. */
export function isBehind({ phase, height, targetHeight }: NodeStatus): boolean {
  if (phase === 'catching-up' || phase === 'replaying') return true
  return phase !== 'producing' && phase !== 'paused' && targetHeight - height > NEAR
}

/** How far a node has come: a bar for each thing that it does. */
export function SyncProgress({
  status,
  initialHeight,
}: {
  readonly status: NodeStatus
  readonly initialHeight: number
}) {
  const { headerHeight, dataHeight, height, finalHeight, targetHeight, da, rates, estimate } = status
  const target = Math.max(targetHeight, headerHeight, height)
  const base = initialHeight - 1
  return (
    <section class="card sync" aria-labelledby="sync-title">
      <header class="card-head">
        <h2 id="sync-title">Catching up</h2>
        <p class="muted">
          {formatCount(Math.max(0, target - height))} blocks to go · {formatRate(rates.blocks)} blocks/s
          {estimate === undefined ? '' : ` · about ${formatDuration(estimate)} left`}
        </p>
      </header>
      <dl class="stages">
        <Stage name="Headers" height={headerHeight} base={base} target={target} rate={rates.headers} />
        <Stage name="Data" height={dataHeight} base={base} target={target} />
        <Stage name="Executed" height={height} base={base} target={target} rate={rates.blocks} />
        <Stage name="Final" height={finalHeight} base={base} target={target} />
        {da === undefined ? null : (
          <Stage
            name="DA read"
            height={Math.max(0, da.next - 1)}
            base={0}
            target={da.head}
            rate={rates.daHeights}
          />
        )}
      </dl>
    </section>
  )
}

interface StageProps {
  readonly name: string
  readonly height: number
  /** Where it began. */
  readonly base: number
  readonly target: number
  readonly rate?: number
}

function Stage({ name, height, base, target, rate }: StageProps) {
  const [done, all] = [Math.max(0, height - base), Math.max(1, target - base)]
  return (
    <div class="stage">
      <dt>{name}</dt>
      <dd>
        <progress value={Math.min(done, all)} max={all} aria-label={name} />
        <span class="stage-height">
          {formatCount(height)} <span class="muted">of {formatCount(target)}</span>
        </span>
        <span class="stage-rate muted">{rate === undefined ? '' : `${formatRate(rate)}/s`}</span>
      </dd>
    </div>
  )
}
