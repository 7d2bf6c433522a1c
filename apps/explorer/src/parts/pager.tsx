import type { ComponentChildren } from 'preact'
import { Link } from '../router.tsx'
import { BackIcon, ForthIcon } from './icons.tsx'

interface PagerProps {
  /** What is paged, for the name of the navigation. */
  readonly what: string
  /** Address and name of what comes before and after; undefined where nothing does. */
  readonly back: { readonly to: string; readonly name: string } | undefined
  readonly forth: { readonly to: string; readonly name: string } | undefined
  readonly children?: ComponentChildren
}

/** Links to what comes before and after. The focus stays on them, so that one can go on. */
export function Pager({ what, back, forth, children }: PagerProps) {
  return (
    <nav class="pager" aria-label={what}>
      <Turn target={back} icon={<BackIcon />} />
      {children}
      <Turn target={forth} icon={<ForthIcon />} />
    </nav>
  )
}

function Turn({ target, icon }: { readonly target: PagerProps['back']; readonly icon: ComponentChildren }) {
  // Where nothing comes, the place stays: the other link does not jump.
  if (target === undefined) {
    return (
      <span class="turn off" aria-hidden="true">
        {icon}
      </span>
    )
  }
  return (
    <Link class="turn" to={target.to} stay aria-label={target.name} title={target.name}>
      {icon}
    </Link>
  )
}
