/*
 * Tables and lists for people.
 */

/** A text that can not move the cursor of a terminal: what others say may hold anything. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '·')
}

/** Rows in columns as wide as their widest cell, the heading first. The last column is not padded. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [heading, ...rows].map((row) => row.map(printable))
  const widths = heading.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Labels and values, one a line, the values below each other. */
export function list(entries: readonly (readonly [label: string, value: string])[]): string[] {
  const width = Math.max(...entries.map(([label]) => label.length))
  return entries.map(([label, value]) => `${label.padEnd(width)}  ${printable(value)}`.trimEnd())
}
