import type { ComponentChildren } from 'preact'
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
export function Failure({
  error,
  children,
}: {
  readonly error: unknown
  readonly children?: ComponentChildren
}) {
  return (
    <div class="note failure" role="alert">
      <p>{failureWords(error)}</p>
      {children}
    </div>
  )
}

/** There is nothing to be shown. */
export function Nothing({ children }: { readonly children: ComponentChildren }) {
  return <p class="note">{children}</p>
}
