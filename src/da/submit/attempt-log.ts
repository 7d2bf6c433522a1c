import type { Env } from '../../core/env.ts'
import type { DaSubmission } from '../../core/node-view.ts'
import { describeError, EvolveError } from '../../util/errors.ts'
import type { Item } from './window.ts'

/** Attempts that are remembered. */
export const MAX_ATTEMPTS = 100

/** How one call to DA ended. */
export interface Attempt {
  readonly items: readonly Item[]
  /** When the call began, as `Env.monotonic` has it. */
  readonly began: number
  /** The DA height that the DA node named, or what went wrong. */
  readonly end: { readonly daHeight: number } | { readonly error: unknown }
}

/** The latest attempts to post to DA. */
export interface AttemptLog {
  add(attempt: Attempt): void
  /** Newest first, at most {@link MAX_ATTEMPTS}. */
  latest(): readonly DaSubmission[]
}

/** Makes an {@link AttemptLog}. */
export function createAttemptLog({ env }: { readonly env: Env }): AttemptLog {
  const kept: DaSubmission[] = []
  let made = 0
  return {
    add({ items, began, end }) {
      const [first, last] = [items[0], items.at(-1)]
      if (first === undefined || last === undefined) return
      kept.push({
        number: ++made,
        time: env.now(),
        kind: first.name.kind,
        firstHeight: first.name.height,
        lastHeight: last.name.height,
        blobs: items.length,
        bytes: items.reduce((sum, { blob }) => sum + blob.data.length, 0),
        namespace: first.blob.namespace,
        commitments: items.map(({ blob }) => blob.commitment),
        daHeight: 'daHeight' in end ? end.daHeight : undefined,
        failure: 'error' in end ? failureOf(end.error) : undefined,
        duration: env.monotonic() - began,
      })
      if (kept.length > MAX_ATTEMPTS) kept.shift()
    },
    latest: () => kept.toReversed(),
  }
}

function failureOf(error: unknown): { readonly code: string; readonly message: string } {
  const code = error instanceof EvolveError ? error.code : 'ABORTED'
  return { code, message: describeError(error) }
}
