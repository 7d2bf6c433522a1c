/*
 * Writes the tables of docs/metrics.md from the table of metrics. With --check it only says whether they are as they
 * should be.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { MetricDefinition } from '../src/telemetry/table/definition.ts'
import { METRIC_GROUPS } from '../src/telemetry/table/table.ts'

const FILE = fileURLToPath(new URL('../docs/metrics.md', import.meta.url))
const BEGIN = '<!-- tables: written by npm run docs:metrics -->'
const END = '<!-- end of the tables -->'

/** The text of docs/metrics.md, with the tables as they should be. */
export function withTables(text: string): string {
  const from = text.indexOf(BEGIN)
  const to = text.indexOf(END)
  if (from < 0 || to < from) throw new Error(`${FILE} has no place for the tables`)
  return `${text.slice(0, from + BEGIN.length)}\n\n${tables()}\n${text.slice(to)}`
}

function tables(): string {
  return METRIC_GROUPS.map(
    ({ title, metrics }) =>
      `### ${title}\n\n| name | type | labels | meaning |\n|---|---|---|---|\n${metrics.map(row).join('\n')}\n`,
  ).join('\n')
}

function row({ name, type, labels = {}, help, known }: MetricDefinition): string {
  const described = Object.entries(labels).map(([label, meaning]) => `\`${label}\`: ${meaning}`)
  return `| \`${name}\`${known === true ? ' •' : ''} | ${type} | ${described.join('; ')} | ${help} |`
}

function main(): void {
  const text = readFileSync(FILE, 'utf8')
  const wanted = withTables(text)
  if (text === wanted) return
  if (process.argv.includes('--check')) {
    process.stderr.write('docs/metrics.md is not as the table of metrics: run npm run docs:metrics\n')
    process.exitCode = 1
  } else writeFileSync(FILE, wanted)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main()
