import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { live } from '../node.ts'
import { opened } from '../router.tsx'
import { useValue } from '../value.ts'

interface PageProps {
  readonly title: string
  /** Before the title, smaller. */
  readonly kind?: string
  /** Beside the title. */
  readonly aside?: ComponentChildren
  /** Whether the title is there for those only who do not see the page. */
  readonly quiet?: boolean
  readonly children: ComponentChildren
}

/** Number of the opening that had the focus last. */
let focused = 0

/** A page: its title, which has the focus when a link brought the reader here, and what it shows. */
export function Page({ title, kind, aside, quiet = false, children }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null)
  const chain = useValue(live.info)?.chainId
  const opening = useValue(opened)
  useEffect(() => {
    document.title = [title, chain, 'Evolve'].filter((part) => part !== undefined).join(' · ')
  }, [title, chain])
  useEffect(() => {
    if (opening === focused) return
    focused = opening
    heading.current?.focus({ preventScroll: true })
  }, [opening])
  return (
    <main id="content" class="page">
      <header class={quiet ? 'unseen' : 'page-head'}>
        <h1 tabIndex={-1} ref={heading}>
          {kind === undefined ? null : <span class="kind">{kind} </span>}
          {title}
        </h1>
        {aside}
      </header>
      {children}
    </main>
  )
}
