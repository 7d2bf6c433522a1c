import { live } from '../node.ts'
import { Link, route } from '../router.tsx'
import type { Route } from '../routes.ts'
import { switchTheme, theme } from '../theme.ts'
import { useValue } from '../value.ts'
import { Mark, MoonIcon, SunIcon } from './icons.tsx'
import { SearchBox } from './search-box.tsx'

const PLACES: readonly {
  readonly to: string
  readonly name: string
  readonly pages: readonly Route['page'][]
}[] = [
  { to: '/', name: 'Chain', pages: ['home', 'blocks', 'block', 'transaction', 'transaction-at'] },
  { to: '/peers', name: 'Peers', pages: ['peers'] },
  { to: '/availability', name: 'DA', pages: ['availability'] },
  { to: '/submit', name: 'Submit', pages: ['submit'] },
]

/** What stands above every page. */
export function TopBar() {
  const { page } = useValue(route)
  const chain = useValue(live.info)?.chainId
  return (
    <header class="top">
      <div class="top-inside">
        <Link to="/" class="brand" aria-label={chain === undefined ? 'Evolve' : `Evolve, chain ${chain}`}>
          <Mark />
          <span class="brand-name">{chain ?? 'Evolve'}</span>
        </Link>
        <nav class="places" aria-label="Pages">
          {PLACES.map(({ to, name, pages }) => (
            <Link key={to} to={to} aria-current={pages.includes(page) ? 'page' : undefined}>
              {name}
            </Link>
          ))}
        </nav>
        <SearchBox />
        <ThemeSwitch />
      </div>
    </header>
  )
}

function ThemeSwitch() {
  const dark = useValue(theme) === 'dark'
  const name = dark ? 'Light colours' : 'Dark colours'
  return (
    <button type="button" class="icon-button theme" aria-label={name} title={name} onClick={switchTheme}>
      {dark ? <SunIcon /> : <MoonIcon />}
    </button>
  )
}
