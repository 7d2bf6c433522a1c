import type { Env } from '../../core/env.ts'
import type { SyncState } from '../../core/header.ts'
import type { Logger } from '../../core/logger.ts'
import { abortable, deferred } from '../../util/async.ts'

/** Keeps the books of sync runs and tells who wants to know. */
export interface Progress {
  readonly state: () => SyncState
  /** A run begins at the height above the store. */
  begin(): void
  /** The run under way ends, with an error or without. */
  end(error?: unknown): void
  /** Height or target moved. */
  changed(): void
  readonly onState: (listener: (state: SyncState) => void) => () => void
  /** Resolves when the store has reached the target; rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void>
}

/** Makes {@link Progress} over what the store has and where it is to get. */
export function createProgress(
  { env, logger }: { readonly env: Env; readonly logger: Logger },
  { height, target }: { readonly height: () => number; readonly target: () => number },
): Progress {
  const listeners = new Set<(state: SyncState) => void>()
  let run: Omit<SyncState, 'height' | 'toHeight'> = {
    id: 0,
    fromHeight: 0,
    start: 0n,
    end: 0n,
    error: undefined,
  }

  const state = (): SyncState => ({ ...run, height: height(), toHeight: target() })

  function changed(): void {
    if (listeners.size === 0) return
    const current = state()
    for (const listener of listeners) {
      try {
        listener(current)
      } catch (error) {
        logger.error('a listener failed', { error })
      }
    }
  }

  function onState(listener: (state: SyncState) => void): () => void {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  return {
    state,
    begin() {
      run = { id: run.id + 1, fromHeight: height() + 1, start: env.now(), end: 0n, error: run.error }
      changed()
    },
    end(error) {
      run = { ...run, end: env.now(), error }
      changed()
    },
    changed,
    onState,
    async wait(signal) {
      signal.throwIfAborted()
      if (target() <= height()) return
      const reached = deferred<void>()
      const leave = onState((current) => {
        if (current.toHeight <= current.height) reached.resolve()
      })
      try {
        await abortable(reached.promise, signal)
      } finally {
        leave()
      }
    },
  }
}
