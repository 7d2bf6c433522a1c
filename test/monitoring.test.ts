import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { withTables } from '../scripts/metrics-docs.ts'
import { processMetrics } from '../src/telemetry/process-metrics.node.ts'
import { METRICS } from '../src/telemetry/table/table.ts'

const read = (path: string): string =>
  readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), 'utf8')

const byName = new Map(METRICS.map((metric) => [`evnode_${metric.name}`, metric]))

/** Words of PromQL, and what Prometheus has by itself. */
const PROMQL = new Set(['up', 'job', 'instance', 'chain_id', 'le'])

/** What is wrong with the metrics and labels of an expression. */
function problems(expression: string, processNames: ReadonlySet<string>): string[] {
  const seen = [...expression.matchAll(/\b((?:evnode|process|nodejs)_\w+)(?:\{([^}]*)\})?/g)]
  if (seen.length === 0 && !expression.startsWith('up{')) return [`no metric in ${expression}`]
  return seen.flatMap(([, name = '', matchers = '']) => {
    const metric = byName.get(name) ?? byName.get(name.replace(/_(?:bucket|sum|count)$/, ''))
    if (metric === undefined) return processNames.has(name) ? [] : [`no metric ${name}`]
    if (metric.type === 'histogram' && !/_(?:bucket|sum|count)$/.test(name)) return [`${name} is a histogram`]
    if (metric.type === 'counter' && !/(?:rate|increase)\(/.test(expression)) return [`${name} is not a rate`]
    const labels = [...matchers.matchAll(/(\w+)(?:=~|!~|!=|=)/g)].map(([, label = '']) => label)
    return labels
      .filter((label) => !PROMQL.has(label) && !Object.hasOwn(metric.labels ?? {}, label))
      .map((label) => `${name} has no label ${label}`)
  })
}

/** Labels that a text or a grouping names and no metric of the expression has. */
function unknownLabels(expression: string, named: readonly string[]): string[] {
  const known = new Set([
    ...PROMQL,
    ...[...expression.matchAll(/\bevnode_\w+/g)].flatMap(([name]) =>
      Object.keys((byName.get(name) ?? byName.get(name.replace(/_(?:bucket|sum|count)$/, '')))?.labels ?? {}),
    ),
  ])
  return named.filter((label) => !known.has(label))
}

test('the checks find what they look for', () => {
  const check = (expression: string): string[] => problems(expression, new Set(['process_cpu_seconds_total']))
  expect(check('rate(evnode_p2p_bans_total[1m]) / rate(process_cpu_seconds_total[1m])')).toEqual([])
  expect(check('evnode_no_such')).toEqual(['no metric evnode_no_such'])
  expect(check('process_no_such')).toEqual(['no metric process_no_such'])
  expect(check('evnode_p2p_bans_total')).toEqual(['evnode_p2p_bans_total is not a rate'])
  expect(check('evnode_store_batch_operations')).toEqual(['evnode_store_batch_operations is a histogram'])
  expect(check('evnode_p2p_peers{kind="x"}')).toEqual(['evnode_p2p_peers has no label kind'])
  expect(unknownLabels('evnode_p2p_connections', ['direction', 'kind'])).toEqual(['kind'])
})

const names = async (): Promise<Set<string>> =>
  new Set((await processMetrics().getMetricsAsJSON()).map(({ name }) => name))

const dashboardSchema = z.object({
  uid: z.string(),
  templating: z.object({ list: z.array(z.object({ name: z.string(), query: z.unknown() })) }),
  panels: z.array(
    z.object({
      id: z.number(),
      title: z.string().min(1),
      type: z.enum(['row', 'stat', 'timeseries']),
      gridPos: z.object({ x: z.number(), y: z.number(), w: z.number(), h: z.number() }),
      targets: z.array(z.object({ expr: z.string(), legendFormat: z.string() })).default([]),
    }),
  ),
})

describe('the dashboard', () => {
  const dashboard = dashboardSchema.parse(JSON.parse(read('monitoring/dashboard.json')))
  const targets = dashboard.panels.flatMap((panel) => panel.targets)

  test('shows only what there is', async () => {
    const processNames = await names()
    expect(targets.length).toBeGreaterThan(40)
    expect(targets.flatMap(({ expr }) => problems(expr, processNames))).toEqual([])
  })

  test('names only labels that its series have', () => {
    for (const { expr, legendFormat } of targets) {
      const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
      const grouped = [...expr.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/, */))
      expect({ expr, unknown: unknownLabels(expr, [...named, ...grouped]) }).toEqual({ expr, unknown: [] })
      // What was summed up has only the labels that were kept.
      if (grouped.length > 0) expect(new Set(named).difference(new Set(grouped))).toEqual(new Set())
    }
  })

  test('has its panels beside each other, each once', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)}/${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    expect(Math.max(...dashboard.panels.map(({ gridPos: { x, w } }) => x + w))).toBe(24)
  })
})

describe('the alerts', () => {
  const { groups } = z
    .object({
      groups: z.array(
        z.object({
          name: z.string(),
          rules: z.array(
            z.strictObject({
              alert: z.string().regex(/^Evolve[A-Za-z]+$/),
              expr: z.string(),
              for: z
                .string()
                .regex(/^\d+[smh]$/)
                .optional(),
              labels: z.strictObject({ severity: z.enum(['critical', 'warning']) }),
              annotations: z.strictObject({ summary: z.string(), description: z.string() }),
            }),
          ),
        }),
      ),
    })
    .parse(parse(read('monitoring/alerts.yml')))
  const rules = groups.flatMap((group) => group.rules)

  test('watch only what there is', async () => {
    const processNames = await names()
    expect(rules.length).toBeGreaterThan(10)
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length)
    expect(rules.flatMap(({ expr }) => problems(expr, processNames))).toEqual([])
  })

  test('name only labels that they have', () => {
    for (const { expr, annotations } of rules) {
      const text = `${annotations.summary} ${annotations.description}`
      const named = [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
      expect({ expr, unknown: unknownLabels(expr, named) }).toEqual({ expr, unknown: [] })
      for (const [name] of text.matchAll(/\bevnode_\w+/g)) expect(byName.has(name)).toBe(true)
    }
  })
})

test('the example for Prometheus fetches from where nodes serve by default, and knows the alerts', () => {
  expect(parse(read('monitoring/prometheus.yml'))).toMatchObject({
    rule_files: ['alerts.yml'],
    scrape_configs: [{ job_name: 'evolve', static_configs: [{ targets: ['127.0.0.1:26660'] }] }],
  })
})

describe('docs/metrics.md', () => {
  const text = read('docs/metrics.md')

  test('has the tables that npm run docs:metrics writes', () => {
    expect(withTables(text) === text).toBe(true)
  })

  test('names only metrics that there are, where it says what to look at', () => {
    const [, section = ''] = /### What to look at first\n(.*?)<!-- tables/s.exec(text) ?? []
    const named = [...section.matchAll(/`((?:node|sequencer|da|executor|store)_\w+)`/g)].map(
      ([, name = '']) => name,
    )
    expect(named.length).toBeGreaterThan(10)
    expect(named.filter((name) => !byName.has(`evnode_${name}`))).toEqual([])
  })
})
