/** Rows of a list, by the link that leads on from each. */
const ROW = 'a[data-row]'

/** Moves the focus along the rows of a list: arrows by one, Home and End to its ends. For `onKeyDown` of the list. */
export function moveAlongRows(event: KeyboardEvent): void {
  const list = event.currentTarget
  if (!(list instanceof HTMLElement) || event.altKey || event.ctrlKey || event.metaKey) return
  const rows = [...list.querySelectorAll<HTMLElement>(ROW)]
  const at = rows.findIndex((row) => row === document.activeElement)
  if (at < 0) return
  const next = target(event.key, at, rows.length)
  if (next === undefined) return
  event.preventDefault()
  rows[next]?.focus()
}

function target(key: string, at: number, count: number): number | undefined {
  switch (key) {
    case 'ArrowDown':
      return Math.min(at + 1, count - 1)
    case 'ArrowUp':
      return Math.max(at - 1, 0)
    case 'Home':
      return 0
    case 'End':
      return count - 1
    default:
      return undefined
  }
}
