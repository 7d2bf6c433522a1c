import type { Logger } from '../core/logger.ts'
import type { Devnet } from '../node/devnet/devnet.ts'
import { describeError } from '../util/errors.ts'
import type { CliContext } from './context.ts'
import { type DevnetFacts, devnetLine, renderDevnet } from './devnet-view.ts'
import { formatSpan } from './progress.ts'

/** Shows a devnet while it runs. */
export interface DevnetWatch {
  /** What the network logs to: warnings are shown too. */
  readonly logger: Logger
  start(network: Devnet): void
  /** Leaves the last picture. Safe to call twice. */
  stop(): void
}

/** Milliseconds between two pictures, on a terminal and elsewhere, and over which speeds are taken. */
const LIVE_INTERVAL = 250
const LINE_INTERVAL = 5_000
const WINDOW = 6_000

/** Makes a {@link DevnetWatch}: a table that changes in place, or a line now and then where no terminal is. */
export function createDevnetWatch(
  { env, screen, terminal, color }: Pick<CliContext, 'env' | 'screen' | 'terminal' | 'color'>,
  {
    root,
    logger,
    duration,
  }: { readonly root: string; readonly logger: Logger; readonly duration: number | undefined },
): DevnetWatch {
  const interval = screen.interactive ? LIVE_INTERVAL : LINE_INTERVAL
  let samples: { readonly at: number; readonly txs: number; readonly height: number }[] = []
  let warning: string | undefined
  let cancel: (() => void) | undefined
  let begun = 0

  function watching(inner: Logger): Logger {
    return {
      ...inner,
      warn(message, fields) {
        warning = text(message, fields)
        inner.warn(message, fields)
      },
      error(message, fields) {
        warning = text(message, fields)
        inner.error(message, fields)
      },
      child: (fields) => watching(inner.child(fields)),
    }
  }

  function facts(network: Devnet): DevnetFacts {
    const status = network.status()
    const at = env.monotonic()
    const height = status.nodes[0]?.status.height ?? 0
    samples = [...samples.filter((sample) => at - sample.at <= WINDOW), { at, txs: status.txs, height }]
    const [first] = samples
    const seconds = first === undefined ? 0 : (at - first.at) / 1_000
    const speed = (now: number, then: number): number =>
      seconds === 0 ? 0 : Math.max(now - then, 0) / seconds
    const left = duration === undefined ? 0 : Math.max(duration - (at - begun), 0) / 1_000
    return {
      status,
      elapsed: (at - begun) / 1_000,
      txsPerSecond: speed(status.txs, first?.txs ?? 0),
      blocksPerSecond: speed(height, first?.height ?? 0),
      root,
      warning,
      ends: duration === undefined ? 'Ctrl-C stops' : left > 0 ? `ends in ${formatSpan(left)}` : 'comparing',
    }
  }

  function look(network: Devnet): void {
    const now = facts(network)
    if (screen.interactive) screen.show(renderDevnet(now, { width: screen.width, color }))
    else terminal.write(`${devnetLine(now)}\n`)
  }

  function next(network: Devnet): void {
    cancel = env.timer(interval, () => {
      look(network)
      next(network)
    })
  }

  return {
    logger: watching(logger),
    start(network) {
      begun = env.monotonic()
      const { da, endpoint, rpc } = network.status()
      if (!screen.interactive) {
        terminal.write(`explorer ${rpc} · DA ${da.address} · transactions ${endpoint}/tx · home ${root}\n`)
      }
      look(network)
      next(network)
    },
    stop() {
      if (cancel === undefined) return
      cancel()
      cancel = undefined
      screen.release()
    },
  }
}

function text(message: string, fields: Readonly<Record<string, unknown>> | undefined): string {
  const { error } = fields ?? {}
  return error === undefined ? message : `${message}: ${describeError(error)}`
}
