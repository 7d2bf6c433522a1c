import type { ComponentChildren } from 'preact'
import { createValue } from './value.ts'
import { parseRoute, type Route } from './routes.ts'

function current(): Route {
  return parseRoute(location.pathname, location.search)
}

/** The page that the address names. */
export const route = createValue<Route>(current())

/** How often a page was opened by a link: whoever shows pages puts the focus on the new one then. */
export const opened = createValue(0)

/** Goes to another page of this site. With `stay` the focus and the place on the page stay: for turning pages. */
export function navigate(path: string, { stay = false } = {}): void {
  if (path === `${location.pathname}${location.search}`) return
  history.pushState(undefined, '', path)
  if (!stay) scrollTo(0, 0)
  route.set(current())
  if (!stay) opened.set(opened.get() + 1)
}

/** Follows the browser's own buttons. */
export function followHistory(): void {
  addEventListener('popstate', () => route.set(current()))
}

interface LinkProps {
  readonly to: string
  /** See {@link navigate}. */
  readonly stay?: boolean
  readonly class?: string
  readonly title?: string
  readonly 'aria-label'?: string
  readonly 'aria-current'?: 'page' | undefined
  /** Marks the link that a row of a list leads on by. */
  readonly 'data-row'?: boolean
  readonly children: ComponentChildren
}

/** A link to another page of this site. */
export function Link({ to, stay = false, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent): void => {
    // What opens a tab or a window, the browser does.
    if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    navigate(to, { stay })
  }
  return (
    <a href={to} onClick={follow} {...rest}>
      {children}
    </a>
  )
}
