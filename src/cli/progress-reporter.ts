import type { Env } from '../core/env.ts'
import type { Logger } from '../core/logger.ts'
import type { NodeStatus } from '../core/status.ts'
import { isQuiet, renderProgress } from './progress.ts'
import type { Terminal } from './terminal.ts'

/** What a {@link ProgressReporter} watches, and where it tells of it. */
export interface ProgressDeps {
  status(): NodeStatus
  readonly terminal: Terminal
  readonly env: Env
  readonly logger: Logger
}

/** Tells how far a node has come while it is not at the tip. */
export interface ProgressReporter {
  start(): void
  /** Removes the live line. */
  stop(): void
}

/** Milliseconds between two looks when somebody watches, and when lines are logged instead. */
const LIVE_INTERVAL = 200
const LOG_INTERVAL = 5_000

/** Milliseconds over which the speed is taken. */
const WINDOW = 10_000

const green = (text: string): string => `\u001b[32m${text}\u001b[39m`

/**
 * Makes a {@link ProgressReporter}: a live line where a terminal is, else a log line every five seconds. Both end
 * when the node follows the tip, and begin again when it falls behind. With `color` the bar is green.
 */
export function createProgressReporter(
  deps: ProgressDeps,
  { color }: { readonly color: boolean },
): ProgressReporter {
  const { terminal, env, logger } = deps
  const interval = terminal.interactive ? LIVE_INTERVAL : LOG_INTERVAL
  let samples: { readonly at: number; readonly height: number }[] = []
  let behind = false
  let cancel: (() => void) | undefined

  function blocksPerSecond(height: number): number {
    const at = env.monotonic()
    samples = [...samples.filter((sample) => at - sample.at <= WINDOW), { at, height }]
    const [first] = samples
    if (first === undefined || first.at === at) return 0
    return Math.max(((height - first.height) / (at - first.at)) * 1_000, 0)
  }

  function look(): void {
    const now = deps.status()
    const busy = !isQuiet(now.phase)
    const progress = { ...now, blocksPerSecond: blocksPerSecond(now.height) }
    if (!busy) {
      terminal.live(undefined)
      if (behind && now.phase === 'following')
        logger.info('caught up', { height: now.height, peers: now.peers })
      behind = false
      return
    }
    behind = true
    if (terminal.interactive) {
      const line = renderProgress(progress, terminal.width)
      terminal.live(color ? line.replace(/█+/, green) : line)
      return
    }
    logger.info('catching up', {
      phase: now.phase,
      height: now.height,
      header_height: now.headerHeight,
      target_height: now.targetHeight,
      blocks_per_second: Math.round(progress.blocksPerSecond * 10) / 10,
      peers: now.peers,
    })
  }

  function next(): void {
    cancel = env.timer(
      interval,
      () => {
        look()
        next()
      },
      { background: true },
    )
  }

  return {
    start() {
      if (cancel !== undefined) return
      if (terminal.interactive) look()
      else blocksPerSecond(deps.status().height)
      next()
    },
    stop() {
      cancel?.()
      cancel = undefined
      terminal.live(undefined)
    },
  }
}
