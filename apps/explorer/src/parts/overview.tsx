import type { NodeInfo, NodeStatus } from 'evolve-node/client'
import type { ComponentChildren } from 'preact'
import { formatCount } from '../format.ts'
import type { BlockWindow } from '../live/block-window.ts'
import { phaseMood, phaseWords } from '../words.ts'
import { Age } from './age.tsx'
import { finalityOf } from './finality.tsx'
import { Tape } from './tape.tsx'

interface OverviewProps {
  readonly info: NodeInfo
  readonly status: NodeStatus
  readonly blocks: BlockWindow
}

/** The node and its chain in a few figures, and the newest blocks as a row of bars. */
export function Overview({ info, status, blocks }: OverviewProps) {
  const { role, phase, height, finalHeight, peers, da, lastBlockTime } = status
  return (
    <section class="overview" aria-label="Where the node stands">
      <div class="overview-head">
        <p class={`phase ${phaseMood(phase)}`}>
          <span class="pulse" aria-hidden="true" />
          {phaseWords(phase)}
        </p>
        <p class="muted">
          {role} · {info.version}
        </p>
      </div>
      <dl class="figures">
        <Figure name="Height" value={formatCount(height)} great>
          {lastBlockTime === 0n ? (
            'no block yet'
          ) : (
            <>
              last block <Age time={lastBlockTime} />
            </>
          )}
        </Figure>
        <Figure name="Final" value={finalHeight < info.initialHeight ? '–' : formatCount(finalHeight)}>
          {height <= finalHeight ? 'up to date' : `${formatCount(height - finalHeight)} behind`}
        </Figure>
        <Figure name="Peers" value={formatCount(peers)}>
          connected
        </Figure>
        {da === undefined ? (
          <Figure name="DA" value="–">
            not used
          </Figure>
        ) : (
          <Figure name="DA height" value={da.head === 0 ? '–' : formatCount(da.head)}>
            {da.reachable ? daWords(da) : <strong class="bad-text">cannot be reached</strong>}
          </Figure>
        )}
      </dl>
      <Tape blocks={blocks} />
      <p class="legend muted">
        <span class="key final" aria-hidden="true" /> final
        {blocks.some((block) => finalityOf(block) === 'header') ? (
          <>
            <span class="key header" aria-hidden="true" /> header on DA
          </>
        ) : null}
        <span class="key pending" aria-hidden="true" /> not final yet
        <span class="legend-end">higher: more transactions</span>
      </p>
    </section>
  )
}

function daWords({ next, head, pending }: NonNullable<NodeStatus['da']>): string {
  const left = Math.max(0, head - next + 1)
  if (left > 1) return `${formatCount(left)} to read`
  return pending > 0 ? `${formatCount(pending)} to post` : 'read to its end'
}

interface FigureProps {
  readonly name: string
  readonly value: string
  readonly great?: boolean
  readonly children: ComponentChildren
}

function Figure({ name, value, great = false, children }: FigureProps) {
  return (
    <div class={great ? 'figure great' : 'figure'}>
      <dt>{name}</dt>
      <dd>
        <span class="figure-value">{value}</span>
        <span class="figure-note">{children}</span>
      </dd>
    </div>
  )
}
