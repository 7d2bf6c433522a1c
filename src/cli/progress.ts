/*
 * One line that tells how far a node has come.
 */
import type { NodeStatus } from '../core/status.ts'

/** What {@link renderProgress} shows. */
export interface Progress extends Pick<NodeStatus, 'height' | 'headerHeight' | 'targetHeight' | 'peers'> {
  /** A phase of a node, which may be of a later version. */
  readonly phase: string
  /** Blocks executed a second, lately. */
  readonly blocksPerSecond: number
}

const WIDEST_BAR = 40
const NARROWEST_BAR = 8
const GAP = '  '
/** Seconds; what would take longer is not worth foretelling. */
const LONGEST_SPAN = 99 * 86_400

const LABELS = {
  stopped: 'stopped',
  'waiting-genesis': 'waiting for genesis time',
  'waiting-peers': 'waiting for the first block',
  replaying: 'replaying',
  'catching-up': 'syncing',
  following: 'following',
  halted: 'halted',
  producing: 'producing',
  paused: 'paused: too many blocks wait for DA',
  'waiting-executor': 'waiting for the executor',
} as const satisfies Record<NodeStatus['phase'], string>

const labels: ReadonlyMap<string, string> = new Map(Object.entries(LABELS))

/** A phase in words. */
export function phaseLabel(phase: string): string {
  return labels.get(phase) ?? phase
}

/** Phases in which there is nothing to catch up with. */
const QUIET: ReadonlySet<string> = new Set<NodeStatus['phase']>([
  'following',
  'stopped',
  'halted',
  'producing',
  'paused',
  'waiting-executor',
])

/** Whether a node in this phase has nothing to catch up with. */
export function isQuiet(phase: string): boolean {
  return QUIET.has(phase)
}

const grouped = new Intl.NumberFormat('en-US')

/** A span of time in its two largest units: `8s`, `3m05s`, `2h40m`, `4d06h`. */
export function formatSpan(seconds: number): string {
  const whole = Math.ceil(seconds)
  const two = (value: number): string => String(value).padStart(2, '0')
  if (whole < 60) return `${whole}s`
  if (whole < 3_600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 1_440) return `${Math.floor(minutes / 60)}h${two(minutes % 60)}m`
  const hours = Math.floor(minutes / 60)
  return `${Math.floor(hours / 24)}d${two(hours % 24)}h`
}

/** Executed blocks full, headers that are here already half, the rest empty. */
function bar({ height, headerHeight, targetHeight }: Progress, width: number): string {
  const cells = (at: number): number => Math.floor((Math.min(at, targetHeight) / targetHeight) * width)
  const full = cells(height)
  const half = Math.max(cells(headerHeight) - full, 0)
  return '█'.repeat(full) + '▒'.repeat(half) + '░'.repeat(width - full - half)
}

/**
 * The line for a terminal of `width` columns, always shorter than that: what does not fit is left out, the least
 * important first. Without colours.
 */
export function renderProgress(progress: Progress, width: number): string {
  const { phase, height, targetHeight, peers, blocksPerSecond } = progress
  const room = Math.max((Number.isFinite(width) && width > 0 ? Math.floor(width) : 80) - 1, 0)
  const missing = Math.max(targetHeight - height, 0)
  const rate =
    blocksPerSecond >= 10 ? grouped.format(Math.round(blocksPerSecond)) : blocksPerSecond.toFixed(1)
  const people = `${peers} ${peers === 1 ? 'peer' : 'peers'}`
  if (targetHeight <= 0) return `${phaseLabel(phase)}${GAP}${people}`.slice(0, room)

  // Rounded down: 100 % means that nothing is missing.
  const percent = (Math.floor((Math.min(height, targetHeight) / targetHeight) * 1_000) / 10).toFixed(1)
  const share = `${percent} %`.padStart(7)
  const label = phaseLabel(phase)
  const heights = `${grouped.format(height)} / ${grouped.format(targetHeight)}`
  const speed = `${rate} blocks/s`
  const secondsLeft = missing / blocksPerSecond
  const left = missing > 0 && secondsLeft < LONGEST_SPAN ? `${formatSpan(secondsLeft)} left` : ''
  const leastFirst = [people, left, label, speed, heights]
  for (let dropped = 0; dropped <= leastFirst.length; dropped++) {
    const gone = new Set([...leastFirst.slice(0, dropped), ''])
    const after = [share, heights, speed, people, left].filter((text) => !gone.has(text)).join(GAP)
    const before = gone.has(label) ? '' : `${label}${GAP}`
    const space = Math.min(room - before.length - GAP.length - after.length, WIDEST_BAR)
    if (space >= NARROWEST_BAR) return `${before}${bar(progress, space)}${GAP}${after}`
  }
  return share.trim().slice(0, room)
}
