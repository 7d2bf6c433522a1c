import type { ComponentChildren } from 'preact'
import type { Query } from '../query.ts'
import { failureWords } from '../words.ts'

/** Something is on its way. */
export function Loading({ what }: { readonly what: string }) {
  return (
    <p class="note loading" role="status">
      Loading {what}…
    </p>
  )
}

/** Something cannot be shown. */
export function Failure({ error }: { readonly error: unknown }) {
  return (
    <p class="note failure" role="alert">
      {failureWords(error)}
    </p>
  )
}

interface AnsweredProps<T> {
  readonly query: Query<T>
  /** Names what is asked for. */
  readonly what: string
  readonly children: (value: T) => ComponentChildren
}

/** What was asked for; before it has come, and where it cannot come, that. */
export function Answered<T>({ query: { value, error }, what, children }: AnsweredProps<T>) {
  if (value !== undefined) return <>{children(value)}</>
  return error === undefined ? <Loading what={what} /> : <Failure error={error} />
}

/** There is nothing to be shown. */
export function Nothing({ children }: { readonly children: ComponentChildren }) {
  return <p class="note">{children}</p>
}
