/*
 * From a signal of the operating system to a clean end.
 */
import type { Env } from '../core/env.ts'
import { EvolveError } from '../util/errors.ts'
import { EXIT } from './exit.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** What a {@link Shutdown} needs of the process; `process` itself is one. */
export interface SignalSource {
  on(signal: (typeof SIGNALS)[number], listener: () => void): unknown
  off(signal: (typeof SIGNALS)[number], listener: () => void): unknown
  /** Ends the process at once. */
  exit(code: number): void
}

/** Ends the program in time. */
export interface Shutdown {
  /** Aborts with `INTERRUPTED` at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** The program is ending: it has {@link STOP_TIME} for it. The first signal says this too. */
  begin(): void
  /** The program has ended what it had to: the process may end by itself. */
  release(): void
}

/** Milliseconds for a clean stop; after that the process is ended. */
export const STOP_TIME = 10_000

/**
 * Listens to signals until released. A second signal ends the process with 130; a stop that takes longer than
 * {@link STOP_TIME} ends it with 1. `say` gets what a person should know.
 */
export function createShutdown(
  { source, env }: { readonly source: SignalSource; readonly env: Env },
  say: (message: string) => void,
): Shutdown {
  const controller = new AbortController()
  let cancel: (() => void) | undefined

  const begin = (): void => {
    cancel ??= env.timer(STOP_TIME, () => {
      say(`not stopped after ${STOP_TIME / 1_000} s, ending now`)
      source.exit(EXIT.failed)
    })
  }
  const onSignal = (): void => {
    if (controller.signal.aborted) {
      say('second signal, ending now')
      source.exit(EXIT.interrupted)
      return
    }
    say('stopping; a second signal ends at once')
    begin()
    controller.abort(new EvolveError('INTERRUPTED', 'interrupted by a signal'))
  }
  for (const name of SIGNALS) source.on(name, onSignal)
  return {
    signal: controller.signal,
    begin,
    release() {
      cancel?.()
      for (const name of SIGNALS) source.off(name, onSignal)
    },
  }
}
