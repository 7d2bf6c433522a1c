import { createValue } from './value.ts'

/** How the page is coloured. */
export type Theme = 'light' | 'dark'

const KEY = 'evolve-explorer-theme'
const dark = matchMedia('(prefers-color-scheme: dark)')

/** What the reader chose; undefined when the system decides. Where nothing may be kept, nothing was chosen. */
function chosen(): Theme | undefined {
  try {
    const kept = localStorage.getItem(KEY)
    return kept === 'light' || kept === 'dark' ? kept : undefined
  } catch {
    return undefined
  }
}

function system(): Theme {
  return dark.matches ? 'dark' : 'light'
}

/** The colours that are shown. */
export const theme = createValue<Theme>(chosen() ?? system())

function apply(next: Theme, own: boolean): void {
  const { dataset } = document.documentElement
  if (own) dataset['theme'] = next
  else delete dataset['theme']
  theme.set(next)
}

/** Shows the chosen colours, and follows the system where none were chosen. */
export function startTheme(): void {
  const choice = chosen()
  apply(choice ?? system(), choice !== undefined)
  dark.addEventListener('change', () => {
    if (chosen() === undefined) apply(system(), false)
  })
}

/** Changes between light and dark, and remembers it. What the system says anyway is not held on to. */
export function switchTheme(): void {
  const next: Theme = theme.get() === 'dark' ? 'light' : 'dark'
  try {
    if (next === system()) localStorage.removeItem(KEY)
    else localStorage.setItem(KEY, next)
  } catch {
    // It holds until the page is left.
  }
  apply(next, next !== system())
}
