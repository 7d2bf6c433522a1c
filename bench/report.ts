/* Prints figures for people. */
import type { Figure, Table } from './part.ts'

/** A table as text: figure, value, goal and whether it is reached, the limit and how near. */
export function formatTable({ title, figures, notes = [] }: Table): string {
  const rows = figures.map((figure) => [
    figure.name,
    `${formatNumber(figure.value)} ${figure.unit}`,
    goalOf(figure),
    limitOf(figure),
  ])
  const columns = [['figure', 'value', 'goal', 'limit'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...columns.map((row) => (row[column] ?? '').length)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === 1 ? cell.padStart(widths[1] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd()
  const rule = widths.map((width) => '-'.repeat(width)).join('  ')
  return [
    `\n${title}`,
    line(columns[0] ?? []),
    rule,
    ...rows.map(line),
    ...notes.map((note) => `* ${note}`),
  ].join('\n')
}

/** Whether a figure keeps its promise; undefined where there is none. */
export function reached({ goal, value }: Figure): boolean | undefined {
  if (goal === undefined) return undefined
  return 'atLeast' in goal ? value >= goal.atLeast : value <= goal.atMost
}

function goalOf(figure: Figure): string {
  const { goal } = figure
  if (goal === undefined) return ''
  const wanted = 'atLeast' in goal ? `≥ ${formatNumber(goal.atLeast)}` : `≤ ${formatNumber(goal.atMost)}`
  return `${wanted} ${reached(figure) === true ? 'reached' : 'MISSED'}`
}

function limitOf({ limit, value }: Figure): string {
  if (limit === undefined) return ''
  return `${Math.round((100 * value) / limit.value)} % of ${formatNumber(limit.value)} (${limit.by})`
}

/** Three digits that count. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return String(value)
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(Math.abs(value), 1e-9))))
  return value.toLocaleString('en', { maximumFractionDigits: Math.min(digits, 3) })
}
